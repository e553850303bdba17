"""The layers that every int8 model in training shares: frames through dense layers and GRUs, in the device's bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn

from compress.deployed import refuse_other_cells
from compress.factored_gru import FactoredGru, matrices
from compress.factored_rows import AnyRows, Each, rows_of
from compress.recurrence import quantize_frames, quantize_state, recur
from compress.rows import Rows, round_half_up
from compress.weight_grids import ALL_INT8, Grids
from device_runtime import arithmetic
from device_runtime.fixed_point import INT8_MAX, STATE_COPY_SCALE

STATE_COPY_UNIT = 1 / STATE_COPY_SCALE
"""What 1 counts for in the int8 copy of a state: the scale of the inputs that it is."""


class Dense(Protocol):
    """A linear map with ReLU that slides along its input."""

    hop: int
    affine: nn.Linear


class FloatLayers(Protocol):
    """What can be quantized: dense layers, then GRUs, then a linear head, on frames normalised by mean and std."""

    feature_size: int
    mean: torch.Tensor
    std: torch.Tensor
    dense: Sequence[Dense]
    grus: Sequence[nn.GRU | FactoredGru]
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
    """Of each GRU, in Q15."""

    output: torch.Tensor
    """int8 values of the last layer."""

    scale: torch.Tensor
    """What 1 counts for in the output."""


class Int8Layers(nn.Module):
    """Dense layers, GRUs and a head that compute in int8 and can still be trained."""

    input_gain: torch.Tensor
    output_gains: torch.Tensor

    def __init__(
        self,
        model: FloatLayers,
        input_gain: float,
        output_gains: Sequence[float],
        factor_gains: Sequence[float] = (),
        grids: Grids = ALL_INT8,
    ):
        """`factor_gains` are those between the factors of GRU matrices that have two, in their order."""
        super().__init__()
        self.feature_size = model.feature_size
        refuse_other_cells(model)
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
        states: list[AnyRows] = []
        gains = iter(factor_gains)
        for gru in model.grus:
            of_input, of_state = matrices(gru)
            inputs.append(rows_of(of_input, gains, *first, grid=grids.most if rows or inputs else grids.ends))
            states.append(rows_of(of_state, gains, grid=grids.most))
            first = (1.0, 0.0)
        self.gru_inputs, self.gru_states = Each(inputs), Each(states)
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
        state_scale = torch.tensor(STATE_COPY_UNIT)
        for inputs, state in zip(self.gru_inputs, self.gru_states, strict=True):
            gx = inputs(q, scale)  # (batch, steps, 3 hidden)
            states.append(recur(gx, *state.parts(state_scale)))
            q, scale = quantize_state(states[-1]), state_scale
        return Activations(whole, errors, states, q, scale)

    def layers(self) -> tuple[list[arithmetic.Layer], torch.Tensor]:
        """The very numbers that `run` uses, for the bundle, and the scale of what leaves the last layer."""
        scale = 1 / self.input_gain
        layers: list[arithmetic.Layer] = []
        for hop, rows, gain in zip(self.hops, self.dense, self.output_gains, strict=True):
            layers.append(arithmetic.Dense(rows.affine(scale), hop, np.float32(gain)))
            scale = 1 / gain
        state_scale = torch.tensor(STATE_COPY_UNIT)
        for inputs, state in zip(self.gru_inputs, self.gru_states, strict=True):
            layers.append(arithmetic.Gru(inputs.affine(scale), state.affine(state_scale)))
            scale = state_scale
        return layers, scale
