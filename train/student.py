"""The streaming student: a convolution along frequency, a small GRU, a linear head. All that ships is made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from train.cells import Cell, Gru

States = tuple[torch.Tensor, ...]
"""Of each recurrent layer: (1, batch, hidden), of an LSTM (2, batch, hidden)."""


@dataclass(frozen=True)
class StudentConfig:
    """The student's shape. Sizes are chosen so that the int8 weights meet the scenario's byte budget.

    A convolution along frequency shares its weights between high and low voices, which is worth most where speakers
    are few: +1.5 points over a plain GRU of the same size on 18 training speakers (scenarios/RESULTS.md).
    """

    stack: int = 5
    """Feature vectors in one frame; with `stride` the kernel and the step of the convolution in time."""

    stride: int = 3
    bands: int = 40
    window_bands: int = 8
    """Bands under the frequency kernel."""

    hop_bands: int = 4
    channels: int = 16
    """Outputs of each window; 0 leaves the convolution out."""

    projection: int = 48
    """Outputs of the dense layer between convolution and GRU; 0 leaves it out."""

    hidden: int = 96
    gru_layers: int = 1
    cell: Cell = field(default_factory=Gru)
    """What recurs, in `gru_layers` layers of `hidden` units. A bundle holds those that are `deployed`."""


class SlidingDense(nn.Module):
    """ReLU of a linear map applied to windows of the frame, `hop` apart: (..., inputs) -> (..., windows * rows)."""

    def __init__(self, columns: int, rows: int, hop: int):
        super().__init__()
        self.hop = hop
        self.affine = nn.Linear(columns, rows)

    def outputs(self, inputs: int) -> int:
        """The size of the output for so many inputs."""
        return (1 + (inputs - self.affine.in_features) // self.hop) * self.affine.out_features

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Window-major outputs, as in `device_runtime.arithmetic.Dense`."""
        windows = x.unfold(-1, self.affine.in_features, self.hop)  # (..., windows, columns)
        return torch.relu(self.affine(windows)).flatten(-2)


class Student(nn.Module):
    """Frames in, one row of logits a step out; nothing of the future is used.

    >>> Student(StudentConfig(), labels=4)(torch.zeros(2, 7, 200)).shape
    torch.Size([2, 7, 4])
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, config: StudentConfig, labels: int, mean: float = 10.0, std: float = 6.0):
        super().__init__()
        self.config, self.cell = config, config.cell
        self.feature_size = size = config.bands * config.stack
        # One mean and deviation for all features, folded into the first layer when the student is quantized.
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("std", torch.tensor(std))
        dense: list[SlidingDense] = []
        if config.channels:
            dense.append(
                SlidingDense(config.window_bands * config.stack, config.channels, config.hop_bands * config.stack)
            )
            size = dense[-1].outputs(size)
        if config.projection:
            dense.append(SlidingDense(size, config.projection, size))
            size = config.projection
        self.dense = nn.ModuleList(dense)
        grus = [config.cell.layer(size if i == 0 else config.hidden, config.hidden) for i in range(config.gru_layers)]
        self.grus = nn.ModuleList(grus)
        self.head = nn.Linear(config.hidden, labels)

    def forward(self, frames: torch.Tensor, with_states: bool = False) -> Any:
        """(batch, steps, feature_size) -> logits (batch, steps, labels) [, outputs of the last GRU (.., hidden)]."""
        x = self._before_grus(frames)
        for gru in self.grus:
            x, _ = gru(x)
        return (self.head(x), x) if with_states else self.head(x)

    def continued(self, frames: torch.Tensor, states: Sequence[torch.Tensor]) -> tuple[torch.Tensor, States]:
        """The same from where `states` are (one of each GRU; none at the start): logits, and the states behind them."""
        x, behind = self._before_grus(frames), []
        for i, gru in enumerate(self.grus):
            x, state = gru(x, states[i] if states else None)
            behind.append(state)
        return self.head(x), tuple(behind)

    def _before_grus(self, frames: torch.Tensor) -> torch.Tensor:
        x = (frames - self.mean) / self.std
        for dense in self.dense:
            x = dense(x)
        return x


def stack_frames(features: torch.Tensor, stack: int, stride: int) -> torch.Tensor:
    """What `SpeechFrontend(stack=..., stride=...)` makes of feature vectors: band by band, oldest first.

    (batch, vectors, bands) -> (batch, steps, bands * stack)
    """
    return features.unfold(1, stack, stride).flatten(2)  # unfold gives (batch, steps, bands, stack)
