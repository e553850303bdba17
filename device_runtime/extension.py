"""The extension in C, `native/*.c`: built when the package is installed where a C compiler is."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32

NAME = "device_runtime.native._native"
LONGEST_WATCH = 1024


def load() -> Any:
    """The module; ImportError where it was not built or cannot be loaded."""
    return importlib.import_module(NAME)


def watch(thresholds: npt.NDArray[np.float64], releases: npt.NDArray[np.float64], window: int) -> Any | None:
    """Says of scores whether a label's mean over so many steps may have reached its threshold, or its release.

    None where the extension is not built, and for windows longer than it takes.
    """
    try:
        native = load()
    except ImportError:
        return None
    return native.Watch(thresholds, releases, window) if window <= LONGEST_WATCH else None


def rows(answer: bytearray, size: int) -> Float32:
    """What a push answered, as rows of so many numbers."""
    values: Float32 = np.frombuffer(answer, np.float32) if answer else np.empty(0, np.float32)
    return values.reshape(-1, size)
