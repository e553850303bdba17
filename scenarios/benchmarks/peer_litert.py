"""A float step in LiteRT's own operators: FULLY_CONNECTED, LOGISTIC and TANH, on XNNPACK."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.engines.litert import quiet
from scenarios.benchmarks.floats import FloatAffine, FloatDense, FloatGru, FloatModel, own_state

NAME = "float LiteRT"


@dataclass(frozen=True)
class LitertPeer:
    """A loaded graph."""

    interpreter: Any
    inputs: list[int]
    outputs: list[int]
    hidden: int
    name: str = NAME

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        """(feature_size,), (at least hidden,) -> scores (labels,), next state (hidden,)."""
        self.interpreter.set_tensor(self.inputs[0], frame)
        self.interpreter.set_tensor(self.inputs[1], own_state(state, self.hidden))
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.outputs[0]), self.interpreter.get_tensor(self.outputs[1])


def load(path: Path, hidden: int) -> LitertPeer:
    """Ready to step."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(model_content=path.read_bytes(), num_threads=1)
        interpreter.allocate_tensors()
    sides = [interpreter.get_input_details(), interpreter.get_output_details()]
    inputs, outputs = ([entry["index"] for entry in side] for side in sides)
    return LitertPeer(interpreter, inputs, outputs, hidden)


def write(model: FloatModel, path: Path) -> None:
    """Write the graph of one step."""
    from export.tflite_graph import TfliteGraph  # not in the process that measures memory

    path.write_bytes(to_bytes(model, TfliteGraph()))


def to_bytes(model: FloatModel, graph: Any) -> bytes:
    """The file, collected in an empty graph, which may store the weights in a form of its own."""
    frame = graph.tensor((model.feature_size,), np.float32, "frame")
    state = graph.tensor((sum(model.hidden_sizes),), np.float32, "state")
    x = graph.reshape(frame, (1, model.feature_size))
    h = graph.reshape(state, (1, sum(model.hidden_sizes)))
    next_states: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, FloatDense):
            rows = graph.gather(x, graph.constant(layer.windows, np.int32), axis=1)  # (1, windows, columns)
            rows = graph.reshape(rows, rows.shape[1:])
            x = graph.unary("RELU", _affine(graph, layer.affine, rows))
            x = graph.reshape(x, (1, x.shape[0] * x.shape[1]))
        else:
            at = sum(model.hidden_sizes[: len(next_states)])
            x = _gru(graph, layer, x, graph.slice(h, at, layer.hidden))
            next_states.append(x)
    scores, both = _affine(graph, model.head, x), graph.concatenate(next_states)
    outputs = [graph.reshape(scores, scores.shape[1:], "scores"), graph.reshape(both, both.shape[1:], "next_state")]
    return bytes(graph.to_bytes([frame, state], outputs))


def _affine(graph: Any, affine: FloatAffine, x: Any) -> Any:
    constants = [graph.constant(affine.weight), graph.constant(affine.bias)]
    return graph.op("FULLY_CONNECTED", [x, *constants], (x.shape[0], len(affine.bias)), np.float32)


def _gru(graph: Any, layer: FloatGru, x: Any, h: Any) -> Any:
    hidden = layer.hidden
    gx, gh = _affine(graph, layer.input, x), _affine(graph, layer.state, h)
    gates = graph.add(graph.slice(gx, 0, 2 * hidden), graph.slice(gh, 0, 2 * hidden))
    rz = graph.unary("LOGISTIC", gates)
    r, z = graph.slice(rz, 0, hidden), graph.slice(rz, hidden, hidden)
    reset = graph.mul(r, graph.slice(gh, 2 * hidden, hidden))
    n = graph.unary("TANH", graph.add(graph.slice(gx, 2 * hidden, hidden), reset))
    return graph.add(n, graph.mul(z, graph.sub(h, n)))
