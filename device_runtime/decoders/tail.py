"""How surprising a number is beside those of its own past, whatever their distribution.

The largest two percent of the past are taken to fall off exponentially, as the tail of many distributions does (the
peaks over a threshold of extreme value theory; on streams: Siffer et al. 2017, "Anomaly detection in streams with
extreme value theory"). A series with rare large spikes has a long tail, and its next spike is then no surprise.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort

import numpy as np
import numpy.typing as npt

TAIL_SHARE = 0.02
WARM = 60
"""Numbers before the first answer: less would not tell a tail."""

STEEPEST = 0.02
"""Of the number where the tail begins: it falls off no faster, so that a series of equals can still surprise."""


class Tail:
    """Remembers the latest `memory` numbers, none below 0; `push` answers with -ln of the chance of one so large.

    >>> tail = Tail(memory=1000)
    >>> [round(tail.push(float(i % 50)), 1) for i in range(100)][-1]
    4.9
    >>> round(tail.push(100.0), 1)
    56.0
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory
        self.reset()

    def reset(self) -> None:
        """Forget all."""
        self._sorted: list[float] = []
        self._past = np.zeros(self._memory)  # in turn
        self._count = 0

    def push(self, number: float, least: float = 0.0) -> float:
        """The surprise, 0 while there is little past; the tail falls off no faster than by e every `least`."""
        surprise = self._surprise(number, least) if len(self._sorted) >= WARM else 0.0
        at = self._count % self._memory
        if self._count >= self._memory:
            del self._sorted[bisect_left(self._sorted, float(self._past[at]))]
        insort(self._sorted, number)
        self._past[at] = number
        self._count += 1
        return surprise

    def _surprise(self, number: float, least: float) -> float:
        known = len(self._sorted)
        begin = int((1 - TAIL_SHARE) * known)
        rarer = math.log(known / (known - begin))
        edge = self._sorted[begin]
        if number <= edge:
            as_large = known - bisect_left(self._sorted, number)
            return min(rarer, math.log((known + 1) / (as_large + 1)))
        # fsum: exact, while the plain sum of Python rounds otherwise from 3.12 on
        mean_excess = math.fsum(self._sorted[begin:]) / (known - begin) - edge
        return rarer + (number - edge) / max(mean_excess, STEEPEST * edge, least, 1e-300)

    def usual(self) -> float:
        """What all but the largest two percent of the past stay below; 0 before any."""
        return self._sorted[int((1 - TAIL_SHARE) * len(self._sorted))] if self._sorted else 0.0

    def snapshot(self) -> npt.NDArray[np.float64]:
        """The numbers of the past, oldest first."""
        at = self._count % self._memory
        if self._count < self._memory:
            return self._past[:at].copy()
        return np.concatenate([self._past[at:], self._past[:at]])

    def fits(self, past: npt.NDArray[np.float64]) -> bool:
        """Whether these can be the numbers of a snapshot."""
        return len(past) <= self._memory and bool((past >= 0).all() and np.isfinite(past).all())

    def restore(self, past: npt.NDArray[np.float64]) -> None:
        """Go on from a snapshot of at most `memory` numbers."""
        self._count = len(past)
        self._past[: self._count] = past
        self._sorted = sorted(past.tolist())
