"""LiteRT's full-int8 step: every tensor between the frame and the scores is int8, scaled by what a calibration saw.

The state stays int8 from step to step, in and out with one scale. That is fast, and drifts: what a step adds is often
less than one of the state's 127 levels. It stands here for its cost alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scenarios.benchmarks import peer_litert
from scenarios.benchmarks.floats import FloatAffine, FloatGru, FloatModel
from scenarios.benchmarks.peer_litert_dynamic import int8_rows

NAME = "full-int8 LiteRT"
CALIBRATION_FRAMES = 200
UNIT = 1 / 128
"""Scale of states and of tanh; LiteRT's TANH gives no other."""

SIGMOID_UNIT, SIGMOID_ZERO = 1 / 256, -128
"""LiteRT's LOGISTIC gives no other."""


def load(path: Path, hidden: int) -> peer_litert.LitertPeer:
    """Ready to step: its states are (hidden,) int8."""
    return replace(peer_litert.load(path, hidden), name=NAME, own=_own_state)


def _own_state(state: np.ndarray, hidden: int) -> np.ndarray:
    """A first state is of float zeros."""
    own = state[len(state) - hidden :]
    return own if own.dtype == np.int8 else own.astype(np.int8)


def write(model: FloatModel, path: Path) -> None:
    """Write the graph of one step of a model that is one GRU layer and a head."""
    from export.tflite_graph import TfliteGraph

    (layer,) = model.layers
    assert isinstance(layer, FloatGru)
    graph = TfliteGraph()
    steps = _Int8(graph, _largest(model, layer))
    hidden, n_at = layer.hidden, 2 * layer.hidden
    frame = graph.tensor((model.feature_size,), np.float32, "frame")
    state = graph.tensor((hidden,), np.int8, "state", scale=UNIT)
    row = graph.reshape(frame, (1, model.feature_size))
    x = steps.op("QUANTIZE", [row], "x", model.feature_size)
    h = graph.op("RESHAPE", [state, graph.constant([1, hidden], np.int32)], (1, hidden), np.int8, scale=UNIT)
    gx = steps.affine(layer.input, x, steps.scale("x"), "gx")
    gh = steps.affine(layer.state, h, UNIT, "gh")
    gates = steps.op("ADD", [steps.cut(gx, "gx", 0, n_at), steps.cut(gh, "gh", 0, n_at)], "rz", n_at)
    rz = graph.op("LOGISTIC", [gates], (1, n_at), np.int8, scale=SIGMOID_UNIT, zero_point=SIGMOID_ZERO)
    r, z = steps.gate(rz, 0, hidden), steps.gate(rz, hidden, hidden)
    reset = steps.op("MUL", [r, steps.cut(gh, "gh", n_at, hidden)], "gh", hidden)
    before = steps.op("ADD", [steps.cut(gx, "gx", n_at, hidden), reset], "n", hidden)
    n = graph.op("TANH", [before], (1, hidden), np.int8, scale=UNIT)
    kept = steps.op("MUL", [z, steps.op("SUB", [h, n], "h - n", hidden)], "h - n", hidden)
    after = graph.op("ADD", [n, kept], (1, hidden), np.int8, scale=UNIT)
    answer = steps.affine(model.head, after, UNIT, "scores")
    floats = graph.op("DEQUANTIZE", [answer], answer.shape, np.float32)
    shape = graph.constant([hidden], np.int32)
    next_state = graph.op("RESHAPE", [after, shape], (hidden,), np.int8, name="next_state", scale=UNIT)
    path.write_bytes(graph.to_bytes([frame, state], [graph.reshape(floats, floats.shape[1:], "scores"), next_state]))


class _Int8:
    """Adds operators on int8 rows whose scales come from the largest values seen."""

    def __init__(self, graph: Any, largest: dict[str, float]) -> None:
        self._graph, self._largest = graph, largest

    def scale(self, name: str) -> float:
        return self._largest[name] / 127

    def op(self, kind: str, inputs: list[Any], name: str, size: int) -> Any:
        return self._graph.op(kind, inputs, (1, size), np.int8, scale=self.scale(name))

    def affine(self, affine: FloatAffine, x: Any, x_scale: float, name: str) -> Any:
        weight, scale = int8_rows(affine.weight)
        sums = tuple(row * x_scale for row in scale)
        bias = np.round(affine.bias / np.array(sums)).astype(np.int32)
        constants = [self._graph.constant(weight, np.int8, scale=scale), self._graph.constant(bias, np.int32, sums)]
        return self.op("FULLY_CONNECTED", [x, *constants], name, len(bias))

    def cut(self, v: Any, name: str, start: int, size: int) -> Any:
        return self.op("SLICE", [v, *self._span(start, size)], name, size)

    def gate(self, v: Any, start: int, size: int) -> Any:
        span = self._span(start, size)
        return self._graph.op("SLICE", [v, *span], (1, size), np.int8, scale=SIGMOID_UNIT, zero_point=SIGMOID_ZERO)

    def _span(self, start: int, size: int) -> list[Any]:
        return [self._graph.constant(at, np.int32) for at in ([0, start], [1, size])]


def _largest(model: FloatModel, layer: FloatGru) -> dict[str, float]:
    """Of each tensor over some hundred random frames, in float."""
    frames = np.random.default_rng(2).standard_normal((CALIBRATION_FRAMES, model.feature_size)).astype(np.float32)
    hidden, h = layer.hidden, np.zeros(layer.hidden, np.float32)
    seen: dict[str, float] = {}
    for x in frames:
        gx, gh = layer.input.weight @ x + layer.input.bias, layer.state.weight @ h + layer.state.bias
        gates = gx[: 2 * hidden] + gh[: 2 * hidden]
        r, z = np.split(1 / (1 + np.exp(-gates)), 2)
        before = gx[2 * hidden :] + r * gh[2 * hidden :]
        change = h - np.tanh(before)
        h = np.tanh(before) + z * change
        scores = model.head.weight @ h + model.head.bias
        values = {"x": x, "gx": gx, "gh": gh, "rz": gates, "n": before, "h - n": change, "scores": scores}
        seen = {name: max(seen.get(name, 0.0), float(np.abs(value).max())) for name, value in values.items()}
    return seen
