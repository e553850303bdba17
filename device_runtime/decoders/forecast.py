"""Forecasts: quantile scores become values in the sensors' own units, with intervals that learn how wide to be.

The intervals are conformal, and go on adapting: each end of each channel's interval at each step ahead is moved by an
offset that follows a quantile of what the model's own quantile got wrong. As readings arrive, an offset that was passed
grows by `rate * (1 - miss)` of the channel's usual error there, one that held shrinks by `rate * miss`; so in the long
run a share of `miss = (1 - coverage) / 2` of the readings lies beyond either end, whatever the series does (quantile
tracking: Angelopoulos, Candes, Tibshirani 2023, arXiv:2307.16895, after Gibbs, Candes 2021, arXiv:2106.00193).

What is told k samples ahead is judged k samples later, and neighbouring readings err together: an offset that follows
them at full rate chases the weather of a month ago. Beyond `near` samples ahead the rate falls with the square root of
the distance.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime import snapshots
from device_runtime.arithmetic import Float32
from device_runtime.decoders.drift import DriftWatch
from device_runtime.decoders.series import Float64, Sensors, SeriesStep
from device_runtime.errors import BundleError, InputError
from device_runtime.events import Event, Forecast
from device_runtime.snapshots import Snapshot, taken

SCALE_MEMORY = 64
"""Readings over which the usual error is averaged."""

SMALLEST_SCALE = 1e-4
"""Of the usual error, in deviations of the channel: a sensor that stands still may begin to move."""


class ForecastDecoder:
    """Every step gives a Forecast for each channel; what was read meanwhile adapts the intervals of the next.

    Scores are those of `segment` samples ahead by quantile, and so on to the horizon: (channels, positions * quantiles
    * segment). `labels` name the quantiles, p10 for the tenth percentile, the median in the middle. `below` and `above`
    are how far the interval first reaches beyond the outer quantiles, in deviations of the channel, from validation
    data: one number, one a position, or one a channel and position. Up to `near` samples ahead they follow at the full
    `rate`, without it all do. `drift` is the risk of a false Drift (ADWIN's delta); without it none is told.
    """

    def __init__(
        self,
        labels: Sequence[str],
        sensors: Sensors,
        positions: int,
        coverage: float = 0.8,
        below: Sequence[float] = (0.0,),
        above: Sequence[float] = (0.0,),
        rate: float = 0.02,
        near: int | None = None,
        drift: float | None = None,
    ):
        check_quantiles(labels)
        self.quantiles, self._sensors = len(labels), sensors
        self.horizon = positions * sensors.segment
        self._miss = (1 - coverage) / 2
        self._first = np.stack([self._offsets("below", below, positions), self._offsets("above", above, positions)])
        self._ahead = np.arange(self.horizon)
        self._rate = rate * np.sqrt(np.minimum(1.0, (near or self.horizon) / (self._ahead + 1)))
        self._alive = -(-self.horizon // sensors.every)
        """Forecasts whose last value has not been read yet."""

        self._drift = None if drift is None else DriftWatch(sensors, drift)
        self.reset()

    def reset(self) -> None:
        """Forget everything: intervals are again as wide as on validation data."""
        channels = len(self._sensors.names)
        self._offset: Float64 = self._first.copy()  # (2, channels, horizon): below, above
        self._scale: Float64 = np.zeros((channels, self.horizon))  # the usual error; 0 before any
        self._ends: Float32 = np.full((self._alive, 2, channels, self.horizon), np.nan, np.float32)
        """Outer quantiles of the forecasts still alive, one a step in turn."""

        self._nearest: Float32 = np.full((channels, min(self._sensors.every, self.horizon)), np.nan, np.float32)
        """The newest medians up to the next step."""

        self._steps = 0
        if self._drift is not None:
            self._drift.reset()

    def push(self, step: SeriesStep) -> list[Event]:
        """Take one step; return its forecasts, and a Drift where the errors have changed."""
        events: list[Event] = []
        if self._steps:
            read = (step.values - self._sensors.mean) / self._sensors.std  # (samples, channels)
            self._adapt(read)
            if self._drift is not None:
                events += self._drift.push(np.abs(read.T[:, : self._nearest.shape[1]] - self._nearest), step.time_s)
        quantiles = self._sorted(step)  # (quantiles, channels, horizon)
        self._remember(quantiles)
        return events + self._forecasts(quantiles, step)

    def _sorted(self, step: SeriesStep) -> Float64:
        """Quantiles that do not cross, in deviations of each channel; NaN where a channel was not measured."""
        channels, segment = len(self._sensors.names), self._sensors.segment
        scores = step.scores.reshape(channels, -1, self.quantiles, segment).astype(np.float64)
        by_quantile = scores.transpose(2, 0, 1, 3).reshape(self.quantiles, channels, -1)
        ordered: Float64 = np.sort(by_quantile, axis=0) + step.level[:, None].astype(np.float64)
        ordered[:, ~step.measured] = np.nan
        return ordered

    def _remember(self, quantiles: Float64) -> None:
        self._ends[self._steps % self._alive] = quantiles[[0, -1]]
        self._nearest = quantiles[self.quantiles // 2, :, : self._nearest.shape[1]].astype(np.float32)
        self._steps += 1
        fresh = (self._scale == 0) & np.isfinite(quantiles[0])
        wide = (quantiles[-1] - quantiles[0] + self._offset[0] + self._offset[1]) / 2
        self._scale[fresh] = np.maximum(wide[fresh], SMALLEST_SCALE)

    def _adapt(self, read: Float64) -> None:
        """Move each offset by what the readings since the last step say of the forecasts that covered them."""
        every = self._sensors.every
        made = (self._steps - 1 - self._ahead // every) % self._alive  # by which forecast each value ahead was told
        ends = self._ends[made, :, :, self._ahead].transpose(1, 2, 0).astype(np.float64)  # (2, channels, horizon)
        actual = read[self._ahead % every].T  # (channels, horizon)
        beyond = np.stack([ends[0] - actual, actual - ends[1]])
        known = np.isfinite(beyond[0])
        passed = beyond > self._offset
        moved = self._rate * self._scale * np.where(passed, 1 - self._miss, -self._miss)
        self._offset = np.where(known, self._offset + moved, self._offset)
        error = np.abs(actual - (ends[0] + ends[1]) / 2)
        scale = self._scale + (error - self._scale) / SCALE_MEMORY
        self._scale = np.where(known, np.maximum(scale, SMALLEST_SCALE), self._scale)

    def _forecasts(self, quantiles: Float64, step: SeriesStep) -> list[Event]:
        middle = quantiles[self.quantiles // 2]
        low = np.minimum(quantiles[0] - self._offset[0], middle)
        high = np.maximum(quantiles[-1] + self._offset[1], middle)
        mean, std = self._sensors.mean[:, None], self._sensors.std[:, None]
        told = [(row * std + mean).tolist() for row in (middle, low, high)]
        return [
            Forecast(name, step.time_s, self._sensors.interval_s, *(tuple(rows[channel]) for rows in told))
            for channel, name in enumerate(self._sensors.names)
            if step.measured[channel]
        ]

    def _offsets(self, name: str, numbers: Sequence[float], positions: int) -> Float64:
        channels = len(self._sensors.names)
        if len(numbers) not in (1, positions, channels * positions):
            raise BundleError(
                f"the decoder's {name} must have 1, {positions} or {channels * positions} numbers (one a position, or "
                f"one a channel and position), got {len(numbers)}. Get the bundle again"
            )
        rows = np.array(numbers, np.float64).reshape(-1, positions if len(numbers) > 1 else 1)
        wide = np.broadcast_to(rows, (channels, positions))
        return np.repeat(wide, self._sensors.segment, axis=1)

    def snapshot(self) -> Snapshot:
        """Offsets, usual errors, and the forecasts that are still alive."""
        kept: Snapshot = {
            "offset": self._offset.reshape(2, -1),
            "scale": self._scale,
            "ends": self._ends.reshape(self._alive, -1),
            "nearest": self._nearest,
            "steps": np.array([self._steps]),
        }
        drift = {} if self._drift is None else self._drift.snapshot()
        return kept | snapshots.under("drift", drift)

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        offset = taken(arrays, "offset", np.float64, (2, self._first[0].size)).reshape(self._first.shape)
        scale = taken(arrays, "scale", np.float64, self._scale.shape)
        ends = taken(arrays, "ends", np.float32, (self._alive, self._ends[0].size)).reshape(self._ends.shape)
        nearest = taken(arrays, "nearest", np.float32, self._nearest.shape)
        steps = int(taken(arrays, "steps", np.int64, (1,))[0])
        if not np.isfinite(offset).all() or not (np.isfinite(scale) & (scale >= 0)).all() or steps < 0:
            raise InputError("what the saved state knows of the intervals is damaged. Start without the state")
        if self._drift is not None:
            self._drift.restore(snapshots.below("drift", arrays))
        self._offset, self._scale, self._ends, self._nearest, self._steps = offset, scale, ends, nearest, steps


def check_quantiles(labels: Sequence[str]) -> None:
    """Raise BundleError unless the labels are rising quantiles, as many below the median as above."""
    levels = [int(found[1]) if (found := re.fullmatch(r"p([0-9]{1,2})", label)) else -1 for label in labels]
    rising = all(low < high for low, high in itertools.pairwise(levels))
    if not rising or len(levels) % 2 == 0 or levels[len(levels) // 2] != 50:
        raise BundleError(
            "the labels of a forecaster must be rising quantiles with the median in the middle, such as p10, p50, p90; "
            f"got {', '.join(labels)}. Get the bundle again"
        )
