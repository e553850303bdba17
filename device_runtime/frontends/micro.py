"""Speech features by the package `pymicro-features`, where the extension in C is not built: the same bits, slower."""

from __future__ import annotations

import importlib
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.errors import EngineError

HOP = 160


class MicroFrames:
    """Every `stride` vectors of pymicro-features, a frame of the last `stack` of them."""

    def __init__(self, stack: int, stride: int) -> None:
        self._make = _micro_frontend()
        self._stack, self._stride = stack, stride
        self.reset()

    def reset(self) -> None:
        """Forget everything heard so far."""
        self._micro = self._make()
        self._waiting = b""  # less than one hop of int16 samples
        self._vectors: deque[list[float]] = deque(maxlen=self._stack)
        self._until_frame = self._stack

    def push(self, samples: npt.NDArray[np.int16]) -> Float32:
        """Take any number of samples; return the frames that they completed, (n, bands * stack)."""
        audio = self._waiting + samples.astype("<i2").tobytes()
        whole = len(audio) - len(audio) % (2 * HOP)
        self._waiting = audio[whole:]
        # The micro front end keeps its own 30 ms window; it reads at most one hop a call and drops any surplus.
        hops = (audio[start : start + 2 * HOP] for start in range(0, whole, 2 * HOP))
        frames = [np.array(self._vectors, np.float32).T.reshape(-1) for hop in hops if self._completes(hop)]
        return np.stack(frames) if frames else np.empty((0, 0), np.float32)

    def _completes(self, hop: bytes) -> bool:
        features = self._micro.process_samples(hop).features
        if not features:  # its first window is not full yet
            return False
        self._vectors.append(features)
        self._until_frame -= 1
        if self._until_frame:
            return False
        self._until_frame = self._stride
        return True


def _micro_frontend() -> Any:
    try:
        return importlib.import_module("pymicro_features").MicroFrontend
    except ImportError as error:
        raise EngineError(
            "the speech front end needs the extension in C, which is not built here, or pymicro-features, which is not "
            f"installed ({error}). Install a C compiler, then: pip install --force-reinstall tinyrnn-runtime; "
            'or: pip install "tinyrnn-runtime[speech]"'
        ) from error
