"""Which sensors have been silent, and for how long: what is worth a Gap, and when the past is no longer of use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.snapshots import Snapshot, taken


@dataclass(frozen=True)
class Part:
    """Some rows in a row, and what is to be told and done before them."""

    rows: Float32
    """(n, channels)"""

    ended: list[tuple[int | None, int]] = field(default_factory=list)
    """Gaps that end with the first row: the channel, or None for all of them, and how many rows it lacked."""

    forget: bool = False
    """All channels have been silent for so long that nothing before may be used again."""

    gone: bool = False
    """They are silent throughout these rows, too, and the model need not see them."""


class Absences:
    """Counts each channel's missing rows; `longest` of them are a gap.

    >>> absences = Absences(channels=1, longest=2)
    >>> rows = np.array([[1], [np.nan], [np.nan], [np.nan], [5]], np.float32)
    >>> [(part.rows[:, 0].tolist(), part.ended, part.forget, part.gone) for part in absences.split(rows)]
    [([1.0, nan], [], False, False), ([nan, nan], [], True, True), ([5.0], [(None, 3)], False, False)]
    """

    def __init__(self, channels: int, longest: int) -> None:
        self._longest = longest
        self._missing = np.zeros(channels, np.int64)

    def reset(self) -> None:
        """Every channel has just been read."""
        self._missing[:] = 0

    def skip(self, rows: int) -> None:
        """So many more rows in which nothing was read, after a gap of all channels has begun."""
        self._missing += rows

    def split(self, rows: Float32) -> Iterator[Part]:
        """The rows in order, cut where a gap ends and where all channels have been silent for too long."""
        missing = np.isnan(rows)
        if not missing.any() and (self._missing < self._longest).all():
            self._missing[:] = 0
            if len(rows):
                yield Part(rows)
            return
        start, part = 0, Part(rows, gone=self._gone)
        for at, absent in enumerate(missing):
            gone, back = self._gone, ~absent & (self._missing >= self._longest)
            counts = self._missing
            self._missing = np.where(absent, counts + 1, 0)
            if back.any():
                following = Part(rows, _ended(counts, back, gone))
            elif self._gone and not gone:
                following = Part(rows, forget=True, gone=True)
            else:
                continue
            if at > start or part.ended or part.forget:
                yield Part(rows[start:at], part.ended, part.forget, part.gone)
            start, part = at, following
        if len(rows) > start:
            yield Part(rows[start:], part.ended, part.forget, part.gone)

    @property
    def _gone(self) -> bool:
        return bool((self._missing >= self._longest).all())

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        return {"missing": self._missing.copy()}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        missing = taken(arrays, "missing", np.int64, self._missing.shape)
        if (missing < 0).any():
            raise InputError("the saved state of the gaps is damaged. Start without the state")
        self._missing = missing


def _ended(missing: npt.NDArray[np.int64], back: npt.NDArray[np.bool_], gone: bool) -> list[tuple[int | None, int]]:
    if gone:
        return [(None, int(missing.min()))]
    return [(int(channel), int(missing[channel])) for channel in np.flatnonzero(back)]
