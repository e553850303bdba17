"""The layers that every int8 model in training shares, dense and recurrent ones, in the device's bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from torch import nn

from compress.factored_cells import Recurrent
from compress.factored_rows import AnyRows, Each
from compress.int8_cells import Peephole, deployed_cell, int8_cell, passed, unit_of
from compress.recurrence import quantize_frames
from compress.rows import Rows, round_half_up
from compress.weight_grids import ALL_INT8, Grids
from device_runtime import arithmetic
from device_runtime.fixed_point import INT8_MAX


class Dense(Protocol):
    """A linear map with ReLU that slides along its input."""

    hop: int
    affine: nn.Linear


class FloatLayers(Protocol):
    """What can be quantized: dense layers, recurrent ones, a linear head, on frames normalised by mean and std."""

    feature_size: int
    mean: torch.Tensor
    std: torch.Tensor
    dense: Sequence[Dense]
    grus: Sequence[Recurrent]
    head: nn.Linear


def dense_outputs(model: FloatLayers, frames: torch.Tensor) -> list[torch.Tensor]:
    """The normalised frames, then what each dense layer makes of the one before: (clips, steps, ..) each."""
    outputs = [(frames - model.mean) / model.std]
    for dense in model.dense:
        windows = outputs[-1].unfold(-1, dense.affine.in_features, dense.hop)
        outputs.append(torch.relu(dense.affine(windows)).flatten(-2))
    return outputs


@dataclass(frozen=True)
class Activations:
    """What the layers made of frames: (batch, steps, ..) each."""

    frames: torch.Tensor
    """The int8 frames, held in float32 like all int8 values."""

    errors: torch.Tensor
    """Of the quantizer, after each frame."""

    states: list[torch.Tensor]
    """Of each recurrent layer, in Q15."""

    output: torch.Tensor
    """int8 values of the last layer."""

    scale: torch.Tensor
    """What 1 counts for in the output."""


class Int8Layers(nn.Module):
    """Dense and recurrent layers and a head that compute in int8 and can still be trained."""

    input_gain: torch.Tensor
    output_gains: torch.Tensor

    def __init__(
        self,
        model: FloatLayers,
        input_gain: float,
        output_gains: Sequence[float],
        factor_gains: Sequence[float] = (),
        grids: Grids = ALL_INT8,
        state_units: Sequence[float] = (),
    ):
        """`factor_gains` are those between the factors of recurrent matrices that have two, in their order.

        `state_units` are the largest states of the SRUs.
        """
        super().__init__()
        self.feature_size = model.feature_size
        self.register_buffer("input_gain", torch.tensor(input_gain, dtype=torch.float32))
        self.register_buffer("output_gains", torch.tensor(list(output_gains), dtype=torch.float32))
        mean, std = float(model.mean), float(model.std)
        first = Rows.folded(mean, std)
        self.hops = [dense.hop for dense in model.dense]
        rows: list[Rows] = []
        for dense in model.dense:
            grid = grids.most if rows else grids.ends
            rows.append(Rows(dense.affine.weight, dense.affine.bias, *first, grid=grid))
            first = (1.0, 0.0)
        self.dense = Each(rows)
        inputs: list[AnyRows] = []
        recurring: list[AnyRows | Peephole] = []
        gains, units = iter(factor_gains), iter(state_units)
        for layer in model.grus:
            grid = grids.most if rows or inputs else grids.ends
            of_input, own = int8_cell(layer, gains, units, *first, (grid, grids.most))
            inputs.append(of_input)
            recurring.append(own)
            first = (1.0, 0.0)
        self.gru_inputs, self.gru_states = Each(inputs), nn.ModuleList(recurring)
        self.head = Rows(model.head.weight, model.head.bias, grid=grids.ends)

    def run(self, frames: torch.Tensor) -> Activations:
        """(batch, steps, feature_size) through every layer but the head."""
        whole, errors = quantize_frames(frames, self.input_gain)
        states, q, scale = [], whole, 1 / self.input_gain
        for hop, rows, gain in zip(self.hops, self.dense, self.output_gains, strict=True):
            windows = q.unfold(-1, rows.columns, hop)
            v = torch.relu(rows(windows, scale)).flatten(-2)
            q = round_half_up(v * gain).clamp(max=INT8_MAX)
            scale = 1 / gain
        for inputs, own in self._recurrent():
            state, q, scale = passed(inputs, own, q, scale)
            states.append(state)
        return Activations(whole, errors, states, q, scale)

    def layers(self) -> tuple[list[arithmetic.Layer], torch.Tensor]:
        """The very numbers that `run` uses, for the bundle, and the scale of what leaves the last layer."""
        scale = 1 / self.input_gain
        layers: list[arithmetic.Layer] = []
        for hop, rows, gain in zip(self.hops, self.dense, self.output_gains, strict=True):
            layers.append(arithmetic.Dense(rows.affine(scale), hop, np.float32(gain)))
            scale = 1 / gain
        for inputs, own in self._recurrent():
            layers.append(deployed_cell(inputs, own, scale))
            scale = unit_of(own)
        return layers, scale

    def _recurrent(self) -> Iterator[tuple[AnyRows, AnyRows | Peephole]]:
        return zip(self.gru_inputs, cast(Iterable[AnyRows | Peephole], self.gru_states), strict=True)
