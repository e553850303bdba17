"""The scoring of the Numenta Anomaly Benchmark: how early in each labelled window an alarm came, less false alarms.

Lavin & Ahmad 2015, "Evaluating real-time anomaly detection algorithms" (arXiv:1510.03336), and the benchmark's own
weights (config/profiles.json of github.com/numenta/NAB). A window earns what its earliest alarm is worth, the more the
earlier; one without any costs the profile's weight of a miss; every alarm outside costs the weight of a false one, less
so shortly behind a window. The first 15 % of a file (750 rows at most) count for nothing. Scores are on a scale where
the null detector, which never alarms, has 0 and the perfect one 100.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device_runtime.errors import InputError

Float64 = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

PROBATION_SHARE = 0.15
PROBATION_LONGEST = 5000
"""Rows; of a longer file only the share of so many is probation."""


@dataclass(frozen=True)
class Profile:
    """What a miss and a false alarm cost where a window found at its start earns 1."""

    name: str
    miss: float
    false_alarm: float


STANDARD = Profile("standard", 1.0, 0.11)
LOW_FALSE_ALARMS = Profile("reward_low_FP_rate", 1.0, 0.22)
LOW_MISSES = Profile("reward_low_FN_rate", 2.0, 0.11)
PROFILES = (STANDARD, LOW_FALSE_ALARMS, LOW_MISSES)


@dataclass(frozen=True)
class Labelled:
    """The length of a file, and its labelled windows as (first, last) row, in order and apart."""

    rows: int
    windows: Sequence[tuple[int, int]]

    @property
    def probation(self) -> int:
        """The first row that counts."""
        return probation_rows(self.rows)


@dataclass(frozen=True)
class Score:
    """What a detector reaches at one threshold."""

    value: float
    """0 for the null detector, 100 for the perfect one."""

    threshold: float
    found: int
    missed: int
    """Labelled windows."""

    false_alarms: int
    """Rows outside all windows at or above the threshold."""


def probation_rows(rows: int) -> int:
    """How many rows at the start of a file of this length may be learned from before any alarm counts."""
    return int(np.floor(PROBATION_SHARE * min(rows, PROBATION_LONGEST)))


class Corpus:
    """Labelled files, ready to score detectors on them.

    >>> corpus = Corpus([Labelled(rows=1000, windows=[(500, 599)])])
    >>> alarms = np.zeros(1000)
    >>> alarms[500] = 1
    >>> corpus.score([alarms], STANDARD, threshold=0.5).value
    100.0
    """

    def __init__(self, files: Sequence[Labelled]):
        self.files = list(files)
        worth, window, at = [], [], 0
        for file in self.files:
            row_worth, row_window = _rows(file)
            worth.append(row_worth)
            window.append(np.where(row_window >= 0, row_window + at, row_window))
            at += len(file.windows)
        self.windows = at
        if not at:
            raise InputError("no file has a labelled window, so that there is nothing to find. Name other files")
        self._worth: Float64 = np.concatenate(worth)
        self._window: Integers = np.concatenate(window)

    def score(self, scores: Sequence[Float64], profile: Profile, threshold: float) -> Score:
        """What the anomaly scores of each file, (rows,), reach where an alarm is a score of at least `threshold`."""
        window, worth, _ = self._alarms(scores, threshold)
        return self._score(window, worth, profile, threshold)

    def best(self, scores: Sequence[Float64], profile: Profile) -> Score:
        """The highest score that one threshold for all files reaches: the benchmark's own protocol."""
        window, worth, values = self._alarms(scores, -np.inf)
        order = np.argsort(-values, kind="stable")
        window, worth, values = window[order], worth[order], values[order]
        gains = np.where(window < 0, worth * profile.false_alarm, 0.0)
        by_window = np.argsort(window, kind="stable")  # the alarms of a window stay in order of their scores
        first = np.searchsorted(window[by_window], np.arange(self.windows + 1))
        for begin, end in itertools.pairwise(first):
            alarms = by_window[begin:end]
            reached = np.maximum.accumulate(worth[alarms])
            # an alarm in the window, however late, also saves the cost of the miss
            gains[alarms] = np.diff(np.maximum(reached, -profile.miss), prepend=-profile.miss)
        total = np.cumsum(gains)
        last_of_value = np.append(values[1:] != values[:-1], True) if len(values) else np.zeros(0, bool)
        candidates = np.flatnonzero(last_of_value)
        if not len(candidates) or total[candidates].max() <= 0:
            return Score(0.0, np.inf, 0, self.windows, 0)
        chosen = int(candidates[np.argmax(total[candidates])])
        return self._score(window[: chosen + 1], worth[: chosen + 1], profile, float(values[chosen]))

    def _alarms(self, scores: Sequence[Float64], threshold: float) -> tuple[Integers, Float64, Float64]:
        """Window, worth and score of the rows that count and reach the threshold."""
        if [len(of_file) for of_file in scores] != [file.rows for file in self.files]:
            raise InputError(
                f"each file needs one score a row: {[file.rows for file in self.files][:5]} ..., "
                f"got {[len(of_file) for of_file in scores][:5]} ..."
            )
        values = np.concatenate(scores)
        alarms = np.flatnonzero((values >= threshold) & (self._window != _PROBATION))
        return self._window[alarms], self._worth[alarms], values[alarms]

    def _score(self, window: Integers, worth: Float64, profile: Profile, threshold: float) -> Score:
        reached = np.full(self.windows, -profile.miss)
        inside = window >= 0
        np.maximum.at(reached, window[inside], worth[inside])
        raw = float(reached.sum() + profile.false_alarm * worth[~inside].sum())
        null = -profile.miss * self.windows
        found = len(np.unique(window[inside]))
        value = 100 * (raw - null) / (self.windows - null)
        return Score(value, threshold, found, self.windows - found, int((~inside).sum()))


_OUTSIDE, _PROBATION = -1, -2


def _rows(file: Labelled) -> tuple[Float64, Integers]:
    """What an alarm in each row is worth, -1 (false) to 1, and the window that it falls in."""
    worth, window = np.full(file.rows, -1.0), np.full(file.rows, _OUTSIDE)
    for number, (first, last) in enumerate(file.windows):
        width = last - first + 1
        inside = np.arange(first, last + 1)
        worth[inside] = _sigmoid(-(last - inside + 1) / width) / _sigmoid(np.array(-1.0))
        window[inside] = number
        behind = np.arange(last + 1, file.rows)  # the next window, if there is one, overwrites this
        worth[behind] = _sigmoid((behind - last) / max(width - 1, 1))
        window[behind] = _OUTSIDE
    window[: file.probation] = _PROBATION
    return worth, window


def _sigmoid(position: Float64) -> Float64:
    """1 well before the end of a window, 0 at its end, -1 far behind; position is in widths of the window."""
    return np.where(position > 3.0, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, 3.0))) - 1)
