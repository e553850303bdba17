"""What a series usually does, learned from its readings as they come: level, spread, change, and the time of day.

Nothing here needs to know the sensor: a bundle for one kind of series serves any other. Every line is one IEEE 754
operation in float64 or a comparison, in the order written, so that all boards find the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.errors import InputError
from device_runtime.snapshots import Snapshot, taken

DAY_S = 86_400
MAX_DAY = 2_880
"""Samples: of a series with more in a day, 30 s apart or less, no profile of the day is kept."""

LEAST = 1e-9
"""Of the level: no spread or change is taken for smaller. A sensor that stands still may begin to move."""


class Usual:
    """Running mean, deviation and mean change, each over `memory` samples, and the profile of the last `days` days.

    `day` is a day's samples, 0 for no profile.

    >>> usual = Usual(memory=1000, day=0)
    >>> [usual.push(value) for value in (1.0, 3.0, 2.0)][-1]
    (0.0, -0.5)
    """

    def __init__(self, memory: int, day: int, days: int = 7) -> None:
        self._memory, self.day, self._days = memory, day, days
        self.reset()

    def reset(self) -> None:
        """Forget all readings."""
        self.count = 0
        self.last = self._mean = self._variance = self._change = 0.0
        self._past = np.zeros(self.day * self._days)  # of the last days, in turn

    @property
    def change(self) -> float:
        """How far the series usually moves from one sample to the next; never 0."""
        return max(self._change, self._least)

    @property
    def deviation(self) -> float:
        """The running standard deviation; never 0."""
        return max(math.sqrt(self._variance), self._least)

    @property
    def _least(self) -> float:
        return LEAST * (abs(self._mean) + 1)

    def push(self, value: float) -> tuple[float, float]:
        """Take a reading; how far it lies above the mean in deviations, and above the last reading in usual changes.

        Both as they were before it; 0 for the first.
        """
        above, moved = value - self._mean, value - self.last
        if self.count == 0:
            seen = 0.0, 0.0
            self._mean = value
        else:
            seen = above / self.deviation, moved / self.change
            share = 1 / min(self.count + 1, self._memory)
            self._variance = (1 - share) * (self._variance + share * above * above)
            self._mean += share * above
            self._change += (abs(moved) - self._change) / min(self.count, self._memory)
        if self.day:
            self._past[self.count % len(self._past)] = value
        self.count += 1
        self.last = value
        return seen

    def expected(self) -> float | None:
        """The median of what the next sample was on earlier days at this time; None before there is one."""
        if not self.day or self.count < self.day:
            return None
        days = min(self.count // self.day, self._days)
        past = sorted(float(self._past[(self.count - day * self.day) % len(self._past)]) for day in range(1, days + 1))
        return (past[(days - 1) // 2] + past[days // 2]) / 2

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        numbers = np.array([self.last, self._mean, self._variance, self._change])
        return {"count": np.array([self.count], np.int64), "numbers": numbers, "past": self._past.copy()}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        count = int(taken(arrays, "count", np.int64, (1,))[0])
        numbers = taken(arrays, "numbers", np.float64, (4,))
        past = taken(arrays, "past", np.float64, self._past.shape)
        if count < 0 or not np.isfinite(numbers).all() or not np.isfinite(past).all() or numbers[2:].min() < 0:
            raise InputError("what the saved state knows of the series is damaged. Start without the state")
        self.count, self._past = count, past
        self.last, self._mean, self._variance, self._change = numbers.tolist()


def samples_a_day(interval_s: float) -> int:
    """How many samples make a day; 0 where a profile of the day is of no use, or too long to keep.

    >>> samples_a_day(300), samples_a_day(0.1), samples_a_day(86_400)
    (288, 0, 0)
    """
    day = round(DAY_S / interval_s)
    return day if 2 <= day <= MAX_DAY else 0


def squashed(value: float, limit: float) -> float:
    """Near 0 the value itself, and never beyond the limit, however far it is.

    Unlike a logarithm it needs no library that differs from board to board.

    >>> squashed(0.1, 7.5), squashed(-1e9, 7.5)
    (0.09868421052631579, -7.499999943750001)
    """
    return limit * value / (limit + abs(value))


def unsquashed(value: float, limit: float) -> float:
    """What `squashed` was given; what lies at the limit or beyond counts as just within it."""
    inside = max(-0.999 * limit, min(0.999 * limit, value))
    return limit * inside / (limit - abs(inside))
