"""Readings at any times onto a regular grid: one row every `interval_s`, NaN where nothing was read.

The grid starts at the first reading. A reading belongs to the nearest slot; several in one slot are averaged. A slot is
told at once when its reading comes after a pause of half an interval or more, so that an hourly sensor is not answered
an hour late; what still falls into it is left out. Nothing that was told is ever changed or reordered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.events import Gap
from device_runtime.snapshots import Snapshot, taken, taken_times
from device_runtime.times import span

CHECKED_AT = (8, 16, 32)
"""After so many spacings the interval of the readings is compared with the grid's."""

REGULAR_WITHIN, REGULAR_SHARE = 0.1, 0.75
"""Readings are regular when this share of their spacings lies so near the median; others may be sparse or dense."""

LOOK_AHEAD = 1024


@dataclass(frozen=True)
class Anchor:
    """The next row lies at this time."""

    time_s: float


@dataclass(frozen=True)
class Rows:
    """One row a slot, (n, channels)."""

    values: Float32


@dataclass(frozen=True)
class Skip:
    """So many slots without a reading."""

    rows: int


Item = Anchor | Rows | Skip | Gap


class Grid:
    """Readings with their times in, rows out; how they are cut into chunks changes nothing.

    >>> grid = Grid(interval_s=60.0, channels=1)
    >>> items = grid.push(np.array([0, 20, 61, 119, 300.0]), np.array([[1], [2], [3], [4], [5]], np.float32))
    >>> [item.values[:, 0].tolist() if isinstance(item, Rows) else item for item in items]
    [Anchor(time_s=0.0), [1.5], [3.0], [4.0], Skip(rows=2), [5.0]]
    """

    def __init__(self, interval_s: float, channels: int) -> None:
        self._interval_s, self._channels = interval_s, channels
        self._origin_s = self._last_s = np.nan  # of slot 0, and of the newest reading
        self._next = 0  # the slot after those that were told
        self._open: tuple[int, npt.NDArray[np.float64], npt.NDArray[np.int64]] | None = None  # slot, sums, counts
        self._late: tuple[float, Float32] | None = None  # a reading from before the last one
        self._spacings: list[float] = []

    @property
    def newest_s(self) -> float:
        """The time of the newest reading, NaN before any."""
        return self._last_s

    def push(self, times_s: npt.NDArray[np.float64], values: Float32) -> Iterator[Item]:
        """Take some readings, (n,) and (n, channels), NaN where a channel has none."""
        at = 0
        while at < len(times_s):
            count = self._regular(times_s[at : at + LOOK_AHEAD])
            if count:
                yield Rows(values[at : at + count])
                self._check_spacings(np.diff(times_s[at : at + count], prepend=self._last_s))
                self._last_s, self._next = float(times_s[at + count - 1]), self._next + count
                self._late = None
                at += count
            else:
                yield from self._one(float(times_s[at]), values[at])
                at += 1

    def finish(self) -> Iterator[Item]:
        """No more readings come."""
        if len(self._spacings) > 1 and len(self._spacings) < CHECKED_AT[-1]:
            self._compare()
        yield from self._tell_open()

    def _regular(self, times_s: npt.NDArray[np.float64]) -> int:
        """How many readings from here on each fill the next slot after a pause: nearly always all of them."""
        if self._open is not None or np.isnan(self._last_s):
            return 0
        spacings = np.diff(times_s, prepend=self._last_s)
        slots = np.floor((times_s - self._origin_s) / self._interval_s + 0.5)
        fits = (spacings >= self._interval_s / 2) & (slots == self._next + np.arange(len(times_s)))
        return len(fits) if fits.all() else int(np.argmin(fits))

    def _one(self, time_s: float, values: Float32) -> Iterator[Item]:
        if np.isnan(self._last_s):
            yield from self._anchor(time_s, values)
        elif time_s == self._last_s:
            yield Gap(time_s, 0.0, "the clock repeats a time")
        elif time_s > self._last_s:
            self._late = None
            yield from self._next_reading(time_s, values)
        elif self._late is not None and time_s > self._late[0]:
            # two in a row from before: not a reading that came late, the clock was set back
            late, self._late = self._late, None
            yield from self._tell_open()
            yield from self._anchor(*late)
            yield from self._next_reading(time_s, values)
        else:
            if self._late is None:
                yield Gap(time_s, time_s - self._last_s, "the clock went back")
            self._late = time_s, values.copy()

    def _anchor(self, time_s: float, values: Float32) -> Iterator[Item]:
        self._origin_s = self._last_s = time_s
        self._next = 0
        yield Anchor(time_s)
        self._begin(0, values)

    def _next_reading(self, time_s: float, values: Float32) -> Iterator[Item]:
        spacing, self._last_s = time_s - self._last_s, time_s
        self._check_spacings(np.array([spacing]))
        slot = int(np.floor((time_s - self._origin_s) / self._interval_s + 0.5))
        if self._open is not None and slot == self._open[0]:
            self._add(values)
            return
        yield from self._tell_open()
        if slot < self._next:
            return
        if slot > self._next:
            yield Skip(slot - self._next)
        self._begin(slot, values)
        if spacing >= self._interval_s / 2:
            yield from self._tell_open()

    def _begin(self, slot: int, values: Float32) -> None:
        self._open = slot, np.zeros(self._channels), np.zeros(self._channels, np.int64)
        self._add(values)

    def _add(self, values: Float32) -> None:
        assert self._open is not None
        _, sums, counts = self._open
        known = ~np.isnan(values)
        sums[known] += values[known]
        counts += known

    def _tell_open(self) -> Iterator[Item]:
        if self._open is not None:
            slot, sums, counts = self._open
            self._open, self._next = None, slot + 1
            means = np.divide(sums, counts, out=np.full(self._channels, np.nan), where=counts > 0)
            yield Rows(means.astype(np.float32)[None])

    def _check_spacings(self, spacings: npt.NDArray[np.float64]) -> None:
        for spacing in spacings[: CHECKED_AT[-1] - len(self._spacings)].tolist():
            self._spacings.append(spacing)
            if len(self._spacings) in CHECKED_AT:
                self._compare()

    def _compare(self) -> None:
        """Raise InputError if the readings are regular, but not at the interval of the grid."""
        spacings = np.array(self._spacings)
        usual = float(np.median(spacings))
        regular = np.mean(np.abs(spacings - usual) <= REGULAR_WITHIN * usual) >= REGULAR_SHARE
        if regular and not 2 / 3 <= usual / self._interval_s <= 1.5:
            raise InputError(
                f"the readings come every {span(usual)}, but the bundle takes one every {span(self._interval_s)}. Give "
                f"it readings at that interval (averages of shorter ones), or a bundle that was built for {span(usual)}"
            )

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        none = np.zeros(0)
        late = none if self._late is None else np.array([self._late[0], *self._late[1].tolist()])
        opened = none if self._open is None else np.concatenate([[float(self._open[0])], self._open[1], self._open[2]])
        return {
            "clock": np.array([self._origin_s, self._last_s]),
            "next": np.array([self._next], np.int64),
            "late": late,
            "open": opened,
            "spacings": np.array(self._spacings, np.float64),
        }

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        clock = taken_times(arrays, "clock", (2,))
        slot = int(taken(arrays, "next", np.int64, (1,))[0])
        late, opened, spacings = (taken(arrays, name, np.float64, (None,)) for name in ("late", "open", "spacings"))
        channels = self._channels
        started = np.isfinite(clock).all()
        fits = (started or np.isnan(clock).all()) and slot >= 0 and len(spacings) <= CHECKED_AT[-1]
        fits = fits and len(late) in (0, 1 + channels) and len(opened) in (0, 1 + 2 * channels)
        finite = all(np.isfinite(part).all() for part in (late[:1], opened, spacings)) and not np.isinf(late).any()
        if not fits or not finite:
            raise InputError("the saved clock of the readings is damaged. Start without the state")
        self._origin_s, self._last_s = clock.tolist()
        self._next, self._spacings = slot, spacings.tolist()
        self._late = (float(late[0]), late[1:].astype(np.float32)) if len(late) else None
        sums, counts = opened[1 : 1 + channels], opened[1 + channels :].astype(np.int64)
        self._open = (int(opened[0]), sums, counts) if len(opened) else None
