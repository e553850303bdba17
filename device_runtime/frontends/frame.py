"""What every front end does: take samples as they come, give frames as they complete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError


@dataclass(frozen=True)
class Frame:
    """One feature vector, ready for one step of the model."""

    values: Float32
    """(feature_size,)"""

    time_s: float
    """Seconds of input, since the start or the last reset, that had been taken when the frame was complete."""


class Frontend(Protocol):
    """Turns samples into frames; the frames do not depend on how the samples were cut into chunks."""

    sample_rate_hz: float
    feature_size: int
    frame_s: float
    """Seconds from one frame to the next."""

    def check(self, samples: Float32) -> None:
        """Raise InputError if the samples cannot be used; takes nothing in."""

    def push(self, samples: Float32) -> list[Frame]:
        """Take any number of samples; return the frames that they completed."""

    def reset(self) -> None:
        """Forget everything heard so far."""


def check_float32(samples: object) -> None:
    """Raise InputError unless the samples are a float32 array."""
    if not isinstance(samples, np.ndarray):
        raise InputError(
            f"samples must be a NumPy array of float32, got {type(samples).__name__}. "
            "Use: numpy.asarray(samples, 'float32')"
        )
    if samples.dtype != np.float32:
        raise InputError(
            f"samples must be float32 in -1..1, got {samples.dtype}. "
            "For 16-bit PCM use: samples.astype('float32') / 32768"
        )
