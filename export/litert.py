"""model.tflite: one step of the model for LiteRT and TensorFlow Lite, written without TensorFlow.

Products are `BATCH_MATMUL` on int8 x int8 -> int32 with every scale 1 and zero point 0, so that the runtime neither
rescales nor rounds them. Everything else follows `arithmetic.step`, in float32 operations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from device_runtime import arithmetic, fixed_point
from export.tables import upper_half
from export.tflite_graph import Tensor, TfliteGraph

INTEGER_SCALE = 1.0
"""The quantization scale of the products' tensors: an int8 7 means 7."""


class Litert:
    """Writes model.tflite: frame, state -> scores, next_state.

    >>> Litert().write(model, Path("yes_no.bundle/model.tflite"))  # doctest: +SKIP
    """

    filename = "model.tflite"

    def write(self, model: arithmetic.Model, path: Path) -> None:
        """Write the graph of one step."""
        graph = TfliteGraph()
        frame = graph.tensor((model.feature_size,), np.float32, "frame")
        state = graph.tensor((model.state_size,), np.float32, "state")
        path.write_bytes(graph.to_bytes([frame, state], _step(graph, model, frame, state)))


# Inside the graph a vector is one row, (1, n), because BATCH_MATMUL wants two dimensions.


def _step(graph: TfliteGraph, model: arithmetic.Model, frame: Tensor, state: Tensor) -> list[Tensor]:
    """arithmetic.step."""
    at = model.feature_size
    wanted = graph.add(graph.mul(frame, graph.number(model.input_gain)), graph.slice(state, 0, at))
    rounded = _round_half_up(graph, wanted)
    next_state = [graph.sub(wanted, rounded)]
    newest = _clip_int8(graph, rounded)
    q = _int8(graph, newest)
    for layer in model.layers:
        if isinstance(layer, arithmetic.Dense):
            q = _dense(graph, layer, q)
        elif isinstance(layer, arithmetic.Gru):
            h, recurrent = _gru(graph, layer, q, graph.slice(state, at, layer.hidden)), layer
            next_state.append(h)
            at += layer.hidden
            q = _quantize_state(graph, h)
        elif isinstance(layer, arithmetic.Sru):
            q, c = _sru(graph, layer, q, graph.slice(state, at, layer.hidden))
            next_state.append(c)
            at += layer.hidden
        else:
            q = _decode(graph, layer, recurrent, q, h)
    scores = _product(graph, model.head, q)  # (positions, rows)
    if model.linear:
        history = _remember(graph, model.linear, newest, graph.slice(state, at, model.linear.history_size))
        next_state.append(history)
        scores = _add_linear(graph, model.linear, history, scores)
    both = graph.concatenate(next_state)
    return [graph.reshape(scores, (model.score_size,), "scores"), graph.reshape(both, both.shape[1:], "next_state")]


def _dense(graph: TfliteGraph, layer: arithmetic.Dense, q: Tensor) -> Tensor:
    """arithmetic.dense."""
    inputs, columns = q.shape[1], layer.affine.columns
    windows = layer.windows(inputs)
    if (windows, columns) != (1, inputs):
        at = layer.hop * np.arange(windows)[:, None] + np.arange(columns)  # (windows, columns)
        q = graph.gather(q, graph.constant(at, np.int32), axis=1, scale=INTEGER_SCALE)  # (1, windows, columns)
    v = graph.binary("MAXIMUM", _product(graph, layer.affine, q), graph.number(0))
    v = graph.reshape(v, (1, layer.outputs(inputs)))
    rounded = _round_half_up(graph, graph.mul(v, graph.number(layer.output_gain)))
    return _int8(graph, _clip_int8(graph, rounded))


def _gru(graph: TfliteGraph, layer: arithmetic.Gru, q: Tensor, h: Tensor) -> Tensor:
    """arithmetic.gru."""
    gx = _product(graph, layer.input, q)
    return _gates(graph, layer.hidden, gx, _product(graph, layer.state, _quantize_state(graph, h)), h)


def _decode(graph: TfliteGraph, layer: arithmetic.Decode, after: arithmetic.Gru, q: Tensor, h: Tensor) -> Tensor:
    """arithmetic.decode."""
    positions = graph.constant(layer.positions)  # (positions, 3 hidden)
    return _quantize_state(graph, _gates(graph, after.hidden, positions, _product(graph, after.state, q), h))


def _gates(graph: TfliteGraph, hidden: int, gx: Tensor, gh: Tensor, h: Tensor) -> Tensor:
    """arithmetic.gates, a position a row."""
    rz = _sigmoid(graph, graph.add(graph.slice(gx, 0, 2 * hidden), graph.slice(gh, 0, 2 * hidden)))
    r, z = graph.slice(rz, 0, hidden), graph.slice(rz, hidden, hidden)
    reset = graph.mul(r, graph.slice(gh, 2 * hidden, hidden))
    n = _tanh(graph, graph.add(graph.slice(gx, 2 * hidden, hidden), reset))
    return _q15(graph, _blend(graph, n, h, z))


