"""Sensor features: each channel scaled by its own mean and deviation, gaps filled, `segment` samples a frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.frontends.frame import Frame, check_float32
from device_runtime.snapshots import Snapshot, taken

TINY = np.float32(1e-30)
"""Smaller magnitudes become 0: no sensor tells them from it, and some engines flush denormal numbers while others keep
them. Scaled by an input gain they could round either way, and the engines would differ by a bit."""

LARGEST = np.float32(1e28)
"""Larger magnitudes become this: times the largest input gain that a bundle may have, it is still a float32."""

FORGET = 1_000
"""Samples: a model that carries its state may have a long memory, but none that outlives this."""


class WindowFrontend:
    """Every `segment` samples, one frame of them, sample by sample; a missing value is NaN.

    `gaps` says what stands for a missing value: "hold" the channel's last one; "interpolate" between its neighbours
    within the segment, and hold where the segment ends in a gap; "mask" puts the mean, and adds to each sample one
    value a channel that is 1 where it was measured and 0 where not.

    >>> frontend = WindowFrontend(interval_s=0.1, mean=[20.0], std=[2.0], segment=3)
    >>> frontend.push(np.array([[22], [np.nan], [18]], np.float32))[0].values.tolist()
    [1.0, 1.0, -1.0]
    """

    def __init__(
        self,
        interval_s: float,
        mean: Sequence[float],
        std: Sequence[float],
        segment: int,
        gaps: str = "hold",
        channels: Sequence[str] = (),
        forget: int = FORGET,
    ):
        check_settings("window", interval_s, mean, std, segment, gaps)
        if channels and len(channels) != len(mean):
            raise InputError(
                f"the window front end needs a name for each channel, got {len(channels)} names for {len(mean)}."
            )
        self.interval_s, self.sample_rate_hz = float(interval_s), 1 / interval_s
        self.names = tuple(channels) or tuple(f"channel {i + 1}" for i in range(len(mean)))
        self.channels, self.segment, self.every, self.gaps = len(mean), segment, segment, gaps
        self.longest = forget
        """Samples without any reading after which a session forgets everything."""

        self.feature_size = segment * self.channels * (2 if gaps == "mask" else 1)
        self.frame_s = segment * self.interval_s
        self._mean = np.asarray(mean, np.float32)
        self._gain = (1 / np.asarray(std, np.float64)).astype(np.float32)
        self.reset()

    def reset(self) -> None:
        """Forget everything measured so far."""
        self._waiting = np.zeros((0, self.channels), np.float32)
        self._known = Known(np.zeros(self.channels, np.float32), np.full(self.channels, -1))
        self._frames = 0

    def check(self, samples: Float32) -> None:
        """Raise InputError unless the samples are float32 (n, channels), finite or NaN."""
        check_readings(samples, self.channels)

    def push(self, samples: Float32) -> list[Frame]:
        """Take any number of samples; return the frames that they completed."""
        self.check(samples)
        with np.errstate(over="ignore"):
            scaled = (samples.reshape(-1, self.channels) - self._mean) * self._gain
        scaled = np.clip(scaled, -LARGEST, LARGEST)  # a gap, NaN, stays one
        waiting = np.concatenate([self._waiting, scaled])
        whole = len(waiting) - len(waiting) % self.segment
        self._waiting = waiting[whole:].copy()
        return [self._frame(waiting[at : at + self.segment]) for at in range(0, whole, self.segment)]

    def _frame(self, segment: Float32) -> Frame:
        filled = GAPS[self.gaps](segment, self._known)  # (segment, channels or 2 channels)
        filled = np.where(np.abs(filled) < TINY, np.float32(0), filled)
        self._known = self._known.after(segment)
        self._frames += 1
        return Frame(filled.reshape(-1), self._frames * self.segment * self.interval_s)

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        known: Snapshot = {"known": self._known.values.copy(), "places": self._known.places.copy()}
        return known | {"waiting": self._waiting.copy(), "frames": np.array([self._frames], np.int64)}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        waiting = taken(arrays, "waiting", np.float32, (None, self.channels))
        values = taken(arrays, "known", np.float32, (self.channels,))
        places = taken(arrays, "places", np.int64, (self.channels,))
        frames = int(taken(arrays, "frames", np.int64, (1,))[0])
        if len(waiting) >= self.segment or np.isinf(waiting).any() or not np.isfinite(values).all() or frames < 0:
            raise InputError("the saved state of the window is damaged. Start without the state")
        self._waiting, self._known, self._frames = waiting, Known(values, places), frames


def check_settings(
    name: str, interval_s: float, mean: Sequence[float], std: Sequence[float], segment: int, gaps: str
) -> None:
    """Raise InputError for settings that no front end of sensors can have."""
    if interval_s <= 0 or segment < 1:
        raise InputError(
            f"the {name} front end needs an interval above 0 and a segment of at least 1 sample, got {interval_s} s "
            f"and {segment}."
        )
    if not mean or len(mean) != len(std) or min(std) <= 0:
        raise InputError(
            f"the {name} front end needs one mean and one std above 0 for each channel, got {mean} and {std}."
        )
    if gaps not in GAPS:
        raise InputError(f"the {name} front end fills gaps by {', '.join(GAPS)}, got {gaps!r}. Choose one of them.")


def check_readings(samples: Float32, channels: int) -> None:
    """Raise InputError unless the samples are float32 (n, channels), finite or NaN."""
    check_float32(samples)
    if samples.shape != (len(samples), channels) and (samples.ndim != 1 or channels != 1):
        raise InputError(f"samples must have shape (n, {channels}), one column a channel, got {samples.shape}.")
    infinite = np.isinf(samples)
    if infinite.any():
        first = int(np.argwhere(infinite)[0, 0])
        raise InputError(
            f"sample {first} of the chunk is infinite ({int(infinite.sum())} values are). "
            "A missing value is NaN: samples[numpy.isinf(samples)] = numpy.nan"
        )


class Known:
    """The last measured value of each channel and where it stands before the segment; the mean before any."""

    def __init__(self, values: Float32, places: np.ndarray[tuple[int, ...], np.dtype[np.int64]]):
        self.values, self.places = values, places

    def after(self, segment: Float32) -> Known:
        """The same, seen from the next segment."""
        measured = ~np.isnan(segment)
        last = len(segment) - 1 - np.argmax(measured[::-1], axis=0)
        found = measured.any(axis=0)
        values = np.where(found, segment[last, np.arange(len(last))], self.values)
        return Known(values.astype(np.float32), np.where(found, last, self.places) - len(segment))


def _hold(segment: Float32, known: Known) -> Float32:
    with_known = np.concatenate([known.values[None], segment])
    measured = ~np.isnan(with_known)
    latest = np.maximum.accumulate(np.where(measured, np.arange(len(with_known))[:, None], 0), axis=0)
    return np.take_along_axis(with_known, latest, axis=0)[1:]


def _interpolate(segment: Float32, known: Known) -> Float32:
    filled = np.empty_like(segment)
    for channel, values in enumerate(segment.T):
        places = np.flatnonzero(~np.isnan(values))
        x = np.concatenate([known.places[channel : channel + 1], places])
        y = np.concatenate([known.values[channel : channel + 1], values[places]])
        filled[:, channel] = np.interp(np.arange(len(values)), x, y)
    return filled


def _mask(segment: Float32, known: Known) -> Float32:
    measured = ~np.isnan(segment)
    return np.concatenate([np.where(measured, segment, np.float32(0)), measured.astype(np.float32)], axis=1)


GAPS: dict[str, Callable[[Float32, Known], Float32]] = {"hold": _hold, "interpolate": _interpolate, "mask": _mask}
