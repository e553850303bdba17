"""Drift: the errors of a model's predictions have changed for good.

ADWIN (Bifet, Gavalda 2007, "Learning from time-changing data with adaptive windowing") keeps a window of the recent
past that grows while its mean holds, and drops its older part as soon as any cut of it leaves two parts whose means
differ by more than chance allows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.decoders.series import Float64, Sensors
from device_runtime.errors import InputError
from device_runtime.events import Drift, Event
from device_runtime.snapshots import Snapshot, taken

BUCKETS = 5
"""Of each size, before the two oldest become one of twice that size."""

MAX_BUCKETS = 40 * (BUCKETS + 1)
"""More than 2**40 values do not come."""

LEAST = 5
"""Values on either side of a cut."""

SETTLES = 30
"""Values after a change in which no other is told: the window has to fill again, and one change is one event."""


class Adwin:
    """A window over numbers from 0 to 1 that tells when their mean has changed.

    >>> window = Adwin(delta=0.002)
    >>> changes = [window.push(value) for value in [0.25] * 100 + [0.75] * 100]
    >>> [(at, *change) for at, change in enumerate(changes) if change]
    [(121, 0.25, 0.75)]
    """

    def __init__(self, delta: float) -> None:
        self._delta = delta
        self.reset()

    def reset(self) -> None:
        """Forget all."""
        self._buckets: list[tuple[int, float, float]] = []  # count, sum, squared deviations; newest first
        self._quiet = 0

    def push(self, value: float) -> tuple[float, float] | None:
        """Take one number; the mean before and after, if it has just turned out to have changed."""
        self._buckets.insert(0, (1, value, 0.0))
        self._compress()
        self._quiet = max(0, self._quiet - 1)
        change = None
        while (cut := self._cut()) is not None:
            before, after = self._buckets[cut:], self._buckets[:cut]
            change = change or (_mean(before), _mean(after))
            self._buckets = after
        if change is None or self._quiet:
            return None
        self._quiet = SETTLES
        return change

    def _compress(self) -> None:
        """Merge the two oldest of a size wherever there are too many: the window costs the logarithm of its length."""
        at = 0
        while at < len(self._buckets):
            size = self._buckets[at][0]
            end = at
            while end < len(self._buckets) and self._buckets[end][0] == size:
                end += 1
            if end - at > BUCKETS:
                self._buckets[end - 2 : end] = [_merged(self._buckets[end - 2], self._buckets[end - 1])]
                end -= 2
            at = end

    def _cut(self) -> int | None:
        """Where the older part begins, if the window falls into two parts whose means differ too much, and most so."""
        if len(self._buckets) < 2:
            return None
        count, total, spread = self._buckets[0]
        for bucket in self._buckets[1:]:
            count, total, spread = _merged((count, total, spread), bucket)
        if count < 2 * LEAST:
            return None
        log_term = math.log(2 * math.log(count) / self._delta)
        newer, newer_total, best, at_best = 0, 0.0, 1.0, None
        for at, (size, part, _) in enumerate(self._buckets[:-1], 1):
            newer, newer_total = newer + size, newer_total + part
            older = count - newer
            if newer < LEAST or older < LEAST:
                continue
            inverse = 1 / newer + 1 / older
            allowed = math.sqrt(2 * inverse * spread / count * log_term) + 2 / 3 * inverse * log_term
            excess = abs(newer_total / newer - (total - newer_total) / older) / allowed
            if excess > best:
                best, at_best = excess, at
        return at_best

    def snapshot(self) -> Float64:
        """All that it remembers, (buckets + 1, 3)."""
        return np.array([(self._quiet, 0.0, 0.0), *self._buckets], np.float64)

    def restore(self, rows: Float64) -> None:
        """Go on from a snapshot."""
        self._quiet = int(rows[0, 0])
        self._buckets = [(int(count), float(total), float(spread)) for count, total, spread in rows[1:]]


def _merged(one: tuple[int, float, float], other: tuple[int, float, float]) -> tuple[int, float, float]:
    (n, a, va), (m, b, vb) = one, other
    apart = a / n - b / m
    return n + m, a + b, va + vb + apart * apart * n * m / (n + m)


def _mean(buckets: list[tuple[int, float, float]]) -> float:
    return sum(total for _, total, _ in buckets) / sum(count for count, _, _ in buckets)


class DriftWatch:
    """Follows the errors of each channel, averaged over a frame's worth of samples, which evens out the time of day."""

    def __init__(self, sensors: Sensors, delta: float) -> None:
        self._sensors, self._delta = sensors, delta
        self.reset()

    def reset(self) -> None:
        """Forget all."""
        channels = len(self._sensors.names)
        self._sum: Float64 = np.zeros((channels, 2))  # of the errors of this block, and how many
        self._windows = [Adwin(self._delta) for _ in range(channels)]

    def push(self, errors: Float64, time_s: float) -> list[Event]:
        """Take absolute errors in deviations, (channels, samples), NaN where unknown; return the changes."""
        events: list[Event] = []
        for channel, row in enumerate(errors):
            for error in row[np.isfinite(row)].tolist():
                self._sum[channel] += error, 1
                if self._sum[channel, 1] < self._sensors.segment:
                    continue
                mean, self._sum[channel] = self._sum[channel, 0] / self._sum[channel, 1], 0
                # half a deviation is one half: any error becomes a number below 1
                change = self._windows[channel].push(mean / (mean + 0.5))
                if change is not None:
                    before, after = (0.5 * part / (1 - part) * self._sensors.std[channel] for part in change)
                    events.append(Drift(self._sensors.names[channel], time_s, float(before), float(after)))
        return events

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        windows = [window.snapshot() for window in self._windows]
        return {
            "sum": self._sum.copy(),
            "lengths": np.array([len(rows) for rows in windows], np.int64),
            "windows": np.concatenate(windows),
        }

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        sums = taken(arrays, "sum", np.float64, self._sum.shape)
        lengths = taken(arrays, "lengths", np.int64, (len(self._windows),)).tolist()
        rows = taken(arrays, "windows", np.float64, (None, 3))
        if min(lengths) < 1 or max(lengths) > MAX_BUCKETS or sum(lengths) != len(rows) or not np.isfinite(rows).all():
            raise InputError("the saved state of the drift detector is damaged. Start without the state")
        self._sum = sums
        for window, part in zip(self._windows, np.split(rows, np.cumsum(lengths)[:-1]), strict=True):
            window.restore(part)
