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
        path.write_bytes(graph.to_bytes(inputs, {scores: model.score_size, next_state: model.state_size}))


def _step(graph: OnnxGraph, model: arithmetic.Model) -> tuple[Value, Value]:
    """arithmetic.step."""
    history_size = [model.linear.history_size] if model.linear else []
    error, *states = graph.split("state", [model.feature_size, *model.hidden_sizes, *history_size])
    wanted = graph.op("Add", graph.op("Mul", "frame", model.input_gain), error)
    rounded = _round_half_up(graph, wanted)
    next_state = [graph.op("Sub", wanted, rounded)]
    newest = _clip(graph, rounded, fixed_point.INT8_MAX)
    q, size = _int8(graph, newest), model.feature_size
    for layer in model.layers:
        if isinstance(layer, arithmetic.Dense):
            q, size = _dense(graph, layer, q, size), layer.outputs(size)
        elif isinstance(layer, arithmetic.Gru):
            h, recurrent = _gru(graph, layer, q, states.pop(0)), layer
            next_state.append(h)
            q, size = _quantize_state(graph, h), layer.hidden
        elif isinstance(layer, arithmetic.Sru):
            q, c = _sru(graph, layer, q, states.pop(0))
            next_state.append(c)
            size = layer.hidden
        else:
            q = _decode(graph, layer, recurrent, q, h)
    decoded = bool(model.layers) and isinstance(model.layers[-1], arithmetic.Decode)
    if not decoded and not model.linear:
        scores = _product(graph, model.head, q, name="scores")
    else:
        columns = graph.reshape(q, -1, model.positions)
        by_row = _columns_product(graph, model.head, columns)  # (rows, positions)
        by_position = graph.op("Transpose", by_row, perm=[1, 0])
        if model.linear:
            history = _remember(graph, model, newest, states.pop(0))
            next_state += history
            by_position = _add_linear(graph, model.linear, history, by_position)
        scores = graph.reshape(by_position, -1, name="scores")
    return scores, graph.op("Concat", *next_state, name="next_state", axis=0)


def _dense(graph: OnnxGraph, layer: arithmetic.Dense, q: Value, inputs: int) -> Value:
    """arithmetic.dense."""
    windows, columns = layer.windows(inputs), layer.affine.columns
    if (windows, columns) == (1, inputs):
        v = _product(graph, layer.affine, q)
    else:
        starts = layer.hop * np.arange(windows, dtype=np.int32)
        # The sum is (windows, columns): small in the file, and folded when the session loads.
        at = graph.op("Add", starts[:, None], np.arange(columns, dtype=np.int32))
        v = graph.reshape(_rows_product(graph, layer.affine, graph.op("Gather", q, at, axis=0)), -1)
    rounded = _round_half_up(graph, graph.op("Mul", graph.op("Relu", v), layer.output_gain))
    return _int8(graph, _clip(graph, rounded, fixed_point.INT8_MAX))


def _gru(graph: OnnxGraph, layer: arithmetic.Gru, q: Value, h: Value) -> Value:
    """arithmetic.gru."""
    hidden = layer.hidden
    gx_rz, gx_n = graph.split(_product(graph, layer.input, q), [2 * hidden, hidden])
    gh = _product(graph, layer.state, _quantize_state(graph, h))
    return _gates(graph, hidden, gx_rz, gx_n, gh, h)


def _decode(graph: OnnxGraph, layer: arithmetic.Decode, after: arithmetic.Gru, q: Value, h: Value) -> Value:
    """arithmetic.decode, but (hidden, positions): all that follows takes columns."""
    hidden = after.hidden
    gx_rz, gx_n = (np.ascontiguousarray(part) for part in np.split(layer.positions.T, [2 * hidden]))
    gh = _columns_product(graph, after.state, graph.reshape(q, -1, 1))  # (3 hidden, 1)
    return _quantize_state(graph, _gates(graph, hidden, gx_rz, gx_n, gh, graph.reshape(h, -1, 1)))


def _gates(
    graph: OnnxGraph,
    hidden: int,
    gx_rz: Value | npt.NDArray[np.float32],
    gx_n: Value | npt.NDArray[np.float32],
    gh: Value,
    h: Value,
) -> Value:
    """arithmetic.gates; everything is (gates, ..) or (hidden, ..)."""
    gh_rz, gh_n = graph.split(gh, [2 * hidden, hidden])
    r, z = graph.split(_sigmoid(graph, graph.op("Add", gx_rz, gh_rz)), [hidden, hidden])
    n = _tanh(graph, graph.op("Add", gx_n, graph.op("Mul", r, gh_n)))
    return _q15(graph, _blend(graph, n, h, z))


def _sru(graph: OnnxGraph, layer: arithmetic.Sru, q: Value, c: Value) -> tuple[Value, Value]:
    """arithmetic.sru."""
    hidden = layer.hidden
    x, gates, p = graph.split(_product(graph, layer.input, q), [hidden, 2 * hidden, hidden])
    heard = graph.reshape(graph.op("Mul", layer.peephole, c), -1)  # (2, hidden) -> (2 hidden,)
    f, r = graph.split(_sigmoid(graph, graph.op("Add", gates, heard)), [hidden, hidden])
    next_c = _q15(graph, _blend(graph, x, c, f))
    return _quantize_state(graph, _blend(graph, p, next_c, r)), next_c


