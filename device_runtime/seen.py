"""Which readings of a log were taken in before: a log that is given again after a restart goes on where it was left.

Readings are known by their times, values and order, never by the time alone: a clock that was ahead for a while must
not make all that follows pass for old until that time has come.
"""

from __future__ import annotations

import math
import zlib
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.snapshots import Snapshot, taken, taken_times

KEPT = 4096
"""Readings that are remembered one by one: a log that begins with any of them is known."""


class _Log:
    """A log from its start: how many readings, and a checksum of the first 1, 2, 4, 8, ... of them."""

    def __init__(self) -> None:
        self.count = self._checksum = 0
        self.marks: list[int] = []

    def add(self, row: bytes) -> None:
        self.count += 1
        self._checksum = zlib.crc32(row, self._checksum)
        if self.count.bit_count() == 1:
            self.marks.append(self._checksum)

    def may_be(self, known: _Log, row: bytes) -> bool:
        """Whether that log may have begun as this one with one more reading does."""
        at = self.count + 1
        if at.bit_count() != 1 or at >= known.count:
            return True
        return zlib.crc32(row, self._checksum) == known.marks[at.bit_length() - 1]


class Seen:
    """What was read up to a saved state, and how much of a log is that again.

    A log is known by its beginning, however long it has grown since, or it begins with one of the last `KEPT` readings;
    it is left out for as long as it goes on as it did then. Where only `newest_s` is known, as of a state that was
    saved by `Session.save`, what is not newer was seen, until the time goes back.

    >>> times_s, values = np.array([0.0, 60, 120]), np.zeros((3, 1), np.float32)
    >>> before, after = Seen(), Seen()
    >>> before.add(times_s[:2], values[:2])
    >>> after.restore(before.snapshot())
    >>> after.skip(times_s, values)
    2
    """

    def __init__(self, newest_s: float = math.nan) -> None:
        self.last_s = newest_s
        """When the reading that was taken in last was made, NaN before any."""

        self._recent: list[int] = []  # checksums of the last readings
        self._log = _Log()  # that they came from
        self._reading = _Log()  # the one that is given now
        self._skipped: deque[int] = deque(maxlen=KEPT)
        self._places: list[int] | None = None  # in `_recent`, where the next reading may be; None: only times are known
        self._previous_s = -math.inf
        self._over = math.isnan(newest_s)

    def skip(self, times_s: npt.NDArray[np.float64], values: Float32) -> int:
        """How many of the next readings, (n,) and (n, channels), were seen; after one that was not, none is."""
        if self._over:
            return 0
        for at, (time_s, row) in enumerate(_rows(times_s, values)):
            complete = self._places is not None and len(self._recent) in self._places
            if complete or not self._was_seen(time_s, row):
                self._over = True
                if not complete:  # it went another way: what it shares with the past comes before what follows
                    self._recent += self._skipped
                return at
            self._reading.add(row)
            self._skipped.append(zlib.crc32(row))
        return len(times_s)

    def _was_seen(self, time_s: float, row: bytes) -> bool:
        if self._places is None:
            goes_on, self._previous_s = time_s >= self._previous_s, time_s
            return goes_on and time_s <= self.last_s
        code, newest = zlib.crc32(row), len(self._recent) - 1
        begins = self._reading.may_be(self._log, row)
        self._places = [
            place + 1
            for place in self._places
            # the last line may have been half written when it was read
            if (begins if place < 0 else self._recent[place] == code or (place == newest and time_s == self.last_s))
        ]
        return bool(self._places)

    def add(self, times_s: npt.NDArray[np.float64], values: Float32) -> None:
        """Remember readings that were not seen and have been taken in, (n,) and (n, channels)."""
        self._over = True
        for time_s, row in _rows(times_s, values):
            self._reading.add(row)
            self._recent.append(zlib.crc32(row))
            self.last_s = time_s
        self._log = self._reading
        if len(self._recent) > 2 * KEPT:
            del self._recent[:-KEPT]

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        return {
            "last": np.array([self.last_s]),
            "recent": np.array(self._recent[-KEPT:], np.int64),
            "count": np.array([self._log.count], np.int64),
            "marks": np.array(self._log.marks, np.int64),
        }

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot with a log that is given from now on."""
        last_s = float(taken_times(arrays, "last", (1,))[0])
        recent, marks = (taken(arrays, name, np.int64, (None,), hashes=True).tolist() for name in ("recent", "marks"))
        count = int(taken(arrays, "count", np.int64, (1,))[0])
        if not math.isfinite(last_s) or not 0 < len(recent) <= KEPT or count < 1 or len(marks) != count.bit_length():
            raise InputError("what the saved state knows of the readings before it is damaged. Start without the state")
        self.last_s, self._recent = last_s, recent
        self._log.count, self._log.marks = count, marks
        self._places = [len(recent) - count, *range(len(recent))]
        self._over = False


def _rows(times_s: npt.NDArray[np.float64], values: Float32) -> Iterator[tuple[float, bytes]]:
    """Each reading's time, and all of it as bytes."""
    for time_s, row in zip(times_s.tolist(), np.column_stack([times_s, values]), strict=True):
        yield time_s, row.tobytes()
