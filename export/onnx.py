"""model.onnx: one step of the model as an ONNX graph of exact integer products and plain float32 operations.

Products are `MatMulInteger` on int8 x int8, which is exact on every processor (the u8 x s8 kernels saturate silently on
x86 without VNNI, and QDQ graphs run in float). Everything else follows `arithmetic.step` operation by operation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from device_runtime import arithmetic, fixed_point
from export.onnx_graph import OnnxGraph, Value
from export.tables import upper_half


class Onnx:
    """Writes model.onnx: frame, state -> scores, next_state.

    >>> Onnx().write(model, Path("yes_no.bundle/model.onnx"))  # doctest: +SKIP
    """

    filename = "model.onnx"

    def write(self, model: arithmetic.Model, path: Path) -> None:
        """Write the graph of one step."""
        graph = OnnxGraph()
        scores, next_state = _step(graph, model)
        inputs = {"frame": model.feature_size, "state": model.state_size}
        path.write_bytes(graph.to_bytes(inputs, {scores: len(model.head.bias), next_state: model.state_size}))


def _step(graph: OnnxGraph, model: arithmetic.Model) -> tuple[Value, Value]:
    """arithmetic.step."""
    error, *states = graph.split("state", [model.feature_size, *model.hidden_sizes])
    wanted = graph.op("Add", graph.op("Mul", "frame", model.input_gain), error)
    rounded = _round_half_up(graph, wanted)
    next_state = [graph.op("Sub", wanted, rounded)]
    q, size = _int8(graph, rounded), model.feature_size
    for layer in model.layers:
        if isinstance(layer, arithmetic.Dense):
            q, size = _dense(graph, layer, q, size), layer.outputs(size)
        else:
            h = _gru(graph, layer, q, states.pop(0))
            next_state.append(h)
            q, size = _quantize_state(graph, h), layer.hidden
    scores = _affine(graph, model.head, _product(graph, model.head, q), name="scores")
    return scores, graph.op("Concat", *next_state, name="next_state", axis=0)


def _dense(graph: OnnxGraph, layer: arithmetic.Dense, q: Value, inputs: int) -> Value:
    """arithmetic.dense."""
    windows, columns = layer.windows(inputs), layer.affine.weight.shape[1]
    if (windows, columns) == (1, inputs):
        v = _affine(graph, layer.affine, _product(graph, layer.affine, q))
    else:
        starts = layer.hop * np.arange(windows, dtype=np.int32)
        # The sum is (windows, columns): small in the file, and folded when the session loads.
        at = graph.op("Add", starts[:, None], np.arange(columns, dtype=np.int32))
        product = graph.op("MatMulInteger", graph.op("Gather", q, at, axis=0), layer.affine.weight.T)
        v = graph.reshape(_affine(graph, layer.affine, product), -1)  # from (windows, rows)
    return _int8(graph, _round_half_up(graph, graph.op("Mul", graph.op("Relu", v), layer.output_gain)))


def _gru(graph: OnnxGraph, layer: arithmetic.Gru, q: Value, h: Value) -> Value:
    """arithmetic.gru."""
    hidden = layer.hidden
    gx_rz, gx_n = graph.split(_affine(graph, layer.input, _product(graph, layer.input, q)), [2 * hidden, hidden])
    product = _product(graph, layer.state, _quantize_state(graph, h))
    gh_rz, gh_n = graph.split(_affine(graph, layer.state, product), [2 * hidden, hidden])
    r, z = graph.split(_sigmoid(graph, graph.op("Add", gx_rz, gh_rz)), [hidden, hidden])
    n = _tanh(graph, graph.op("Add", gx_n, graph.op("Mul", r, gh_n)))
    blend = graph.op("Add", n, graph.op("Mul", z, graph.op("Sub", h, n)))
    blended = _round_half_up(graph, graph.op("Mul", blend, float(fixed_point.STATE_SCALE)))
    top = float(fixed_point.STATE_SCALE - 1)
    return graph.op("Mul", graph.op("Clip", blended, -top, top), 1 / fixed_point.STATE_SCALE)


def _product(graph: OnnxGraph, affine: arithmetic.Affine, q: Value) -> Value:
    """int8 x int8 -> int32, (columns,) -> (rows,).

    The vector is the second operand: ONNX Runtime on x86 packs that one anew at every step (27 -> 9 us for 288 x 144).
    """
    return graph.reshape(graph.op("MatMulInteger", affine.weight, graph.reshape(q, -1, 1)), -1)


def _affine(graph: OnnxGraph, affine: arithmetic.Affine, product: Value, name: str = "") -> Value:
    """The rest of arithmetic.Affine: two float32 operations, each rounded."""
    scaled = graph.op("Mul", graph.op("Cast", product, to=TensorProto.FLOAT), affine.scale)
    return graph.op("Add", scaled, affine.bias, name=name)


def _round_half_up(graph: OnnxGraph, v: Value) -> Value:
    return graph.op("Floor", graph.op("Add", v, 0.5))


def _int8(graph: OnnxGraph, rounded: Value) -> Value:
    top = float(fixed_point.INT8_MAX)
    return graph.op("Cast", graph.op("Clip", rounded, -top, top), to=TensorProto.INT8)


def _quantize_state(graph: OnnxGraph, h: Value) -> Value:
    return _int8(graph, _round_half_up(graph, graph.op("Mul", h, float(fixed_point.STATE_COPY_SCALE))))


def _sigmoid(graph: OnnxGraph, v: Value) -> Value:
    return _lookup(graph, v, fixed_point.SIGMOID_Q15, fixed_point.SIGMOID_PER_UNIT)


def _tanh(graph: OnnxGraph, v: Value) -> Value:
    return _lookup(graph, v, fixed_point.TANH_Q15, fixed_point.TANH_PER_UNIT)


def _lookup(graph: OnnxGraph, v: Value, q15: npt.NDArray[np.int16], per_unit: int) -> Value:
    middle, rises = upper_half(q15)
    top = float(len(rises) - 1)
    rounded = _round_half_up(graph, graph.op("Mul", v, float(per_unit)))
    at = graph.op("Cast", graph.op("Clip", rounded, -top, top), to=TensorProto.INT32)
    return graph.op("Gather", _table(graph, middle, rises), at, axis=0)


def _table(graph: OnnxGraph, middle: int, rises: npt.NDArray[np.int16]) -> Value:
    """The whole table out of int8 steps, a quarter of its bytes; made once, when the session loads and folds constants.

    Entry 0 comes first: Gather counts a negative index from the end.
    """
    start, end = np.array([0], np.int64), np.array([-1], np.int64)
    steps = graph.op("Cast", np.diff(rises, prepend=0).astype(np.int8), to=TensorProto.INT32)
    upper = graph.op("CumSum", steps, np.int64(0))
    lower = graph.op("Neg", graph.op("Slice", upper, end, start, start, end))  # from the last entry down to entry 1
    table = graph.op("Add", graph.op("Concat", upper, lower, axis=0), np.int32(middle))
    return graph.op("Mul", graph.op("Cast", table, to=TensorProto.FLOAT), 1 / fixed_point.STATE_SCALE)
