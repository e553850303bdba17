"""Sensor features of a single channel that needs no settings: each reading is seen beside what the series usually does.

Three features a sample, each squashed to -7.5 to 7.5: how far it lies from the running mean in deviations, how far it
moved since the last sample in usual changes, and how far it is to the median of what the next sample was on earlier
days at that time, in usual changes, 0 while unknown. Causal: nothing of the future is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime import snapshots
from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.frontends.frame import Frame
from device_runtime.frontends.window import TINY, check_readings
from device_runtime.snapshots import Snapshot
from device_runtime.usual import Usual, samples_a_day, squashed

SQUASH = 7.5
"""With an input gain of 16 this is 120: the features fill the int8 grid, and none is ever cut off."""

MEMORY = 1_000
"""Samples: the mean follows a change of level within some days of readings every five minutes."""

FORGET = 2_016
"""Samples: a week of readings every five minutes."""


class AdaptiveFrontend:
    """One frame a sample; a missing value is NaN, held at the last reading, and teaches nothing.

    >>> frontend = AdaptiveFrontend(interval_s=300)
    >>> [frame.values.tolist() for frame in frontend.push(np.array([1, 3, 2], np.float32))][-1]
    [0.0, -0.46875, 0.0]
    """

    def __init__(self, interval_s: float, channels: Sequence[str] = ("value",), forget: int = FORGET):
        if interval_s <= 0 or len(channels) != 1:
            raise InputError(
                f"the adaptive front end needs an interval above 0 and one channel, got {interval_s} s and "
                f"{', '.join(channels) or 'no channel'}."
            )
        self.interval_s, self.sample_rate_hz = float(interval_s), 1 / interval_s
        self.names, self.channels = tuple(channels), 1
        self.segment = self.every = 1
        self.feature_size, self.frame_s = 3, self.interval_s
        self.longest = forget
        self.reset()

    def reset(self) -> None:
        """Forget everything measured so far."""
        self._usual = Usual(MEMORY, samples_a_day(self.interval_s))
        self._frame = np.zeros(3, np.float32)
        self._frames = 0

    def check(self, samples: Float32) -> None:
        """Raise InputError unless the samples are float32 (n,) or (n, 1), finite or NaN."""
        check_readings(samples, 1)

    def push(self, samples: Float32) -> list[Frame]:
        """Take any number of samples; return a frame for each."""
        self.check(samples)
        return [self._next(value) for value in samples.reshape(-1).tolist()]

    def _next(self, value: float) -> Frame:
        if value == value:  # not NaN
            away, moved = self._usual.push(value)
            expected = self._usual.expected()
            ahead = 0.0 if expected is None else (expected - value) / self._usual.change
            self._frame = np.array([squashed(part, SQUASH) for part in (away, moved, ahead)], np.float32)
            self._frame[np.abs(self._frame) < TINY] = 0
        else:
            self._frame = self._frame.copy()
            self._frame[1] = 0  # the reading that is held does not move
        self._frames += 1
        return Frame(self._frame, self._frames * self.interval_s)

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        kept: Snapshot = {"frame": self._frame.copy(), "frames": np.array([self._frames], np.int64)}
        return kept | snapshots.under("usual", self._usual.snapshot())

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        frame = snapshots.taken(arrays, "frame", np.float32, (3,))
        frames = int(snapshots.taken(arrays, "frames", np.int64, (1,))[0])
        if not (np.abs(frame) <= SQUASH).all() or frames < 0:
            raise InputError("the saved state of the adaptive front end is damaged. Start without the state")
        self._usual.restore(snapshots.below("usual", arrays))
        self._frame, self._frames = frame, frames
