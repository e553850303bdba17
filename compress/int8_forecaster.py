"""Quantization-aware training of forecasters: the decoding steps and the linear map in the int8 arithmetic, too.

`Int8Forecaster(forecaster)` computes, for whole batches of windows and with gradients, bit for bit what
`device_runtime.arithmetic.step` computes one frame at a time; a test holds the one to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeGuard

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from compress.int8_cells import STATE_COPY_UNIT
from compress.int8_layers import FloatLayers, Int8Layers
from compress.recurrence import decode, quantize_state
from compress.rows import Rows, on_bias_grid
from compress.weight_grids import ALL_INT8, Grids
from device_runtime import arithmetic


class FloatForecaster(FloatLayers, Protocol):
    """What a forecaster has besides layers: decoding steps of its last GRU, and perhaps a linear map across frames."""

    positions: nn.Parameter
    """(positions, 3 hidden)"""

    linear: nn.Linear | None
    """From the latest frames to the positions, for each of the first `width` features."""

    width: int


def is_forecaster(model: FloatLayers) -> TypeGuard[FloatForecaster]:
    """Whether a model decodes positions."""
    return hasattr(model, "positions")


class Int8Forecaster(Int8Layers):
    """A forecaster that computes in int8 and can still be trained."""

    def __init__(
        self,
        forecaster: FloatForecaster,
        input_gain: float,
        output_gains: Sequence[float],
        factor_gains: Sequence[float] = (),
        grids: Grids = ALL_INT8,
    ):
        super().__init__(forecaster, input_gain, output_gains, factor_gains, grids)
        self.width = forecaster.width
        self.positions = nn.Parameter(forecaster.positions.detach().clone())
        linear = forecaster.linear
        self.linear = None if linear is None else Rows(linear.weight, linear.bias, grid=grids.ends)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(batch, frames, feature_size) -> scores after the last one (batch, positions * rows)."""
        made = self.run(frames)
        scores = self._decode(made.states[-1][:, -1], made.output[:, -1])
        if self.linear is None:
            return scores.flatten(1)
        first = max(0, frames.shape[1] - self.linear.columns)
        return self._add_linear(scores, self._histories(made.frames[:, first:])[:, -1])

    def trace(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores and the state vector after each step: (batch, steps, positions * rows), (batch, steps, state_size)."""
        made = self.run(frames)
        states = [made.errors, *made.states]
        scores = self._decode(made.states[-1].flatten(0, 1), made.output.flatten(0, 1)).flatten(1)
        if self.linear is not None:
            histories = self._histories(made.frames)
            states.append(histories.flatten(2))
            scores = self._add_linear(scores.unflatten(1, self._shape), histories.flatten(0, 1))
        return scores.unflatten(0, frames.shape[:2]), torch.cat(states, dim=-1)

    def model(self) -> arithmetic.Model:
        """The very numbers that `forward` uses, for the bundle."""
        with torch.no_grad():
            layers, scale = self.layers()
            layers.append(arithmetic.Decode(on_bias_grid(self.positions).numpy().copy()))
            linear = None
            if self.linear is not None:
                linear = arithmetic.Linear(self.linear.affine(1 / self.input_gain), self.width)
            gain, head = np.float32(self.input_gain), self.head.affine(scale)
            return arithmetic.Model(self.feature_size, gain, tuple(layers), head, linear)

    @property
    def _shape(self) -> tuple[int, int]:
        """Of the scores: positions, and the rows of the head."""
        return len(self.positions), len(self.head.bias)

    def _decode(self, h: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        """The last GRU's states (n, hidden) and their int8 copies -> scores (n, positions, rows)."""
        scale = torch.tensor(STATE_COPY_UNIT)
        recurrent = list(self.gru_states)[-1]
        decoded = decode(on_bias_grid(self.positions), recurrent(q, scale), h)
        return self.head(quantize_state(decoded), scale)

    def _histories(self, whole: torch.Tensor) -> torch.Tensor:
        """What the linear map sees after each step: (batch, steps, features) -> (batch, steps, frames, width)."""
        assert self.linear is not None
        padded = functional.pad(whole[..., : self.width], (0, 0, self.linear.columns - 1, 0))  # zeros before the first
        return padded.unfold(1, self.linear.columns, 1).transpose(2, 3)

    def _add_linear(self, scores: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        """(n, positions, rows) and (n, frames, width) -> (n, positions * rows)."""
        assert self.linear is not None
        weight, scale, bias = self.linear.parts(1 / self.input_gain)
        ahead = (weight @ history) * scale[:, None] + bias[:, None]  # (n, positions, width)
        levels = scores.unflatten(2, (-1, self.width)) + ahead[:, :, None]
        return levels.flatten(1)
