"""Silero VAD's ONNX file out of the package silero-vad, in ONNX Runtime: 32 ms of samples a run, as its own code does.

The package itself is not imported: it would bring torch. What its wrapper does besides is done here in NumPy.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.engines.onnx import session_options
from scenarios.benchmarks.turns import Run

NAME = "Silero VAD (ONNX)"
PACKAGE = "silero_vad"
FILE = "data/silero_vad.onnx"
WINDOW, CONTEXT = 512, 64
"""Samples of a run, and how many of those before it are repeated."""


def listening(chunks: Sequence[Float32]) -> Run:
    """Hears the chunks; what does not fill a window waits for the next one."""
    import onnxruntime

    options = session_options()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(_file().read_bytes(), options, providers=["CPUExecutionProvider"])
    rate = np.array(16_000, np.int64)
    state = np.zeros((2, 1, 128), np.float32)
    waiting = np.zeros(CONTEXT, np.float32)

    def run(times: int) -> None:
        nonlocal state, waiting
        for _ in range(times):
            for chunk in chunks:
                waiting = np.concatenate([waiting, chunk])
                while len(waiting) >= CONTEXT + WINDOW:
                    window = waiting[None, : CONTEXT + WINDOW]
                    _, state = session.run(None, {"input": window, "state": state, "sr": rate})
                    waiting = waiting[WINDOW:]

    return run


def _file() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.submodule_search_locations
    return Path(found.submodule_search_locations[0]) / FILE
