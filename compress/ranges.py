"""How far a grid reaches: to the largest value, to a percentile, or to where rounding costs the least."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from device_runtime.errors import InputError

SMALLEST = 1e-6
"""A grid reaches at least so far, also for a row of zeros."""

TRIED = 48
FURTHEST = 0.3
"""The search tries so many reaches, from the largest value down to this share of it."""


class Range(Protocol):
    """Chooses what is clipped."""

    def shares(self, values: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Up to which share, 0..1, of the range of each row the codes are to reach: (rows, columns) -> (rows,)."""


@dataclass(frozen=True)
class MinMax:
    """Nothing is clipped: the codes reach the largest and the smallest value."""

    def shares(self, values: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """All of it."""
        return torch.ones(len(values))


ALL_VALUES = MinMax()
"""The range unless something else is said."""


@dataclass(frozen=True)
class Percentile:
    """The codes reach so many percent of the values that are not zero; the others are clipped."""

    percent: float = 99.9

    def __post_init__(self) -> None:
        if not 50 < self.percent <= 100:
            raise InputError(f"a range got the percentile {self.percent}; it takes one above 50, up to 100.")

    def shares(self, values: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Half of what is clipped is above and half below, unless the codes are symmetric."""
        counted = torch.where(values == 0, torch.nan, values)
        if is_symmetric(codes):
            high = counted.abs().nanquantile(self.percent / 100, dim=1)
            low = -high
        else:
            beyond = (1 - self.percent / 100) / 2
            low, high = counted.nanquantile(beyond, dim=1), counted.nanquantile(1 - beyond, dim=1)
        return _reaching(low.nan_to_num(0.0), high.nan_to_num(0.0), codes) / smallest_units(values, codes)


@dataclass(frozen=True)
class LeastError:
    """The reach with the least squared error after rounding, searched from the largest value down."""

    def shares(self, values: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """The best that was tried."""
        units = smallest_units(values, codes)[:, None]
        least = torch.full((len(values),), torch.inf)
        best = torch.ones(len(values))
        for share in torch.linspace(1.0, FURTHEST, TRIED):
            rounded = nearest(values / (units * share), codes) * (units * share)
            error = (rounded - values).square().sum(dim=1)
            best = torch.where(error < least, share, best)
            least = torch.minimum(error, least)
        return best


def smallest_units(values: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """What code 1 must stand for in each row so that the codes reach all values: (rows, columns) -> (rows,)."""
    return _reaching(values.amin(dim=1), values.amax(dim=1), codes)


def nearest(v: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    """The nearest of the codes, a half upwards; v in units of code 1."""
    first, last = float(codes[0]), float(codes[-1])
    if len(codes) == last - first + 1:
        return torch.floor(v + 0.5).clamp(first, last)
    between = (codes[1:] + codes[:-1]) / 2
    return codes[torch.bucketize(v.contiguous(), between, right=True)]


def is_symmetric(codes: torch.Tensor) -> bool:
    """Whether they reach as far below zero as above."""
    return float(codes[0]) == -float(codes[-1])


def _reaching(low: torch.Tensor, high: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    if is_symmetric(codes):
        return torch.maximum(-low, high).clamp(min=SMALLEST) / codes[-1]
    return torch.maximum(low / codes[0], high / codes[-1]).clamp(min=SMALLEST / float(codes[-1]))
