"""Look-back: the last `segments * segment` samples of each sensor, anew whenever a forecast is due.

A recurrent forecaster that takes the newest value from its window as a level cannot carry its state from window to
window; so the whole window is made again, `every` samples. Only the past is used, for levels and for gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.frontends.window import LARGEST, TINY, check_readings, check_settings
from device_runtime.snapshots import Snapshot, taken

LEVELS = ("last", "mean", "none")


@dataclass(frozen=True)
class Window:
    """One look-back, ready for the model."""

    frames: Float32
    """(channels, segments, feature_size): the samples of a segment, then whether each was measured where gaps are
    masked, then the channel's code."""

    level: Float32
    """What was taken from each scaled channel, (channels,)."""

    time_s: float
    """Of the newest sample: seconds of input since the start or the last reset."""

    values: Float32
    """What was read since the window before, as it was read, (samples, channels)."""

    measured: npt.NDArray[np.bool_]
    """Which channels have a reading in the window, (channels,)."""


class LookbackFrontend:
    """Once it is full, and then every `every` samples, a window of the scaled past.

    `level` says what is taken from each channel's scaled window: its "last" value, its "mean" or "none". `gaps` says
    what stands for a missing value: "hold" the last one before, "interpolate" the line between its neighbours in the
    window, "mask" the level itself, with a 0 among the flags that follow the samples (1 is measured). Before the first
    reading of a channel stands that reading.

    >>> frontend = LookbackFrontend(3600.0, ["OT"], mean=[20.0], std=[2.0], segment=2, segments=2, every=1)
    >>> windows = frontend.push(np.array([[18], [20], [np.nan], [24], [22]], np.float32))
    >>> [(w.frames.tolist(), w.level.tolist()) for w in windows]
    [([[[-3.0, -2.0], [-2.0, 0.0]]], [2.0]), ([[[-1.0, -1.0], [1.0, 0.0]]], [1.0])]
    """

    def __init__(
        self,
        interval_s: float,
        channels: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
        segment: int,
        segments: int,
        every: int,
        level: str = "last",
        gaps: str = "hold",
        channel_code: bool = False,
    ):
        check_settings("lookback", interval_s, mean, std, segment, gaps)
        if len(channels) != len(mean):
            raise InputError(
                f"the lookback front end needs a name for each channel, got {len(channels)} names for {len(mean)}."
            )
        if segments < 1 or not 1 <= every <= segment * segments or level not in LEVELS:
            raise InputError(
                "the lookback front end needs at least 1 segment, every from 1 to the samples of a window, and a level "
                f"of {', '.join(LEVELS)}, got {segments}, {every} and {level!r}."
            )
        self.interval_s, self.names = float(interval_s), tuple(channels)
        self.channels, self.segment, self.segments, self.every = len(mean), segment, segments, every
        self.longest = segment * segments
        """Samples that a window takes."""

        self.feature_size = segment * (2 if gaps == "mask" else 1) + (len(mean) if channel_code else 0)
        self._gaps, self._level = gaps, level
        self._code = np.eye(len(mean), dtype=np.float32)[:, None] if channel_code else None
        self._mean = np.asarray(mean, np.float32)
        self._gain = (1 / np.asarray(std, np.float64)).astype(np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything measured so far."""
        self._past = np.full((0, self.channels), np.nan, np.float32)  # the newest rows, as they were read
        self._before = np.full(self.channels, np.nan, np.float32)  # the last reading of each channel before those
        self._age = np.zeros(self.channels, np.int64)  # and how many rows before
        self._taken, self._due = 0, self.longest
        self._since = self.longest

    def check(self, samples: Float32) -> None:
        """Raise InputError unless the samples are float32 (n, channels), finite or NaN."""
        check_readings(samples, self.channels)

    def push(self, samples: Float32) -> list[Window]:
        """Take any number of samples; return the windows that they completed."""
        self.check(samples)
        rows, windows = samples.reshape(-1, self.channels), []
        while len(rows):
            part, rows = rows[: self._due], rows[self._due :]
            self._take(part)
            self._due -= len(part)
            if not self._due:
                windows.append(self._window())
                self._due = self._since = self.every
        return windows

    def _take(self, part: Float32) -> None:
        joined = np.concatenate([self._past, part])
        leaving, self._past = joined[: max(0, len(joined) - self.longest)], joined[max(0, len(joined) - self.longest) :]
        measured = ~np.isnan(leaving)
        found = measured.any(axis=0)
        last = len(leaving) - 1 - np.argmax(measured[::-1], axis=0) if len(leaving) else self._age * 0
        values = leaving[last, np.arange(self.channels)] if len(leaving) else self._before
        self._age = np.where(found, len(leaving) - last, self._age + len(leaving))
        self._before = np.where(found, values, self._before)
        self._taken += len(part)

    def _scaled(self, readings: Float32) -> Float32:
        with np.errstate(over="ignore"):
            scaled: Float32 = (readings - self._mean) * self._gain
        return np.clip(scaled, -LARGEST, LARGEST)  # a gap, NaN, stays one

    def _window(self) -> Window:
        past, missing = self._scaled(self._past), np.isnan(self._past)
        filled = past if not missing.any() else FILL[self._gaps](past, self._scaled(self._before), self._age)
        level = self._level_of(filled)
        around = filled - level
        if self._gaps == "mask":
            around[missing] = 0
        around[np.abs(around) < TINY] = 0
        parts = [around]
        if self._gaps == "mask":
            parts.append((~missing).astype(np.float32))
        shape = self.channels, self.segments, self.segment
        frames = [part.T.reshape(shape) for part in parts]
        if self._code is not None:
            frames.append(np.broadcast_to(self._code, (self.channels, self.segments, self.channels)))
        return Window(
            frames=np.concatenate(frames, axis=2),
            level=level,
            time_s=self._taken * self.interval_s,
            values=self._past[-self._since :].copy(),
            measured=np.logical_not(missing.all(axis=0)),
        )

    def _level_of(self, filled: Float32) -> Float32:
        if self._level == "last":
            last: Float32 = filled[-1].copy()
            return last
        if self._level == "none":
            return np.zeros(self.channels, np.float32)
        # added up one after the other, in the same order on every board
        mean: Float32 = (np.add.accumulate(filled, axis=0, dtype=np.float64)[-1] / self.longest).astype(np.float32)
        return mean

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        counts = np.array([self._taken, self._due, self._since], np.int64)
        return {"past": self._past.copy(), "before": self._before, "age": self._age, "counts": counts}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        past = taken(arrays, "past", np.float32, (None, self.channels))
        before = taken(arrays, "before", np.float32, (self.channels,))
        age = taken(arrays, "age", np.int64, (self.channels,))
        count, due, since = taken(arrays, "counts", np.int64, (3,)).tolist()
        fits = max(due, since) <= self.longest and min(due, since) > 0 and len(past) == min(count, self.longest)
        if not fits or np.isinf(past).any() or np.isinf(before).any() or (age < 0).any():
            raise InputError("the saved state of the look-back is damaged. Start without the state")
        self._past, self._before, self._age = past, before, age
        self._taken, self._due, self._since = count, due, since


def _hold(past: Float32, before: Float32, age: npt.NDArray[np.int64]) -> Float32:
    rows = np.concatenate([before[None], past])
    measured = ~np.isnan(rows)
    latest = np.maximum.accumulate(np.where(measured, np.arange(len(rows))[:, None], 0), axis=0)
    # before the first reading of all stands that one
    latest = np.where(np.take_along_axis(measured, latest, axis=0), latest, np.argmax(measured, axis=0))
    held = np.take_along_axis(rows, latest, axis=0)[1:]
    return np.where(np.isnan(held), np.float32(0), held)  # no reading at all: the mean


def _interpolate(past: Float32, before: Float32, age: npt.NDArray[np.int64]) -> Float32:
    filled = np.zeros_like(past)
    for channel, values in enumerate(past.T):
        places = np.flatnonzero(~np.isnan(values))
        x, y = places.astype(np.float64), values[places]
        if not np.isnan(before[channel]):
            x, y = np.append(-float(age[channel]), x), np.append(before[channel], y)
        if len(x):
            filled[:, channel] = np.interp(np.arange(len(values)), x, y)
    return filled


FILL: dict[str, Callable[[Float32, Float32, npt.NDArray[np.int64]], Float32]] = {
    "hold": _hold,
    "interpolate": _interpolate,
    "mask": _hold,
}
"""Scaled rows with gaps, the last reading of each channel before them, and how many rows before: without gaps."""
