"""Remaining life: a small GRU that reads an engine cycle by cycle and says at each how many cycles it has left.

Its three scores are the lower end of an interval of 80 %, the expected value, and the upper end, in shares of the cap:
an engine that is new says nothing of its end, so that more cycles than the cap count as the cap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from device_runtime.arithmetic import Float32
from train.lives import Lives
from train.loop import Batch, Epochs

LABELS = ("p10", "mean", "p90")
LOW, HIGH = 0.1, 0.9
"""The quantiles beside the mean."""

MEMORY = 150.0
"""Cycles: units start with memories up to this long (chrono initialisation: Tallec & Ollivier, arXiv:1804.11188)."""


@dataclass(frozen=True)
class LifeConfig:
    """The model's shape."""

    channels: int = 14
    hidden: int = 32


class LifeModel(nn.Module):
    """Normalised readings in, three scores a cycle out; nothing of the future is used.

    >>> LifeModel(LifeConfig())(torch.zeros(2, 7, 14)).shape
    torch.Size([2, 7, 3])
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, config: LifeConfig):
        super().__init__()
        self.config = config
        self.feature_size = config.channels
        self.register_buffer("mean", torch.tensor(0.0))  # the front end normalises each channel by itself
        self.register_buffer("std", torch.tensor(1.0))
        self.dense = nn.ModuleList()
        gru = nn.GRU(config.channels, config.hidden, batch_first=True)
        self.grus = nn.ModuleList([gru])
        self.head = nn.Linear(config.hidden, len(LABELS))
        with torch.no_grad():
            memory = torch.exp(torch.rand(config.hidden) * math.log(MEMORY))
            _, _, bias, state_bias = gru.all_weights[0]
            bias.zero_()
            state_bias.zero_()
            bias[config.hidden : 2 * config.hidden] = torch.log(memory + 0.5)  # of z, which keeps the state
            self.head.bias.copy_(torch.tensor([0.5, 0.7, 0.9]))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(batch, cycles, channels) -> scores (batch, cycles, 3), in shares of the cap."""
        x = frames
        for gru in self.grus:
            x, _ = gru(x)
        scores: torch.Tensor = self.head(x)
        return scores


@dataclass(frozen=True)
class LifeLoss:
    """The loss of one batch of (frames, cycles left, known[, the teachers' scores])."""

    cap: float = 125.0
    early: float = 0.3
    """Weight of cycles with more than `far` left, where the answer is the cap."""

    far: float = 150.0
    ends: float = 0.2
    """Weight of the interval's ends beside the mean's squared error."""

    def __call__(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Squared error of the mean and pinball loss of the ends; or squared distance to what the teachers say."""
        frames, left, known = batch[:3]
        weight = known * torch.where(left > self.far, self.early, 1.0)
        scores = model(frames)
        if len(batch) > 3:
            missed = (scores - batch[3]).square().mean(dim=2)
        else:
            low, middle, high = ((left.clamp(max=self.cap) / self.cap)[:, :, None] - scores).unbind(dim=2)
            missed = middle.square() + self.ends * (_pinball(low, LOW) + _pinball(high, HIGH))
        return (missed * weight).sum() / weight.sum()


def _pinball(missed: torch.Tensor, quantile: float) -> torch.Tensor:
    return torch.maximum(quantile * missed, (quantile - 1) * missed)


def made_epochs(lives: Lives, steps: int, batch_size: int = 64, teachers: Sequence[nn.Module] = ()) -> Epochs:
    """Epochs of so many batches of made lives, none seen twice; with teachers, what they say of them on average."""

    def draw(generator: torch.Generator) -> Iterator[Batch]:
        for _ in range(steps):
            batch = lives.draw(batch_size, generator)
            if teachers:
                with torch.no_grad():
                    batch = *batch, torch.stack([teacher(batch[0]) for teacher in teachers]).mean(dim=0)
            yield batch

    return Epochs(draw, steps)


@dataclass(frozen=True)
class LifeErrors:
    """How far the estimates of some engines were off, in cycles."""

    rmse: float
    """Root of the mean over engines of the mean square over their cycles."""

    coverage: float
    """Share of cycles whose truth lay in the interval."""


def life_errors(
    model: nn.Module, engines: Sequence[Float32], cap: float = 125.0, first: int = 30, most: int = 150
) -> LifeErrors:
    """Of engines that ran until they failed, as if each had been stopped at any cycle from `first` on.

    A cycle counts when at most `most` were left: an engine is asked how long it lasts when that is in doubt.
    """
    squares, inside = [], []
    model.eval()
    with torch.no_grad():
        for values in engines:
            scores = model(torch.from_numpy(values)[None])[0].double().numpy() * cap  # (cycles, 3)
            low, middle, high = np.sort(scores.clip(0, cap), axis=1).T
            left = np.arange(len(values) - 1, -1, -1)
            counts = (left <= most) & (np.arange(len(values)) >= first - 1)
            truth = left.clip(max=cap)
            squares.append(np.square(middle - truth)[counts].mean())
            inside.append(((low <= truth) & (truth <= np.where(high < cap, high, np.inf)))[counts].mean())
    return LifeErrors(float(np.sqrt(np.mean(squares))), float(np.mean(inside)))
