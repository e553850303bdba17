"""ONNX Runtime's own float `GRU` operator, one step a run: what an ONNX export of a torch model gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.engines.onnx import session_options
from scenarios.benchmarks.floats import FloatDense, FloatGru, FloatModel, own_state

NAME = "float ONNX GRU"


@dataclass(frozen=True)
class OnnxPeer:
    """A loaded graph."""

    session: Any
    hidden: int
    name: str = NAME

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        """(feature_size,), (at least hidden,) -> scores (labels,), next state (hidden,)."""
        scores, next_state = self.session.run(None, {"frame": frame, "state": own_state(state, self.hidden)})
        return scores, next_state


def load(path: Path, hidden: int) -> OnnxPeer:
    """Ready to step, with all the optimizations that ONNX Runtime has."""
    import onnxruntime

    options = session_options()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return OnnxPeer(
        onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"]), hidden
    )


def write(model: FloatModel, path: Path) -> None:
    """Write the graph of one step."""
    from export.onnx_graph import OnnxGraph  # not in the process that measures memory

    graph = OnnxGraph()
    states = graph.split("state", model.hidden_sizes)
    next_states: list[str] = []
    x = "frame"
    for layer in model.layers:
        if isinstance(layer, FloatDense):
            x = graph.op("Gather", x, layer.windows.astype(np.int64), axis=0)  # (windows, columns)
            x = graph.op("Add", graph.op("MatMul", x, layer.affine.weight.T), layer.affine.bias)
            x = graph.reshape(graph.op("Relu", x), -1)
        else:
            h = graph.reshape(states[len(next_states)], 1, 1, layer.hidden)
            x = _gru(graph, layer, graph.reshape(x, 1, 1, -1), h)
            next_states.append(x)
    scores = graph.op("Add", graph.op("MatMul", x, model.head.weight.T), model.head.bias)
    next_state = next_states[0] if len(next_states) == 1 else graph.op("Concat", *next_states, axis=0)
    hidden = sum(model.hidden_sizes)
    inputs = {"frame": model.feature_size, "state": hidden}
    path.write_bytes(graph.to_bytes(inputs, {scores: len(model.head.bias), next_state: hidden}))


def _gru(graph: Any, layer: FloatGru, x: str, h: str) -> str:
    biases = np.concatenate([gate_order(layer.input.bias), gate_order(layer.state.bias)])
    weights = [gate_order(layer.input.weight)[None], gate_order(layer.state.weight)[None], biases[None]]
    names = [f"y{len(graph.nodes)}", f"h{len(graph.nodes)}"]
    _, last = graph.ops("GRU", x, *weights, "", h, names=names, hidden_size=layer.hidden, linear_before_reset=1)
    return str(graph.reshape(last, -1))


def gate_order(rows: Float32) -> Float32:
    """Reorder from torch's r, z, n to ONNX's z, r, h."""
    r, z, n = np.split(rows, 3)
    return np.concatenate([z, r, n])