def _blend(graph: OnnxGraph, of: Value, by: Value, share: Value) -> Value:
    return graph.op("Add", of, graph.op("Mul", share, graph.op("Sub", by, of)))


def _q15(graph: OnnxGraph, v: Value) -> Value:
    rounded = _round_half_up(graph, graph.op("Mul", v, float(fixed_point.STATE_SCALE)))
    return graph.op("Mul", _clip(graph, rounded, fixed_point.STATE_SCALE - 1), 1 / fixed_point.STATE_SCALE)


def _remember(graph: OnnxGraph, model: arithmetic.Model, newest: Value, history: Value) -> list[Value]:
    """arithmetic.remember, in pieces: what is left of the history, and the newest frame."""
    assert model.linear is not None
    width, beyond = model.linear.width, model.feature_size - model.linear.width
    frame = graph.split(newest, [width, beyond])[0] if beyond else newest
    if model.linear.frames == 1:
        return [frame]
    return [graph.split(history, [width, model.linear.history_size - width])[1], frame]


def _add_linear(graph: OnnxGraph, linear: arithmetic.Linear, history: list[Value], scores: Value) -> Value:
    """arithmetic.add_linear; the scores are (positions, rows)."""
    frames = graph.op("Concat", *history, axis=0) if len(history) > 1 else history[0]
    q = graph.reshape(_int8(graph, frames), linear.frames, linear.width)
    ahead = _columns_affine(graph, linear.affine, q)  # (positions, width)
    positions = len(linear.affine.bias)
    levels = graph.reshape(scores, positions, -1, linear.width)
    return graph.op("Add", levels, graph.reshape(ahead, positions, 1, linear.width))


def _product(graph: OnnxGraph, product: arithmetic.Product, q: Value, name: str = "") -> Value:
    """arithmetic.Affine or Factored on one vector of int8 values, (columns,) -> (rows,)."""
    if isinstance(product, arithmetic.Factored):
        between = _requantize(graph, _product(graph, product.inner, q), product.gain)
        return _product(graph, product.outer, between, name)
    # The vector is the second operand: ONNX Runtime on x86 packs that one anew at every step (27 -> 9 us at 288 x 144).
    sums = graph.reshape(graph.op("MatMulInteger", product.weight, graph.reshape(q, -1, 1)), -1)
    return _affine(graph, product, sums, name)


def _rows_product(graph: OnnxGraph, product: arithmetic.Product, rows: Value) -> Value:
    """The same on each row of int8 values: (n, columns) -> (n, rows)."""
    if isinstance(product, arithmetic.Factored):
        between = _requantize(graph, _rows_product(graph, product.inner, rows), product.gain)
        return _rows_product(graph, product.outer, between)
    return _affine(graph, product, graph.op("MatMulInteger", rows, product.weight.T))


def _columns_product(graph: OnnxGraph, product: arithmetic.Product, columns: Value) -> Value:
    """The same on each column of int8 values: (columns, n) -> (rows, n)."""
    if isinstance(product, arithmetic.Factored):
        between = _requantize(graph, _columns_product(graph, product.inner, columns), product.gain)
        return _columns_product(graph, product.outer, between)
    return _columns_affine(graph, product, columns)


def _requantize(graph: OnnxGraph, v: Value, gain: np.float32) -> Value:
    """Values between two factors, back to int8."""
    return _int8(graph, _clip(graph, _round_half_up(graph, graph.op("Mul", v, gain)), fixed_point.INT8_MAX))


def _affine(graph: OnnxGraph, affine: arithmetic.Affine, sums: Value, name: str = "") -> Value:
    """What arithmetic.Affine does with the int32 sums: two float32 operations, each rounded."""
    scaled = graph.op("Mul", graph.op("Cast", sums, to=TensorProto.FLOAT), affine.scale)
    return graph.op("Add", scaled, affine.bias, name=name)


def _columns_affine(graph: OnnxGraph, affine: arithmetic.Affine, columns: Value) -> Value:
    """arithmetic.Affine on each column of int8 values: (inputs, n) -> (rows, n)."""
    product = graph.op("Cast", graph.op("MatMulInteger", affine.weight, columns), to=TensorProto.FLOAT)
    return graph.op("Add", graph.op("Mul", product, affine.scale[:, None]), affine.bias[:, None])


def _round_half_up(graph: OnnxGraph, v: Value) -> Value:
    return graph.op("Floor", graph.op("Add", v, 0.5))


def _clip(graph: OnnxGraph, v: Value, top: int) -> Value:
    return graph.op("Clip", v, -float(top), float(top))


def _int8(graph: OnnxGraph, clipped: Value) -> Value:
    return graph.op("Cast", clipped, to=TensorProto.INT8)


def _quantize_state(graph: OnnxGraph, h: Value) -> Value:
    rounded = _round_half_up(graph, graph.op("Mul", h, float(fixed_point.STATE_COPY_SCALE)))
    return _int8(graph, _clip(graph, rounded, fixed_point.INT8_MAX))


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
