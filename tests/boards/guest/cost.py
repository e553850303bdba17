"""On a board: a bundle's steps and a second of audio on one engine, between marks that icount.c counts.

cost.py FOLDER ENGINE STEPS: prints the most memory that the process held, in kB. FOLDER holds `cost.bundle` and the
files of the peers; without an engine it holds nothing and does nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

MARK = 0x6D610000
WARM_UP_STEPS = 5


def mark(label: int) -> None:
    """Tell the counter; no file has this number."""
    with contextlib.suppress(OSError):
        os.close(MARK + label)


class LitertPeer:
    """Float inputs and outputs, one GRU state."""

    name = "litert_dynamic_range"

    def __init__(self, folder: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_content=(folder / f"{self.name}.tflite").read_bytes(), num_threads=1)
        self.interpreter.allocate_tensors()
        sides = (self.interpreter.get_input_details(), self.interpreter.get_output_details())
        self.inputs, self.outputs = ([entry["index"] for entry in side] for side in sides)

    def step(self, frame: Any, state: Any) -> tuple[Any, Any]:
        self.interpreter.set_tensor(self.inputs[0], frame)
        self.interpreter.set_tensor(self.inputs[1], state)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.outputs[0]), self.interpreter.get_tensor(self.outputs[1])


class OnnxPeer:
    """ONNX Runtime's own GRU in float."""

    name = "onnx_float_gru"

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        from device_runtime.engines.onnx import session_options

        options = session_options()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        path, providers = str(folder / f"{self.name}.onnx"), ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(path, options, providers=providers)

    def step(self, frame: Any, state: Any) -> tuple[Any, Any]:
        scores, next_state = self.session.run(None, {"frame": frame, "state": state})
        return scores, next_state


PEERS = {peer.name: peer for peer in (LitertPeer, OnnxPeer)}


def run(folder: Path, engine: str, steps: int) -> None:
    """The work."""
    import numpy as np

    from device_runtime import bench, bundle, engines
    from device_runtime.errors import EngineError
    from device_runtime.session import Session

    path = folder / "cost.bundle"
    opened = bundle.read(path)
    state = opened.model.initial_state()
    if engine in PEERS:
        runs: Any = PEERS[engine](folder)
        state = state[opened.model.feature_size :]
    else:
        runs = engines.load(engine, opened)
    frames = np.random.default_rng(0).standard_normal((WARM_UP_STEPS + steps, 200)).astype(np.float32)
    for frame in frames[:WARM_UP_STEPS]:
        _, state = runs.step(frame, state)
    mark(0)
    for frame in frames[WARM_UP_STEPS:]:
        _, state = runs.step(frame, state)
    mark(1)
    try:
        session = Session.open(path, engine if engine in engines.ENGINES else "reference")
    except EngineError:  # the speech front end has no package for this board
        return
    if engine in PEERS:
        return
    second = bench.example_signal(session, 1.0)
    session.push(second)
    mark(2)
    session.push(second)
    mark(3)


if __name__ == "__main__":
    folder, engine, steps = sys.argv[1:]
    if engine != "none":
        run(Path(folder), engine, int(steps))
    status = Path("/proc/self/status").read_text()
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
