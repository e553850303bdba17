"""The forecaster: segments of one channel through a small GRU, the whole horizon decoded at once, quantiles out.

After SegRNN (Lin et al. 2023, arXiv:2308.11200): a window is cut into segments and each is one step of a GRU; from the
last state every segment ahead is decoded on its own by one more step of the same GRU, whose input is a constant that
says only which segment it is. Beside the GRU runs a linear map across periods (SparseTSF, Lin et al. 2024,
arXiv:2405.00946): a handful of weights that carry most of a daily rhythm, so that the GRU learns what remains.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from device_runtime.errors import InputError
from train.student import SlidingDense


@dataclass(frozen=True)
class ForecasterConfig:
    """The forecaster's shape. Sizes are chosen so that the int8 weights meet the scenario's byte budget."""

    segment: int = 24
    """Samples in one step of the GRU."""

    segments: int = 30
    """Segments in the window that is looked back on."""

    horizon: int = 96
    """Samples ahead; a multiple of `segment`."""

    hidden: int = 64
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    codes: int = 0
    """Inputs behind the samples that say, one-hot, which channel this is; 0 leaves them out."""

    projection: int = 0
    """Outputs of a dense layer before the GRU; 0 leaves it out."""

    linear: bool = True
    """Whether the linear map across segments runs beside the GRU."""

    dropout: float = 0.1
    """Share of the decoded states that training hides from the head."""

    def __post_init__(self) -> None:
        if self.horizon < self.segment or self.horizon % self.segment:
            raise InputError(
                f"horizon {self.horizon} is no multiple of segment {self.segment}. Choose a segment that divides it."
            )
        if 0.5 not in self.quantiles or list(self.quantiles) != sorted(set(self.quantiles)):
            raise InputError(
                f"quantiles {self.quantiles} must rise and hold 0.5, whose line is the point forecast. "
                "Take for example (0.1, 0.5, 0.9)."
            )

    @property
    def positions(self) -> int:
        """Segments ahead."""
        return self.horizon // self.segment

    @property
    def feature_size(self) -> int:
        """Inputs of one step."""
        return self.segment + self.codes

    @property
    def look_back(self) -> int:
        """Samples in the window."""
        return self.segment * self.segments

    @property
    def median(self) -> int:
        """Which of the quantiles is the point forecast."""
        return self.quantiles.index(0.5)


class Forecaster(nn.Module):
    """Segments in, the quantiles of everything ahead out.

    >>> Forecaster(ForecasterConfig(segment=24, segments=30, horizon=96))(torch.zeros(2, 30, 24)).shape
    torch.Size([2, 288])
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, config: ForecasterConfig):
        super().__init__()
        self.config = config
        self.feature_size = size = config.feature_size
        self.width = config.segment
        self.register_buffer("mean", torch.tensor(0.0))  # windows come normalised by their channel and their level
        self.register_buffer("std", torch.tensor(1.0))
        dense: list[SlidingDense] = []
        if config.projection:
            dense.append(SlidingDense(size, config.projection, size))
            size = config.projection
        self.dense = nn.ModuleList(dense)
        self.grus = nn.ModuleList([nn.GRU(size, config.hidden, batch_first=True)])
        self.positions = nn.Parameter(0.5 * torch.randn(config.positions, 3 * config.hidden))
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, len(config.quantiles) * config.segment)
        self.linear = nn.Linear(config.segments, config.positions) if config.linear else None
        if self.linear is not None:
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(batch, segments, feature_size) -> scores after the last segment (batch, positions * quantiles * segment).

        Position-major, then quantile by quantile, as in `device_runtime.arithmetic`.
        """
        x = (frames - self.mean) / self.std
        for dense in self.dense:
            x = dense(x)
        for gru in self.grus:
            x, _ = gru(x)
        scores = self.head(self.dropout(self.decode(x[:, -1])))  # (batch, positions, quantiles * segment)
        if self.linear is not None:
            rhythm = self.linear(frames[:, :, : self.width].transpose(1, 2))  # (batch, segment, positions)
            scores = scores.unflatten(2, (-1, self.width)) + rhythm.transpose(1, 2)[:, :, None]
        return scores.flatten(1)

    def decode(self, h: torch.Tensor) -> torch.Tensor:
        """One step of the last GRU for each position, all from one state: (batch, hidden) to (.., positions, ..)."""
        _, weight, _, bias = cast(nn.GRU, self.grus[-1]).all_weights[0]
        gh = (h @ weight.T + bias)[:, None]  # (batch, 1, 3 hidden)
        ghr, ghz, ghn = gh.chunk(3, dim=2)
        gxr, gxz, gxn = self.positions.chunk(3, dim=1)
        r, z = torch.sigmoid(gxr + ghr), torch.sigmoid(gxz + ghz)
        n = torch.tanh(gxn + r * ghn)
        decoded: torch.Tensor = n + z * (h[:, None] - n)
        return decoded


def by_quantile(scores: torch.Tensor, config: ForecasterConfig) -> torch.Tensor:
    """Scores as one line for each quantile: (batch, positions * quantiles * segment) -> (batch, quantiles, horizon)."""
    lines = scores.unflatten(1, (config.positions, len(config.quantiles), config.segment))
    return lines.transpose(1, 2).flatten(2)
