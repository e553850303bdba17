"""Windows of a series as a forecaster sees them: segments of one channel, with nothing of the future in them.

A window and the one a sample later share all but one sample, so no window is ever stored: a batch is gathered from the
one array that holds the series.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional

from train.data.series import Series
from train.forecast_augment import AS_MEASURED, Swing
from train.forecaster import ForecasterConfig
from train.loop import Batch, Epochs


@dataclass(frozen=True)
class ForecastWindows:
    """Every window of one split of a series, of each of its channels: number `channel * each + n` of them."""

    values: torch.Tensor  # (channels, samples): the split with the look-back before it, gaps held
    config: ForecasterConfig
    missing: torch.Tensor | None = None  # (channels, samples) which of them were never measured; None where all were
    taught: torch.Tensor | None = None  # (windows, quantiles, horizon) what a teacher says of each

    @property
    def each(self) -> int:
        """Windows of one channel."""
        return self.values.shape[1] - self.config.look_back - self.config.horizon + 1

    def __len__(self) -> int:
        return len(self.values) * self.each

    def __getitem__(self, numbers: torch.Tensor) -> Batch:
        """Frames (batch, segments, feature_size), targets (batch, horizon), what the teacher says, if anything.

        Both are measured from the window's last value: a forecast is a change from now, and the level of the training
        months is not carried into others. (Measured from the window's mean, the error rose by 2 to 7 %.)
        """
        config, look_back = self.config, self.config.look_back
        channel, at = numbers // self.each, numbers % self.each
        whole = self.values.unfold(1, look_back + config.horizon, 1)[channel, at]  # (batch, look_back + horizon)
        whole = whole - whole[:, look_back - 1 : look_back]
        frames, targets = whole[:, :look_back].unflatten(1, (config.segments, config.segment)), whole[:, look_back:]
        if self.missing is not None:
            gone = self.missing.unfold(1, look_back + config.horizon, 1)[channel, at, look_back:]
            targets = targets.masked_fill(gone, torch.nan)
        if config.codes:
            code = functional.one_hot(channel, config.codes).to(frames.dtype)
            frames = torch.cat([frames, code[:, None].expand(-1, config.segments, -1)], dim=2)
        return (frames, targets) if self.taught is None else (frames, targets, self.taught[numbers].float())

    def in_turn(self, size: int = 1024) -> Iterator[Batch]:
        """All of them in order, a batch at a time."""
        for at in range(0, len(self), size):
            yield self[torch.arange(at, min(at + size, len(self)))]

    def with_answers(self, taught: torch.Tensor) -> ForecastWindows:
        """The same windows with a teacher's answers (windows, quantiles, horizon)."""
        return replace(self, taught=taught)


def forecast_windows(series: Series, split: str, config: ForecasterConfig) -> ForecastWindows:
    """All windows of a split of a series that `Series.standardised` has scaled.

    A gap in what is looked back on holds the last reading; targets that were never measured are NaN.
    """
    origins = series.windows(split, config.look_back, config.horizon).origins
    values = np.ascontiguousarray(series.values[origins[0] - config.look_back : origins[-1] + config.horizon].T)
    missing = np.isnan(values)
    if not missing.any():
        return ForecastWindows(torch.from_numpy(values), config)
    last = np.maximum.accumulate(np.where(missing, 0, np.arange(values.shape[1])), axis=1)
    held = np.nan_to_num(np.take_along_axis(values, last, axis=1))  # before the first reading: the channel's mean
    return ForecastWindows(torch.from_numpy(held), config, torch.from_numpy(missing))


def epochs(windows: ForecastWindows, batch_size: int = 256, share: float = 1.0, swing: Swing = AS_MEASURED) -> Epochs:
    """Each epoch draws that share of all windows, in random order.

    Neighbours are nearly the same window: where samples are a quarter of an hour apart, a third of a pass is plenty
    between two validations.
    """
    batch_size = min(batch_size, len(windows))
    steps = max(1, int(share * len(windows)) // batch_size)

    def draw(generator: torch.Generator) -> Iterator[Batch]:
        order = torch.randperm(len(windows), generator=generator)[: steps * batch_size]
        for numbers in order.split(batch_size):
            yield swing(windows[numbers], windows.config.segment, generator)

    return Epochs(draw, steps)
