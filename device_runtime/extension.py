"""The extension in C, `native/*.c`: built when the package is installed where a C compiler is."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from device_runtime.arithmetic import Float32

NAME = "device_runtime.native._native"


def load() -> Any:
    """The module; ImportError where it was not built or cannot be loaded."""
    return importlib.import_module(NAME)


def rows(answer: bytearray, size: int) -> Float32:
    """What a push answered, as rows of so many numbers."""
    values: Float32 = np.frombuffer(answer, np.float32) if answer else np.empty(0, np.float32)
    return values.reshape(-1, size)
