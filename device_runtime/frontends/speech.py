"""Speech features in fixed point: the same bits on every board, in training and on the device.

The micro front end (from TensorFlow Lite Micro, packaged as `pymicro-features`) turns each 10 ms of audio into 40
mel-band energies with noise suppression and gain control. Its noise estimate takes about a second to settle: what it
says about a clip depends on what it heard before. It runs in the extension in C; where there is none, by that package.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from device_runtime import extension
from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.frontends.frame import Frame, check_float32
from device_runtime.frontends.micro import MicroFrames

FIXED = {"sample_rate_hz": 16_000, "window_ms": 30, "hop_ms": 10, "bands": 40}
"""What the micro front end is built for; nothing else can be asked of it."""

LONGEST = 256
"""Vectors in a frame, and from one frame to the next."""

WINDOW_HOPS = 3
"""The first vector is complete when its window of 30 ms is."""


class SpeechFrontend:
    """Every `stride` hops, one frame of the last `stack` feature vectors, band by band, oldest first.

    >>> frontend = SpeechFrontend(stack=5, stride=3)
    >>> len(frontend.push(np.zeros(16_000, np.float32)))  # the first after 5 vectors, then one every 30 ms
    32
    """

    def __init__(
        self,
        sample_rate_hz: int = 16_000,
        window_ms: int = 30,
        hop_ms: int = 10,
        bands: int = 40,
        stack: int = 5,
        stride: int = 3,
    ):
        asked = {"sample_rate_hz": sample_rate_hz, "window_ms": window_ms, "hop_ms": hop_ms, "bands": bands}
        for name, value in asked.items():
            if value != FIXED[name]:
                raise InputError(f"the speech front end has {name} = {FIXED[name]}, got {value}. Use {FIXED[name]}.")
        if not (1 <= stack <= LONGEST and 1 <= stride <= LONGEST):
            raise InputError(
                f"the speech front end needs stack and stride of 1 to {LONGEST}, got {stack} and {stride}. "
                "Choose smaller ones, such as 5 and 3"
            )
        self.sample_rate_hz: float = sample_rate_hz
        self.bands, self.stack, self.stride = bands, stack, stride
        self.feature_size = bands * stack
        self.frame_s = hop_ms * stride / 1000
        self._hop_ms = hop_ms
        self._made = 0
        self._frames = _frames(stack, stride)

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._frames.reset()
        self._made = 0

    def time_s(self, frames: int) -> float:
        """Seconds of input that so many frames take, from the start or the last reset."""
        hops = WINDOW_HOPS - 1 + self.stack + (frames - 1) * self.stride
        return hops * self._hop_ms / 1000

    def check(self, samples: Float32) -> None:
        """Raise InputError unless the samples are one channel of finite float32."""
        check_float32(samples)
        if samples.ndim != 1:
            raise InputError(
                f"samples must be one channel, shape (n,), got shape {samples.shape}. "
                "For (n, channels) use: samples.mean(axis=1)"
            )
        finite = np.isfinite(samples)
        if not finite.all():
            first = int(np.argmin(finite))
            raise InputError(
                f"sample {first} of the chunk is {samples[first]} ({int((~finite).sum())} of {len(samples)} samples "
                "are not finite numbers). Repair the source, or replace them with zeros: np.nan_to_num(samples)"
            )

    def push(self, samples: Float32) -> list[Frame]:
        """Take any number of samples; return the frames that they completed."""
        self.check(samples)
        frames = []
        for values in self._frames.push(to_int16(samples)):
            self._made += 1
            frames.append(Frame(values, self.time_s(self._made)))
        return frames


class Frames(Protocol):
    """Samples to frames, without their times."""

    def push(self, samples: npt.NDArray[np.int16]) -> Float32:
        """Take any number of samples; return the frames that they completed, (n, bands * stack)."""
        ...

    def reset(self) -> None:
        """Forget everything heard so far."""
        ...


class NativeFrames:
    """Frames by the extension in C."""

    def __init__(self, frontend: Any, feature_size: int) -> None:
        self._frontend, self._feature_size = frontend, feature_size

    def push(self, samples: npt.NDArray[np.int16]) -> Float32:
        """Take any number of samples; return the frames that they completed, (n, bands * stack)."""
        return extension.rows(self._frontend.push(samples), self._feature_size)

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._frontend.reset()


def _frames(stack: int, stride: int) -> Frames:
    try:
        native = extension.load()
    except ImportError:
        return MicroFrames(stack, stride)
    return NativeFrames(native.Frontend(stack, stride), FIXED["bands"] * stack)


def to_int16(samples: Float32) -> npt.NDArray[np.int16]:
    """Round -1..1 to 16-bit samples (little-endian), clipping what is louder."""
    scaled = np.floor(np.clip(samples, -1, 1) * np.float32(32768) + np.float32(0.5))
    int16: npt.NDArray[np.int16] = np.minimum(scaled, np.float32(32767)).astype("<i2")
    return int16
