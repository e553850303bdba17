"""Anomalies: a series is seen in three ways, and each way's own past says how surprising the newest deviation is.

The reading beside what the model predicted it to be; the mean of the latest readings beside the long mean; and that
mean beside the same hours of the days before. The three surprises, -ln of the chance of such a deviation, are added as
the sides of a right angle: a deviation seen in several ways counts more, but not as if it were several.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime import snapshots
from device_runtime.decoders.alarms import Alarms
from device_runtime.decoders.series import Sensors, SeriesStep
from device_runtime.decoders.tail import Tail
from device_runtime.errors import BundleError, InputError
from device_runtime.events import Anomaly, Event
from device_runtime.frontends.adaptive import MEMORY, SQUASH
from device_runtime.snapshots import Snapshot, taken
from device_runtime.usual import Usual, samples_a_day, unsquashed

MEDIAN = "p50"
SETTLED = 30
"""Readings before a mean is called a level."""

SETTLED_DAYS = 2
"""Days before the profile of a day is called usual."""

LEAST = {"reading": 0.05, "level": 0.1, "day": 0.1}
"""Of the deviation of the series: no tail of deviations falls off faster than by e over so much."""


@dataclass(frozen=True)
class _View:
    """What was observed in one way, and what was to be expected."""

    name: str
    observed: float
    expected: float


class _Recent:
    """The mean of the latest numbers."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.reset()

    def reset(self) -> None:
        self.count = 0
        self._numbers = np.zeros(self._size)  # in turn

    def push(self, number: float) -> None:
        self._numbers[self.count % self._size] = number
        self.count += 1

    def mean(self) -> float:
        known = min(self.count, self._size)
        return float(self._numbers[:known].sum()) / known

    def snapshot(self) -> npt.NDArray[np.float64]:
        return np.concatenate([[float(self.count)], self._numbers])

    def restore(self, saved: npt.NDArray[np.float64]) -> None:
        self.count, self._numbers = int(saved[0]), saved[1:]


class AnomalyDecoder:
    """Tells an Anomaly where the surprise reaches `threshold`, then is quiet for `quiet` calm samples.

    The score p50 of the model is where the median of the next reading lies above this one, in usual changes, squashed
    as the adaptive front end does. `level` and `day` are samples over which readings are averaged, `long` those of the
    long mean, `memory` how many deviations each way of seeing remembers.
    """

    def __init__(
        self,
        labels: Sequence[str],
        sensors: Sensors,
        threshold: float,
        quiet: int = 100,
        level: int = 20,
        day: int = 10,
        long: int = 2_000,
        memory: int = 8_000,
    ):
        if MEDIAN not in labels:
            raise BundleError(
                f"the labels of an anomaly decoder must include {MEDIAN}, got {', '.join(labels)}. Get the bundle again"
            )
        self._median, self._sensors, self.threshold, self.quiet = labels.index(MEDIAN), sensors, threshold, quiet
        self._usual = Usual(MEMORY, samples_a_day(sensors.interval_s))
        self._tails = {name: Tail(memory) for name in LEAST}
        self._means = {"level": _Recent(level), "long": _Recent(long), "day": _Recent(day), "off": _Recent(day)}
        self._alarms = Alarms(threshold, quiet)
        self.reset()

    def reset(self) -> None:
        """Forget everything since the start."""
        self._usual.reset()
        self._alarms.reset()
        for tail in self._tails.values():
            tail.reset()
        for mean in self._means.values():
            mean.reset()
        self._predicted = math.nan
        self.surprise = 0.0
        """Of the newest reading: what the threshold is compared with."""

    def push(self, step: SeriesStep) -> list[Event]:
        """Take one reading and the model's prediction of the next; a missing one is neither usual nor a surprise."""
        value, score = float(step.values[-1, 0]), float(step.scores[0, self._median])
        events: list[Event] = []
        self.surprise = 0.0
        if math.isfinite(value):
            surprises = [(self._judge(view), view) for view in self._views(value)]
            self.surprise = math.sqrt(math.fsum(surprise * surprise for surprise, _ in surprises))
            if self._alarms.push(self.surprise):
                events = [self._event(step.time_s, max(surprises, key=lambda pair: pair[0])[1])]
            self._usual.push(value)
        if self._usual.count:
            self._predicted = self._usual.last + self._usual.change * unsquashed(score, SQUASH)
        return events

    def _views(self, value: float) -> list[_View]:
        views, means = [], self._means
        means["level"].push(value)
        if math.isfinite(self._predicted):
            views.append(_View("reading", value, self._predicted))
        if means["long"].count >= SETTLED:
            views.append(_View("level", means["level"].mean(), means["long"].mean()))
        means["long"].push(value)
        means["day"].push(value)
        expected = self._usual.expected() if self._usual.count >= SETTLED_DAYS * self._usual.day else None
        if expected is not None:
            means["off"].push(value - expected)
            views.append(_View("day", means["day"].mean(), means["day"].mean() - means["off"].mean()))
        return views

    def _judge(self, view: _View) -> float:
        least = LEAST[view.name] * self._usual.deviation
        return self._tails[view.name].push(abs(view.observed - view.expected), least)

    def _event(self, time_s: float, view: _View) -> Anomaly:
        score = self.surprise / (self.surprise + self.threshold)
        within = self._tails[view.name].usual()
        low, high = view.expected - within, view.expected + within
        return Anomaly(self._sensors.names[0], time_s, score, view.observed, low, high)

    def snapshot(self) -> Snapshot:
        """What is usual, the deviations of the past, the latest readings, and the last alarm."""
        kept: Snapshot = {"now": np.array([self._predicted, self.surprise, *self._alarms.snapshot()])}
        kept |= snapshots.under("usual", self._usual.snapshot())
        kept |= {f"tail.{name}": tail.snapshot() for name, tail in self._tails.items()}
        return kept | {f"mean.{name}": mean.snapshot() for name, mean in self._means.items()}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        now = taken(arrays, "now", np.float64, (4,))
        tails = {name: taken(arrays, f"tail.{name}", np.float64, (None,)) for name in self._tails}
        means = {
            name: taken(arrays, f"mean.{name}", np.float64, mean.snapshot().shape) for name, mean in self._means.items()
        }
        fits = all(tail.fits(tails[name]) for name, tail in self._tails.items())
        if not fits or not all(np.isfinite(saved).all() and saved[0] >= 0 for saved in means.values()):
            raise InputError("the saved state of the anomaly decoder is damaged. Start without the state")
        self._usual.restore(snapshots.below("usual", arrays))
        for name, tail in self._tails.items():
            tail.restore(tails[name])
        for name, mean in self._means.items():
            mean.restore(means[name])
        self._predicted, self.surprise = float(now[0]), float(now[1])
        self._alarms.restore(float(now[2]), float(now[3]))
