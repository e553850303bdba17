"""The grids that weights are rounded to: 4 and 8 bits that every engine runs, and wider ones for torch alone.

A weight is a whole number, its code, times the unit of its row. Codes from -127 to 127 are the device's own int8, so
that a grid decides what a model takes on disk and how well it does, but never which bits an engine gives.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch

from compress.ranges import ALL_VALUES, LeastError, Range, nearest, smallest_units
from device_runtime.errors import InputError
from device_runtime.fixed_point import INT8_MAX

Per = Literal["row", "matrix"]
"""What has a unit of its own."""


@dataclass(frozen=True)
class Levels:
    """The codes of a matrix and what they stand for."""

    codes: torch.Tensor
    """All that a weight may be, ascending, zero among them: whole numbers in float32, (levels,)."""

    units: torch.Tensor
    """What code 1 stands for in each row, (rows,), or in all of them, (1,)."""


class WeightGrid(Protocol):
    """Where the weights of a matrix may lie."""

    @property
    def follows(self) -> bool:
        """Whether units are found anew for every step of a training; else they are trained like weights."""

    def fit(self, weight: torch.Tensor) -> Levels:
        """The levels for a matrix (rows, columns)."""


@dataclass(frozen=True)
class Linear:
    """Levels at equal distances.

    Symmetric ones reach as far below zero as above, with a code to spare. The others are all 2**bits codes, with zero
    where the whole matrix is rounded with the least error: the rows share it, so that 16 values are 4 bits to store.

    >>> Linear(4, symmetric=False).fit(torch.tensor([[-0.5, 0.3, 1.0]])).codes.tolist()[:6]
    [-5.0, -4.0, -3.0, -2.0, -1.0, 0.0]
    """

    bits: int = 8
    per: Per = "row"
    range: Range = ALL_VALUES
    symmetric: bool = True

    def __post_init__(self) -> None:
        if self.bits not in (4, 8, 16):
            raise InputError(f"linear weights got {self.bits} bits; take 4 or 8, or 16 to be measured in torch alone.")
        _check_per(self.per)

    @property
    def follows(self) -> bool:
        """With 4 bits a unit decides too much to be left to the largest weight."""
        return self.bits > 4

    def fit(self, weight: torch.Tensor) -> Levels:
        """Units by the range."""
        if self.symmetric:
            last = 2.0 ** (self.bits - 1) - 1
            return _levels(weight, torch.arange(-last, last + 1), self.range, self.per)
        last = 2**self.bits - 1
        zeros = (last * fifteenth // 15 for fifteenth in range(1, 15))
        all_codes = (torch.arange(-zero, last - zero + 1).float() for zero in zeros)
        fits = [_levels(weight, codes, self.range, self.per) for codes in all_codes]
        return min(fits, key=lambda levels: _squared_error(weight, levels))


@dataclass(frozen=True)
class PowersOfTwo:
    """Logarithmic: zero, and plus and minus 1, 2, 4 .. 64, fine where most weights are and coarse for large ones.

    A product with such a weight is a shift (Miyashita, Lee & Murmann 2016, arXiv:1603.01025). With two `terms` the
    levels are 0 and plus and minus 2, 3, 4, 6, 8, 12, 16, each a power or the sum of two, which closes the gaps
    between the large ones (Li, Dong & Wang 2020, arXiv:1909.13144).
    """

    bits: int = 4
    terms: int = 1
    per: Per = "row"
    range: Range = field(default_factory=LeastError)

    def __post_init__(self) -> None:
        if self.bits != 4:
            raise InputError(f"powers of two got {self.bits} bits; take 4: with more, 2**7 would leave the int8 grid.")
        if self.terms not in (1, 2):
            raise InputError(f"powers of two got {self.terms} terms; a level is a power, or the sum of 2.")
        _check_per(self.per)

    @property
    def follows(self) -> bool:
        """The least error takes a search, which is too slow for every step."""
        return False

    def fit(self, weight: torch.Tensor) -> Levels:
        """The same codes for every matrix, units by the range."""
        above = torch.tensor([1.0, 2, 4, 8, 16, 32, 64] if self.terms == 1 else [2.0, 3, 4, 6, 8, 12, 16])
        return _levels(weight, torch.cat([-above.flip(0), torch.zeros(1), above]), self.range, self.per)


def deployable(levels: Levels) -> bool:
    """Whether engines can hold the codes."""
    return float(levels.codes.abs().max()) <= INT8_MAX


def check_deployable(levels: Levels) -> None:
    """InputError where engines could not hold the codes."""
    if not deployable(levels):
        largest = float(levels.codes.abs().max())
        raise InputError(
            f"the weights have codes up to {largest:.0f}, but engines hold up to {INT8_MAX}: 16 bits, and 8 without "
            "symmetry, can be measured in torch alone. For a bundle choose Linear(8), Linear(4) or PowersOfTwo()."
        )


def _levels(weight: torch.Tensor, codes: torch.Tensor, range_: Range, per: Per) -> Levels:
    values = weight if per == "row" else weight.reshape(1, -1)
    units = smallest_units(values, codes) * range_.shares(values, codes)
    return Levels(codes, units)


def _squared_error(weight: torch.Tensor, levels: Levels) -> float:
    units = levels.units[:, None]
    return float((nearest(weight / units, levels.codes) * units - weight).square().sum())


def _check_per(per: str) -> None:
    if per not in ("row", "matrix"):
        raise InputError(f"weights got a unit per {per!r}; take per='row' or per='matrix'.")


INT8 = Linear()
"""What weights lie on unless something else is said."""


@dataclass(frozen=True)
class Grids:
    """Of a model's matrices."""

    most: WeightGrid = INT8
    ends: WeightGrid = INT8
    """Of the first layer and the head: few weights, on which much depends."""


ALL_INT8 = Grids()
