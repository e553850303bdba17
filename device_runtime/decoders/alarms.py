"""When to tell of a surprise: once, and again only when it has been calm for a while or is far worse than told."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

AGAIN = 2.0
"""Times the largest surprise since the last alarm: so much worse is told at once."""


class Alarms:
    """Fires at the threshold; then every surprise that reaches it extends the quiet of `quiet` steps.

    >>> alarms = Alarms(threshold=9.0, quiet=2)
    >>> [alarms.push(surprise) for surprise in (10, 12, 1, 11, 30, 1, 1, 10)]
    [True, False, False, False, True, False, False, True]
    """

    def __init__(self, threshold: float, quiet: int) -> None:
        self._threshold, self._quiet = threshold, quiet
        self.reset()

    def reset(self) -> None:
        """Forget the last alarm."""
        self._since = math.inf  # steps since the last surprise that reached the threshold
        self._peak = 0.0

    def push(self, surprise: float, steps: int = 1) -> bool:
        """Take the surprise of the next step, or the one after `steps - 1` calm ones; whether to tell of it."""
        self._since += steps
        if surprise < self._threshold:
            return False
        calm = self._since > self._quiet
        fires = calm or surprise > AGAIN * self._peak
        self._peak = surprise if calm else max(self._peak, surprise)
        self._since = 0
        return fires

    def snapshot(self) -> tuple[float, float]:
        """All that it remembers."""
        return self._since, self._peak

    def restore(self, since: float, peak: float) -> None:
        """Go on from a snapshot."""
        self._since, self._peak = since, peak


def fires(surprises: npt.NDArray[np.float64], threshold: float, quiet: int) -> npt.NDArray[np.int64]:
    """At which of these steps from the start `Alarms` fires, found in one go."""
    alarms = Alarms(threshold, quiet)
    loud = np.flatnonzero(surprises >= threshold)
    steps = np.diff(loud, prepend=-1).tolist()
    told = [alarms.push(surprise, after) for surprise, after in zip(surprises[loud].tolist(), steps, strict=True)]
    fired: npt.NDArray[np.int64] = loud[np.array(told, bool)]
    return fired
