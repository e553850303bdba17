"""Float weights that are rounded to the device's grids whenever they are used, with gradients.

Rounding passes gradients straight through (Bengio, Leonard & Courville 2013, arXiv:1308.3432). The units of coarse
grids are learned with the weights (Esser et al. 2020, arXiv:1902.08153).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from compress.ranges import nearest
from compress.weight_grids import INT8, Levels, WeightGrid, check_deployable
from device_runtime import arithmetic

BIAS_PER_UNIT = 4096
"""Biases lie on a grid: steps of the int8 sums are coarser, and short numbers deflate to fewer bytes in a bundle."""

COARSE_BIAS_PER_UNIT = 512
"""Where weights have 4 bits: still the steps of the finer table, that of tanh."""

SHORT, SHORTER = 0xFFFF, 0x3FFFF
"""Bits of a scale that are zero; the second where weights have 4 bits, and the scales learn with them."""


ONE = torch.ones(())
"""No gain: it is not kept with the weights, so that trainings from before there were gains go on."""


class Rows(nn.Module):
    """Float weights that are rounded to a grid whenever they are used."""

    gain: torch.Tensor
    codes: torch.Tensor
    units: torch.Tensor

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor,
        std: float = 1.0,
        mean: float = 0.0,
        grid: WeightGrid = INT8,
        gain: torch.Tensor = ONE,
    ):
        """`gain` (rows,) multiplies what comes out; weights and biases are trained as if it were 1."""
        super().__init__()
        self.register_buffer("gain", gain, persistent=gain is not ONE)
        self.weight = nn.Parameter(weight.detach().clone() / std)
        self.bias = nn.Parameter(bias.detach().clone())
        self.mean = mean
        self.grid = grid
        if not grid.follows:
            levels = grid.fit(self.weight.detach())
            self.register_buffer("codes", levels.codes)
            self.register_buffer("units", levels.units.clone())
            self.growth = nn.Parameter(torch.zeros_like(levels.units))  # of the units, as a logarithm

    @staticmethod
    def folded(mean: float, std: float) -> tuple[float, float]:
        """The arguments that make a first layer take raw features instead of normalised ones."""
        return std, mean

    @property
    def columns(self) -> int:
        """Inputs."""
        return self.weight.shape[1]

    def levels(self) -> Levels:
        """What the weights are rounded to now."""
        if self.grid.follows:
            return self.grid.fit(self.weight.detach())
        return Levels(self.codes, self.units * self.growth.exp())

    def parts(self, input_scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The codes of the weights (held in float32), scale and bias per row, for inputs on this scale."""
        levels = self.levels()
        unit = input_scale * self.gain
        scale = _Short.apply(levels.units * unit, SHORT if self.grid.follows else SHORTER).expand(len(self.bias))
        per_row = scale / unit
        weight = _Nearest.apply(self.weight / per_row[:, None], levels.codes)
        bias: torch.Tensor = self.bias
        if self.mean:  # what the mean of the features adds, seen through the rounded weights
            bias = bias - self.mean * (weight * per_row[:, None]).sum(dim=1)
        per_unit = BIAS_PER_UNIT if self.grid.follows else COARSE_BIAS_PER_UNIT
        return weight, scale, on_bias_grid(bias * self.gain, per_unit)

    def forward(self, q: torch.Tensor, input_scale: torch.Tensor) -> torch.Tensor:
        """arithmetic.Affine on int8 values: (.., columns) -> (.., rows)."""
        weight, scale, bias = self.parts(input_scale)
        return (q @ weight.T) * scale + bias  # integers below 2**24: the float product is exact in any order

    def affine(self, input_scale: torch.Tensor) -> arithmetic.Affine:
        """The very numbers that `forward` uses; InputError where no engine could hold them."""
        with torch.no_grad():
            check_deployable(self.levels())
            weight, scale, bias = self.parts(input_scale)
        return arithmetic.Affine(weight.numpy().astype(np.int8), scale.numpy().copy(), bias.numpy().copy())


def on_bias_grid(v: torch.Tensor, per_unit: int = BIAS_PER_UNIT) -> torch.Tensor:
    """Biases, or what stands where they do, on their grid."""
    return round_half_up(v * per_unit) * (1 / per_unit)


class _Short(torch.autograd.Function):
    """The next float32 whose last bits are zero, never smaller: fewer bytes in a bundle.

    Within 1 % where those are two bytes, within 3 % with two bits more.
    """

    @staticmethod
    def forward(ctx: Any, scale: torch.Tensor, zeros: int) -> torch.Tensor:
        return ((scale.view(torch.int32) + zeros) & ~zeros).view(torch.float32)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grad, None


class _Nearest(torch.autograd.Function):
    """The nearest codes, with the gradient of the identity as far as they reach, and of a constant beyond."""

    @staticmethod
    def forward(ctx: Any, v: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward((v >= codes[0] - 0.5) & (v < codes[-1] + 0.5))
        return nearest(v, codes)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        (within,) = ctx.saved_tensors
        return grad * within, None


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: torch.Tensor) -> torch.Tensor:
        return torch.floor(v + 0.5)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad


def round_half_up(v: torch.Tensor) -> torch.Tensor:
    """floor(v + 0.5), with the gradient of the identity."""
    return _StraightThrough.apply(v)
