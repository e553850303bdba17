"""A float step in LiteRT's own operators: FULLY_CONNECTED, LOGISTIC and TANH, on XNNPACK."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.quiet import quiet
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
    own: Callable[[Any, int], Any] = own_state
    """The state that the graph takes, out of what a session hands over."""

    def step(self, frame: Float32, state: Any) -> tuple[Float32, Any]:
        """(feature_size,), (at least hidden,) -> scores (labels,), next state (hidden,)."""
        self.interpreter.set_tensor(self.inputs[0], frame)
        self.interpreter.set_tensor(self.inputs[1], self.own(state, self.hidden))
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


Affines = Callable[[Any, FloatAffine, Any], Any]
"""Adds weight . x + bias to a graph, in the form that a peer has its weights in: graph, affine, (n, columns)."""


def write(model: FloatModel, path: Path) -> None:
    """Write the graph of one step."""
    write_with(_affine, model, path)


def write_with(affine: Affines, model: FloatModel, path: Path) -> None:
    """Write the graph of one step whose products are made by `affine`."""
    from export.tflite_graph import TfliteGraph  # not in the process that measures memory

    graph = TfliteGraph()
    frame = graph.tensor((model.feature_size,), np.float32, "frame")
    state = graph.tensor((sum(model.hidden_sizes),), np.float32, "state")
    x = graph.reshape(frame, (1, model.feature_size))
    h = graph.reshape(state, (1, sum(model.hidden_sizes)))
    next_states: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, FloatDense):
            rows = graph.gather(x, graph.constant(layer.windows, np.int32), axis=1)  # (1, windows, columns)
            rows = graph.reshape(rows, rows.shape[1:])
            x = graph.unary("RELU", affine(graph, layer.affine, rows))
            x = graph.reshape(x, (1, x.shape[0] * x.shape[1]))
        else:
            at = sum(model.hidden_sizes[: len(next_states)])
            own = h if layer.hidden == h.shape[1] else graph.slice(h, at, layer.hidden)
            x = _gru(graph, affine, layer, x, own)
            next_states.append(x)
    scores = affine(graph, model.head, x)
    # XNNPACK does not take a concatenation of one row, and would run the step in two pieces for it.
    both = next_states[0] if len(next_states) == 1 else graph.concatenate(next_states)
    outputs = [graph.reshape(scores, scores.shape[1:], "scores"), graph.reshape(both, both.shape[1:], "next_state")]
    path.write_bytes(graph.to_bytes([frame, state], outputs))


def _affine(graph: Any, affine: FloatAffine, x: Any) -> Any:
    constants = [graph.constant(affine.weight), graph.constant(affine.bias)]
    return graph.op("FULLY_CONNECTED", [x, *constants], (x.shape[0], len(affine.bias)), np.float32)


def _gru(graph: Any, affine: Affines, layer: FloatGru, x: Any, h: Any) -> Any:
    hidden = layer.hidden
    gx, gh = affine(graph, layer.input, x), affine(graph, layer.state, h)
    gates = graph.add(graph.slice(gx, 0, 2 * hidden), graph.slice(gh, 0, 2 * hidden))
    rz = graph.unary("LOGISTIC", gates)
    r, z = graph.slice(rz, 0, hidden), graph.slice(rz, hidden, hidden)
    reset = graph.mul(r, graph.slice(gh, 2 * hidden, hidden))
    n = graph.unary("TANH", graph.add(graph.slice(gx, 2 * hidden, hidden), reset))
    return graph.add(n, graph.mul(z, graph.sub(h, n)))