def _sru(graph: TfliteGraph, layer: arithmetic.Sru, q: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """arithmetic.sru."""
    hidden = layer.hidden
    taken = _product(graph, layer.input, q)
    x, p = graph.slice(taken, 0, hidden), graph.slice(taken, 3 * hidden, hidden)
    heard = graph.reshape(graph.mul(graph.constant(layer.peephole), c), (1, 2 * hidden))
    fr = _sigmoid(graph, graph.add(graph.slice(taken, hidden, 2 * hidden), heard))
    f, r = graph.slice(fr, 0, hidden), graph.slice(fr, hidden, hidden)
    next_c = _q15(graph, _blend(graph, x, c, f))
    return _quantize_state(graph, _blend(graph, p, next_c, r)), next_c


def _blend(graph: TfliteGraph, of: Tensor, by: Tensor, share: Tensor) -> Tensor:
    return graph.add(of, graph.mul(share, graph.sub(by, of)))


def _q15(graph: TfliteGraph, v: Tensor) -> Tensor:
    top = fixed_point.STATE_SCALE - 1
    rounded = _round_half_up(graph, graph.mul(v, graph.number(fixed_point.STATE_SCALE)))
    return graph.mul(graph.clip(rounded, -top, top), graph.number(1 / fixed_point.STATE_SCALE))


def _remember(graph: TfliteGraph, linear: arithmetic.Linear, newest: Tensor, history: Tensor) -> Tensor:
    """arithmetic.remember."""
    frame = newest if newest.shape[1] == linear.width else graph.slice(newest, 0, linear.width)
    if linear.frames == 1:
        return frame
    kept = linear.history_size - linear.width
    return graph.concatenate([graph.reshape(graph.slice(history, linear.width, kept), (1, kept)), frame])


def _add_linear(graph: TfliteGraph, linear: arithmetic.Linear, history: Tensor, scores: Tensor) -> Tensor:
    """arithmetic.add_linear."""
    affine, (positions, frames) = linear.affine, linear.affine.weight.shape
    q = graph.reshape(_int8(graph, history), (frames, linear.width), scale=INTEGER_SCALE)
    weight = graph.constant(affine.weight, np.int8, scale=INTEGER_SCALE)
    shape = (positions, linear.width)
    product = graph.op("BATCH_MATMUL", [weight, q], shape, np.int32, scale=INTEGER_SCALE)
    scaled = graph.mul(graph.cast(product, np.float32), graph.constant(affine.scale[:, None]))
    ahead = graph.add(scaled, graph.constant(affine.bias[:, None]))
    levels = graph.reshape(scores, (positions, scores.shape[1] // linear.width, linear.width))
    return graph.add(levels, graph.reshape(ahead, (positions, 1, linear.width)))


def _product(graph: TfliteGraph, product: arithmetic.Product, q: Tensor) -> Tensor:
    """arithmetic.Affine or Factored on int8 values, (.., columns) -> (.., rows)."""
    if isinstance(product, arithmetic.Affine):
        return _affine(graph, product, q)
    between = graph.mul(_affine(graph, product.inner, q), graph.number(product.gain))
    return _affine(graph, product.outer, _int8(graph, _clip_int8(graph, _round_half_up(graph, between))))


def _affine(graph: TfliteGraph, affine: arithmetic.Affine, q: Tensor) -> Tensor:
    """arithmetic.Affine: int8 x int8 -> int32, then two float32 operations, each rounded."""
    weight = graph.constant(affine.weight.T, np.int8, scale=INTEGER_SCALE)  # (columns, rows)
    shape = (*q.shape[:-1], affine.weight.shape[0])
    product = graph.op("BATCH_MATMUL", [q, weight], shape, np.int32, scale=INTEGER_SCALE)
    scaled = graph.mul(graph.cast(product, np.float32), graph.constant(affine.scale[None]))
    return graph.add(scaled, graph.constant(affine.bias[None]))


def _quantize_state(graph: TfliteGraph, h: Tensor) -> Tensor:
    rounded = _round_half_up(graph, graph.mul(h, graph.number(fixed_point.STATE_COPY_SCALE)))
    return _int8(graph, _clip_int8(graph, rounded))


def _clip_int8(graph: TfliteGraph, rounded: Tensor) -> Tensor:
    return graph.clip(rounded, -fixed_point.INT8_MAX, fixed_point.INT8_MAX)


def _int8(graph: TfliteGraph, clipped: Tensor) -> Tensor:
    return graph.cast(clipped, np.int8, scale=INTEGER_SCALE)


def _round_half_up(graph: TfliteGraph, v: Tensor) -> Tensor:
    return graph.unary("FLOOR", graph.add(v, graph.number(0.5)))


def _sigmoid(graph: TfliteGraph, v: Tensor) -> Tensor:
    return _lookup(graph, v, fixed_point.SIGMOID_Q15, fixed_point.SIGMOID_PER_UNIT)


def _tanh(graph: TfliteGraph, v: Tensor) -> Tensor:
    return _lookup(graph, v, fixed_point.TANH_Q15, fixed_point.TANH_PER_UNIT)


def _lookup(graph: TfliteGraph, v: Tensor, q15: npt.NDArray[np.int16], per_unit: int) -> Tensor:
    """Half a table is enough: the entry at |v|, mirrored by the sign of v. Integers until the last line."""
    middle, rises = upper_half(q15)
    rounded = _round_half_up(graph, graph.mul(v, graph.number(per_unit)))
    at = graph.binary("MINIMUM", graph.unary("ABS", rounded), graph.number(len(rises) - 1))
    rise = graph.cast(graph.gather(graph.constant(rises, np.int16), graph.cast(at, np.int32)), np.float32)
    sign = graph.unary("RELU_N1_TO_1", rounded)
    entry = graph.add(graph.mul(rise, sign), graph.number(middle))
    return graph.mul(entry, graph.number(1 / fixed_point.STATE_SCALE))
