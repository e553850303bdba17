"""The teacher: as good as we can make it. It hears the whole clip, both ways, and never leaves the workstation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from train.cells import Bidirectional
from train.precision import mixed


@dataclass(frozen=True)
class TeacherConfig:
    """Sizes of the teacher."""

    channels: int = 32
    projection: int = 160
    hidden: int = 128
    gru_layers: int = 2
    dropout: float = 0.3
    cell: Bidirectional = field(default_factory=Bidirectional)
    """What recurs: GRUs, or (say) `Bidirectional(Lstm())`. A teacher that differs errs in different ways."""


class Teacher(nn.Module):
    """Two convolutions over time and frequency, a bidirectional cell, attention over time: vectors in, logits out.

    >>> Teacher(TeacherConfig(), labels=4).eval()(torch.zeros(2, 98, 40)).shape
    torch.Size([2, 4])
    """

    def __init__(self, config: TeacherConfig, labels: int, bands: int = 40, mean: float = 10.0, std: float = 6.0):
        super().__init__()
        self.mean, self.std = mean, std
        width = config.channels
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, width, (5, 8), stride=(2, 2), padding=(2, 0)),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, (5, 5), stride=(2, 2), padding=(2, 0)),
            # One step of the GRU per 40 ms from here: it is where the time goes.
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )
        bands_left = ((bands - 8) // 2 + 1 - 5) // 2 + 1
        self.project = nn.Linear(2 * width * bands_left, config.projection)
        self.normalize = nn.BatchNorm1d(config.projection)
        self.drop = nn.Dropout(config.dropout)
        between = config.dropout * (config.gru_layers > 1)
        self.gru = config.cell.layers(config.projection, config.hidden, config.gru_layers, between)
        self.attention = nn.Linear(2 * config.hidden, 1)
        self.head = nn.Linear(2 * config.hidden, labels)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """(batch, vectors, bands) -> logits (batch, labels)."""
        return self.head(self.drop(self.embedding(vectors)))

    def embedding(self, vectors: torch.Tensor) -> torch.Tensor:
        """(batch, vectors, bands) -> what it makes of the clip, before any label: (batch, 2 * hidden)."""
        x = self.convolutions(
            ((vectors - self.mean) / self.std).unsqueeze(1)
        )  # (batch, channels, vectors / 4, bands_left)
        x = self.project(x.transpose(1, 2).flatten(2))
        x = torch.relu(self.normalize(x.transpose(1, 2))).transpose(1, 2)
        x, _ = self.gru(self.drop(x))
        weights = self.attention(x).softmax(dim=1)
        return (x * weights).sum(dim=1)


def ensemble(teachers: Sequence[Teacher], vectors: torch.Tensor) -> torch.Tensor:
    """Mean log-probabilities of several teachers, (batch, labels); in bfloat16 where that is faster."""
    with torch.no_grad(), mixed(True):
        return torch.stack([teacher(vectors).float().log_softmax(dim=1) for teacher in teachers]).mean(dim=0)


def embeddings(teachers: Sequence[Teacher], vectors: torch.Tensor) -> torch.Tensor:
    """Those of several teachers, side by side: (batch, teachers * 2 * hidden)."""
    with torch.no_grad(), mixed(True):
        return torch.cat([teacher.embedding(vectors).float() for teacher in teachers], dim=1)
