"""The next-step predictor behind anomaly scores: a small GRU that tells where the next reading of any series will lie.

It sees each reading as the adaptive front end does, beside what the series usually does, and answers in that front
end's terms: how far the next reading will have moved, in usual changes, squashed. So one set of weights serves sensors
of any unit; what is particular to a sensor is learned on the stream, by the front end and the decoder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from device_runtime.frontends import AdaptiveFrontend
from train.data.made_series import MadeSeries, made_series
from train.loop import Batch, Epochs, History, Schedule, fit
from train.measure import ERROR

QUANTILES = (0.1, 0.5, 0.9)
LABELS = ("p10", "p50", "p90")
MOVED = 1
"""The feature that is predicted: how far a reading moved from the one before."""

WARM_UP = 32
"""Steps of each stretch that the loss leaves out: the state starts from zeros."""


@dataclass(frozen=True)
class PredictorConfig:
    """Size, and what is drawn to learn from."""

    hidden: int = 24
    series: int = 800
    """Made by rules, beside the real ones."""

    samples: int = 2_048
    """Of each series."""

    stretch: int = 224
    """Steps that a gradient sees."""

    batch: int = 64
    steps_an_epoch: int = 60
    real_share: float = 0.25
    """Of the stretches of a batch, where there are real series."""


class Predictor(nn.Module):
    """Frames (batch, steps, 3) to quantiles of the next reading's move, squashed: (batch, steps, 3).

    >>> Predictor(hidden=8)(torch.zeros(2, 5, 3)).shape
    torch.Size([2, 5, 3])
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, hidden: int):
        super().__init__()
        self.feature_size = 3
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))
        self.dense = nn.ModuleList()
        self.grus = nn.ModuleList([nn.GRU(self.feature_size, hidden, batch_first=True)])
        self.head = nn.Linear(hidden, len(QUANTILES))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """From the initial state."""
        states, _ = self.grus[0](frames)
        scores: torch.Tensor = self.head(states)
        return scores


def frames_of(values: np.ndarray, interval_s: float) -> np.ndarray:
    """What the device's front end makes of a series, (samples, 3) float32."""
    return np.stack([frame.values for frame in AdaptiveFrontend(interval_s).push(values.astype(np.float32))])


def quantile_loss(predicted: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    """Pinball loss of (..., quantiles) against (...), added over the quantiles, as a mean."""
    error = moved[..., None] - predicted
    levels = torch.tensor(QUANTILES)
    return torch.maximum(levels * error, (levels - 1) * error).sum(-1).mean()


def fit_predictor(
    config: PredictorConfig,
    real: Iterable[MadeSeries],
    schedule: Schedule,
    checkpoint: Path | None = None,
    seed: int = 0,
) -> tuple[Predictor, torch.Tensor, History]:
    """Train on made series and real ones; the predictor, frames to calibrate it on (series, steps, 3), its history.

    A tenth of all series is held out to choose the epoch by.
    """
    random = np.random.default_rng([seed, 1])
    made = [made_series(random, config.samples) for _ in range(config.series)]
    frames = torch.from_numpy(np.stack([frames_of(one.values, one.interval_s) for one in made]))
    pieces = [torch.from_numpy(frames_of(one.values, one.interval_s)) for one in real]
    real_frames = [piece for piece in pieces if len(piece) > config.stretch]
    held, held_real = frames[::10], real_frames[::10]
    torch.manual_seed(seed)
    predictor = Predictor(config.hidden)

    def draw(generator: torch.Generator) -> Iterator[Batch]:
        learned, learned_real = _others(list(frames)), _others(real_frames)
        for _ in range(config.steps_an_epoch):
            stretches = []
            for _ in range(config.batch):
                from_real = bool(learned_real) and float(torch.rand((), generator=generator)) < config.real_share
                series = learned_real if from_real else learned
                one = series[int(torch.randint(len(series), (), generator=generator))]
                at = int(torch.randint(len(one) - config.stretch + 1, (), generator=generator))
                stretches.append(one[at : at + config.stretch])
            yield (torch.stack(stretches),)

    def validate(model: nn.Module) -> float:
        """The loss on what was held out; real series count like made ones."""
        losses = [_loss(model, held)] + [_loss(model, piece[None]) for piece in held_real]
        return float(losses[0] + torch.stack(losses[1:]).mean()) / 2 if held_real else float(losses[0])

    history = fit(
        predictor,
        Epochs(draw, config.steps_an_epoch),
        lambda model, batch: _loss(model, batch[0]),
        validate,
        schedule,
        checkpoint,
        seed,
        title="predictor",
        identity=repr(config),
        measure=ERROR,
    )
    return predictor, frames[1::10], history


def _others(series: list[torch.Tensor]) -> list[torch.Tensor]:
    """Those that are not held out."""
    return [one for at, one in enumerate(series) if at % 10]


def _loss(model: nn.Module, frames: torch.Tensor) -> torch.Tensor:
    return quantile_loss(model(frames)[:, WARM_UP:-1], frames[:, WARM_UP + 1 :, MOVED])
