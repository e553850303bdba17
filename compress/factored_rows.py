"""Two factors of a matrix in training: what is `arithmetic.Factored` on a device, for whole batches, with gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from torch import nn

from compress.factored_cells import Factors, Matrix
from compress.rows import ONE, Rows, round_half_up
from compress.weight_grids import INT8, WeightGrid
from device_runtime import arithmetic
from device_runtime.fixed_point import INT8_MAX


class FactoredRows(nn.Module):
    """What `Rows` is for one matrix, for two, with int8 values between them."""

    gain: torch.Tensor

    def __init__(
        self,
        factors: Factors,
        gain: float,
        std: float = 1.0,
        mean: float = 0.0,
        grid: WeightGrid = INT8,
        after: torch.Tensor = ONE,
    ):
        """`gain` multiplies what lies between the factors, `after` (rows,) what comes out."""
        super().__init__()
        self.inner = Rows(factors.inner, torch.zeros(factors.rank), std, mean, grid)
        self.register_buffer("gain", torch.tensor(gain, dtype=torch.float32))
        self.outer = Rows(factors.outer, factors.bias, grid=grid, gain=after)

    @property
    def columns(self) -> int:
        """Inputs."""
        return self.inner.columns

    def parts(self, input_scale: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """int8 weights, scale and bias of the inner factor, the gain, then those of the outer one."""
        return *self.inner.parts(input_scale), self.gain, *self.outer.parts(1 / self.gain)

    def forward(self, q: torch.Tensor, input_scale: torch.Tensor) -> torch.Tensor:
        """arithmetic.Factored on int8 values: (.., columns) -> (.., rows)."""
        between = round_half_up(self.inner(q, input_scale) * self.gain).clamp(-INT8_MAX, INT8_MAX)
        return self.outer(between, 1 / self.gain)

    def affine(self, input_scale: torch.Tensor) -> arithmetic.Factored:
        """The very numbers that `forward` uses."""
        inner, outer = self.inner.affine(input_scale), self.outer.affine(1 / self.gain)
        return arithmetic.Factored(inner, np.float32(self.gain), outer)


AnyRows = Rows | FactoredRows


class Each(nn.ModuleList):
    """A list of rows that a type checker knows to be one."""

    def __iter__(self) -> Iterator[AnyRows]:
        return cast(Iterator[AnyRows], super().__iter__())


def rows_of(
    matrix: Matrix,
    gains: Iterator[float],
    std: float = 1.0,
    mean: float = 0.0,
    grid: WeightGrid = INT8,
    after: torch.Tensor = ONE,
) -> AnyRows:
    """Those of one matrix, or of its two factors, which take the next of the gains; `after` is for the rows."""
    if isinstance(matrix, Factors):
        return FactoredRows(matrix, next(gains), std, mean, grid, after)
    return Rows(matrix.weight, matrix.bias, std, mean, grid, after)
