"""Speech features in fixed point: the same bits on every board, in training and on the device.

The micro front end (from TensorFlow Lite Micro, packaged as `pymicro-features`) turns each 10 ms of audio into 40
mel-band energies with noise suppression and gain control. Its noise estimate takes about a second to settle: what it
says about a clip depends on what it heard before.
"""

from __future__ import annotations

import importlib
from collections import deque
from typing import Any

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import EngineError, InputError
from device_runtime.frontends.frame import Frame, check_float32

FIXED = {"sample_rate_hz": 16_000, "window_ms": 30, "hop_ms": 10, "bands": 40}
"""What the micro front end is built for; nothing else can be asked of it."""


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
        if stack < 1 or stride < 1:
            raise InputError(f"the speech front end needs stack and stride of at least 1, got {stack} and {stride}.")
        self.sample_rate_hz: float = sample_rate_hz
        self.bands, self.stack, self.stride = bands, stack, stride
        self.feature_size = bands * stack
        self.frame_s = hop_ms * stride / 1000
        self._hop_ms = hop_ms
        self._hop_bytes = sample_rate_hz * hop_ms // 1000 * 2
        self._make = _micro_frontend()
        self.reset()

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._micro = self._make()
        self._waiting = b""  # less than one hop of int16 samples
        self._vectors: deque[list[float]] = deque(maxlen=self.stack)
        self._hops = 0
        self._until_frame = self.stack

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
        audio = self._waiting + to_int16(samples).tobytes()
        whole = len(audio) - len(audio) % self._hop_bytes
        self._waiting = audio[whole:]
        frames = []
        # The micro front end keeps its own 30 ms window; it reads at most one hop a call and drops any surplus.
        for start in range(0, whole, self._hop_bytes):
            frames += self._hop(audio[start : start + self._hop_bytes])
        return frames

    def _hop(self, audio: bytes) -> list[Frame]:
        self._hops += 1
        features = self._micro.process_samples(audio).features
        if not features:  # its first window is not full yet
            return []
        self._vectors.append(features)
        self._until_frame -= 1
        if self._until_frame:
            return []
        self._until_frame = self.stride
        values = np.array(self._vectors, np.float32).T.reshape(-1)  # (bands * stack,), band by band
        return [Frame(values, self._hops * self._hop_ms / 1000)]


def to_int16(samples: Float32) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Round -1..1 to 16-bit samples (little-endian), clipping what is louder."""
    scaled = np.floor(np.clip(samples, -1, 1) * np.float32(32768) + np.float32(0.5))
    int16: np.ndarray[Any, np.dtype[np.int16]] = np.minimum(scaled, np.float32(32767)).astype("<i2")
    return int16


def _micro_frontend() -> Any:
    try:
        return importlib.import_module("pymicro_features").MicroFrontend
    except ImportError as error:
        raise EngineError(
            f"the speech front end needs pymicro-features, which is not installed ({error}). "
            "Install it with: pip install tinyrnn-runtime[speech]"
        ) from error
