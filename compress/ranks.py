"""How many of a matrix's singular values low rank keeps: a fixed number, a share of the energy, or what validates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch

from device_runtime.errors import InputError

Lost = Callable[[int], float]
"""The share of the validation value that is lost when the matrix has this rank."""


class Rank(Protocol):
    """A choice of the rank of each matrix."""

    def choose(self, singular: torch.Tensor, most: int, lost: Lost) -> int:
        """A rank from 1 to `most`, or above: then the matrix stays whole, because two factors would be no smaller.

        `singular` are the matrix's singular values, falling; there are as many as its rank can be.
        """


@dataclass(frozen=True)
class Fixed:
    """The same for every matrix."""

    rank: int

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise InputError(f"low rank got the rank {self.rank}, but a matrix has at least rank 1.")

    def choose(self, singular: torch.Tensor, most: int, lost: Lost) -> int:
        """The rank, if the matrix can have it."""
        if self.rank > len(singular):
            raise InputError(
                f"low rank got the rank {self.rank}, but the smallest matrix has rank {len(singular)}. Choose a rank "
                f"up to {most}: above it two factors are no smaller than the matrix."
            )
        return self.rank


@dataclass(frozen=True)
class Energy:
    """As many as keep this share of the energy, which is the sum of the squared singular values."""

    share: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"low rank got {self.share} of the energy to keep: it is a share above 0 and up to 1.")

    def choose(self, singular: torch.Tensor, most: int, lost: Lost) -> int:
        """The smallest rank that keeps the share."""
        kept = singular.double().square().cumsum(0)
        return 1 + int((kept < self.share * float(kept[-1]) * (1 - 1e-12)).sum())


@dataclass(frozen=True)
class Validated:
    """As few as lose no more than this share of the validation value, before the fine-tuning; found by bisection."""

    loss: float = 0.02

    def __post_init__(self) -> None:
        if not 0 <= self.loss < 1:
            raise InputError(f"low rank got {self.loss} of the value to lose: it is a share from 0 to below 1.")

    def choose(self, singular: torch.Tensor, most: int, lost: Lost) -> int:
        """The smallest rank that loses little enough, if losses fall with the rank."""
        low, high = 1, most + 1  # the answer is in low..high; most + 1 leaves the matrix whole
        while low < high:
            middle = (low + high) // 2
            if lost(middle) <= self.loss:
                high = middle
            else:
                low = middle + 1
        return low
