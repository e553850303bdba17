"""What every decoder of sensors takes and does: the scores and readings of a step in, events out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.events import Event
from device_runtime.snapshots import Snapshot

Float64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sensors:
    """What the front end of a bundle measures, as a decoder must know it."""

    names: tuple[str, ...]
    """Of the channels."""

    mean: Float64  # (channels,)
    """In each channel's own unit; the model sees (reading - mean) / std."""

    std: Float64  # (channels,)
    interval_s: float
    segment: int
    """Samples of a frame."""

    every: int
    """Samples from one step to the next."""

    longest: int
    """Samples that the first step sees; without a reading for longer, everything is forgotten."""


@dataclass(frozen=True)
class SeriesStep:
    """One step of the model on sensors, and what was read since the step before."""

    time_s: float
    """Of the newest sample."""

    values: Float32
    """As they were read, in the channels' own units, since the step before; NaN is missing, (samples, channels)."""

    frames: Float32
    """As the model saw them: (channels, segments, feature_size) of a look-back, (1, 1, feature_size) of a window."""

    scores: Float32
    """(channels, n) of a look-back, (1, n) of a window."""

    level: Float32
    """What was taken from each scaled channel and is to be added back, (channels,); zeros of a window."""

    measured: Bool
    """Which channels have a reading among the samples that the model saw, (channels,)."""


class SeriesDecoder(Protocol):
    """Follows a model of sensors through time and says what is coming, or that something happened."""

    def push(self, step: SeriesStep) -> list[Event]:
        """Take one step; return its events."""
        ...

    def reset(self) -> None:
        """Forget everything since the start; what the manifest tells is no part of it."""
        ...

    def snapshot(self) -> Snapshot:
        """All that it remembers, as arrays."""
        ...

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot; InputError, and nothing changed, if it is not one of this decoder."""
        ...
