"""Float weights that are rounded to the device's grids whenever they are used, with gradients.

Rounding passes gradients straight through (Bengio, Leonard & Courville 2013, arXiv:1308.3432).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from device_runtime import arithmetic
from device_runtime.fixed_point import INT8_MAX

BIAS_PER_UNIT = 4096
"""Biases lie on a grid: steps of the int8 sums are coarser, and short numbers deflate to fewer bytes in a bundle."""


class Rows(nn.Module):
    """Float weights that are rounded to int8, symmetric per row, whenever they are used."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, std: float = 1.0, mean: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone() / std)
        self.bias = nn.Parameter(bias.detach().clone())
        self.mean = mean

    @staticmethod
    def folded(mean: float, std: float) -> tuple[float, float]:
        """The arguments that make a first layer take raw features instead of normalised ones."""
        return std, mean

    @property
    def columns(self) -> int:
        """Inputs."""
        return self.weight.shape[1]

    def parts(self, input_scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """int8 weights (held in float32), scale and bias per row, for inputs on this scale."""
        largest = self.weight.detach().abs().amax(dim=1).clamp(min=1e-6)
        scale = _short(largest / INT8_MAX * input_scale)
        per_row = scale / input_scale
        weight = round_half_up(self.weight / per_row[:, None]).clamp(-INT8_MAX, INT8_MAX)
        bias: torch.Tensor = self.bias
        if self.mean:  # what the mean of the features adds, seen through the rounded weights
            bias = bias - self.mean * (weight * per_row[:, None]).sum(dim=1)
        return weight, scale, on_bias_grid(bias)

    def forward(self, q: torch.Tensor, input_scale: torch.Tensor) -> torch.Tensor:
        """arithmetic.Affine on int8 values: (.., columns) -> (.., rows)."""
        weight, scale, bias = self.parts(input_scale)
        return (q @ weight.T) * scale + bias  # integers below 2**24: the float product is exact in any order

    def affine(self, input_scale: torch.Tensor) -> arithmetic.Affine:
        """The very numbers that `forward` uses."""
        weight, scale, bias = self.parts(input_scale)
        return arithmetic.Affine(weight.numpy().astype(np.int8), scale.numpy().copy(), bias.numpy().copy())


def on_bias_grid(v: torch.Tensor) -> torch.Tensor:
    """Biases, or what stands where they do, on their grid."""
    return round_half_up(v * BIAS_PER_UNIT) * (1 / BIAS_PER_UNIT)


def _short(scale: torch.Tensor) -> torch.Tensor:
    """The next float32 whose last two bytes are zero: within 1 %, never smaller, and half the bytes in a bundle."""
    return ((scale.view(torch.int32) + 0xFFFF) & ~0xFFFF).view(torch.float32)


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
