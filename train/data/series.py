"""What training asks of a sensor log: readings by a clock, where they are split, and their windows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.forecast_data import SHARES, gridded
from train.data.dataset import SPLITS, Described


@dataclass(frozen=True)
class Splits:
    """Training is before `validation`, validation before `test`, the test before `end`: all are indices of samples."""

    validation: int
    test: int
    end: int

    def span(self, split: str) -> tuple[int, int]:
        """First sample, and the one behind the last, of "train", "validation" or "test"."""
        bounds, at = (0, self.validation, self.test, self.end), SPLITS.index(split)
        return bounds[at], bounds[at + 1]


@dataclass(frozen=True)
class Scale:
    """The mean and standard deviation of each channel, as the front end of a bundle will use them."""

    mean: np.ndarray  # (channels,) float64
    std: np.ndarray  # (channels,) float64, above 0

    def standardise(self, values: Float32) -> Float32:
        """In standard deviations from the mean: the unit of published errors."""
        scaled: Float32 = ((values - self.mean) / self.std).astype(np.float32)
        return scaled


@dataclass(frozen=True)
class Windows:
    """Every window of a split: views, so that all of them cost no memory.

    The samples to be forecast lie within the split; the look-back may reach into the one before, as it does on a device
    that has been running. No window is left out.
    """

    inputs: Float32  # (windows, look_back, channels)
    targets: Float32  # (windows, horizon, channels)
    origins: np.ndarray  # (windows,) index in the series of each window's first target

    def __len__(self) -> int:
        return len(self.origins)

    def every(self, step: int) -> Windows:
        """Each `step`-th window, for fits that need no more."""
        return Windows(self.inputs[::step], self.targets[::step], self.origins[::step])


@dataclass(frozen=True)
class Series:
    """Readings of one or more sensors by one clock."""

    name: str
    channels: tuple[str, ...]
    interval_s: float
    """The usual step of the clock; a reading may be late, or lacking."""

    times: np.ndarray  # (samples,) datetime64, seconds or finer
    values: Float32  # (samples, channels); NaN where nothing was measured
    splits: Splits | None = None
    """None where a benchmark streams the whole series."""

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.times), len(self.channels)):
            expected = (len(self.times), len(self.channels))
            raise InputError(f"{self.name}: values have the shape {self.values.shape}, expected {expected}.")

    def __len__(self) -> int:
        return len(self.times)

    def part(self, split: str) -> Float32:
        """The readings of a split: (samples, channels)."""
        first, last = self._splits().span(split)
        return self.values[first:last]

    def scale(self) -> Scale:
        """Of the training readings, those that are there (population deviation, as scikit-learn's StandardScaler)."""
        training = self.part("train").astype(np.float64)
        if not (known := np.isfinite(training).any(axis=0)).all():
            empty = ", ".join(np.array(self.channels)[~known])
            raise InputError(f"{self.name} has no reading of {empty} in its training part. Leave the channel out.")
        std = np.nanstd(training, axis=0)
        if not std.all():
            flat = ", ".join(np.array(self.channels)[std == 0])
            raise InputError(
                f"{self.name} never changes in {flat} while training: nothing can be learned of it. Leave it out."
            )
        return Scale(np.nanmean(training, axis=0), std)

    def standardised(self) -> Series:
        """The same readings in standard deviations of the training part."""
        return dataclasses.replace(self, values=self.scale().standardise(self.values))

    def windows(self, split: str, look_back: int, horizon: int) -> Windows:
        """All windows whose targets lie in the split, one a sample."""
        first, last = self._splits().span(split)
        first = max(first, look_back)
        count = last - first - horizon + 1
        if count < 1:
            raise InputError(
                f"the {split} part of {self.name} is too short: {last - first} samples behind a look-back of "
                f"{look_back}, expected at least {horizon} to forecast. Choose a shorter look-back or horizon."
            )
        cut = np.lib.stride_tricks.sliding_window_view
        inputs = cut(self.values[first - look_back : last - horizon], look_back, axis=0).swapaxes(1, 2)
        targets = cut(self.values[first:last], horizon, axis=0).swapaxes(1, 2)
        return Windows(inputs[:count], targets[:count], np.arange(first, first + count))

    def _splits(self) -> Splits:
        if self.splits is None:
            raise InputError(f"{self.name} has no training part: it is streamed as a whole. Give it Splits.")
        return self.splits


class SeriesSet(Described, Protocol):
    """A data set that is one series."""

    def series(self) -> Series:
        """All of it, with its splits."""


def shares(samples: int) -> Splits:
    """Splits in the order of time, for a series that has none of its own: those of `tinyrnn evaluate`."""
    training, validation, _ = SHARES
    return Splits(round(samples * training), round(samples * (training + validation)), samples)


def on_grid(series: Series) -> Series:
    """One sample for each tick of the clock, as a session on the device makes them; NaN where a reading is lacking.

    Splits go, for indices have moved.
    """
    if len(series) == 0:
        return dataclasses.replace(series, splits=None)
    since_s = (series.times - series.times[0]) / np.timedelta64(1, "s")
    if (np.diff(since_s) < 0).any():
        at = int(np.flatnonzero(np.diff(since_s) < 0)[0]) + 1
        raise InputError(
            f"{series.name}: the clock goes back to {series.times[at]} at sample {at}. Sort the readings by time."
        )
    values = gridded(series.name, since_s, series.values, series.interval_s)
    steps = np.rint(np.arange(len(values)) * series.interval_s * 1000).astype("timedelta64[ms]")
    return dataclasses.replace(series, times=series.times[0] + steps, values=values, splits=None)


def usual_interval_s(times: np.ndarray) -> float:
    """The median step between two samples, in seconds: whole ones where it is within a hundredth of them."""
    steps = np.diff(times) / np.timedelta64(1, "s")
    steps = steps[steps > 0]
    if steps.size == 0:
        raise InputError(f"{len(times)} times tell no sampling interval: expected two that differ.")
    median = float(np.median(steps))
    return float(round(median)) if abs(median - round(median)) <= 0.01 * median and median >= 0.99 else median


def gaps(series: Series) -> Iterator[tuple[int, int]]:
    """(first sample, length) of each run of samples at which some channel has no reading."""
    missing = np.isnan(series.values).any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], missing, [False])).astype(np.int8)))
    yield from zip(edges[::2].tolist(), (edges[1::2] - edges[::2]).tolist(), strict=True)
