"""model.tflite: one step of the model for LiteRT and TensorFlow Lite, written without TensorFlow.

Products are `BATCH_MATMUL` on int8 x int8 -> int32, with every scale 1 and zero point 0, so that the runtime neither
rescales nor rounds them. Everything else follows `arithmetic.step`, in float32 operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from device_runtime import arithmetic
from export.flatbuffer import Tensor, TfliteGraph

INTEGER_SCALE = 1.0
"""The quantization scale of the products' tensors: an int8 7 means 7."""


class Litert:
    """Writes model.tflite: frame, state -> scores, next_state.

    >>> Litert().write(model, Path("yes_no.bundle/model.tflite"))  # doctest: +SKIP
    """

    filename = "model.tflite"

    def write(self, model: arithmetic.Model, path: Path) -> None:
        """Write the graph of one step."""
        graph = _Step()
        frame = graph.tensor((model.feature_size,), np.float32, "frame")
        state = graph.tensor((model.state_size,), np.float32, "state")
        path.write_bytes(graph.to_bytes([frame, state], graph.step(model, frame, state)))


class _Step(TfliteGraph):
    """The lines of `arithmetic.step` as operators. Inside, a vector is one row: (1, n)."""

    def step(self, model: arithmetic.Model, frame: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        at = model.feature_size
        error = self.slice(state, 0, at)
        wanted = self.binary("ADD", self.binary("MUL", frame, self.number(model.input_gain)), error)
        rounded = self.round_half_up(wanted)
        next_state = [self.binary("SUB", wanted, rounded)]
        q = self.int8(rounded)
        for layer in model.layers:
            if isinstance(layer, arithmetic.Dense):
                q = self.dense(layer, q)
            else:
                h = self.gru(layer, q, self.slice(state, at, layer.hidden))
                next_state.append(h)
                at += layer.hidden
                q = self.quantize_state(h)
        scores = self.reshape(self.affine(model.head, q), (len(model.head.bias),), "scores")
        both = self.op("CONCATENATION", next_state, (1, at), np.float32, schema.ConcatenationOptionsT(axis=1))
        return scores, self.reshape(both, (at,), "next_state")

    def dense(self, layer: arithmetic.Dense, q: Tensor) -> Tensor:
        """arithmetic.dense."""
        inputs, columns = q.shape[1], layer.affine.weight.shape[1]
        windows = layer.windows(inputs)
        if windows > 1 or columns < inputs:
            index = layer.hop * np.arange(windows)[:, None] + np.arange(columns)  # (windows, columns)
            q = self.op(
                "GATHER", [q, self.constant(index, np.int32)], (1, *index.shape), np.int8,
                schema.GatherOptionsT(axis=1), scale=INTEGER_SCALE,
            )  # fmt: skip
        v = self.binary("MAXIMUM", self.affine(layer.affine, q), self.number(0))
        v = self.reshape(v, (1, layer.outputs(inputs)))
        return self.int8(self.round_half_up(self.binary("MUL", v, self.number(layer.output_gain))))

    def gru(self, layer: arithmetic.Gru, q: Tensor, h: Tensor) -> Tensor:
        """arithmetic.gru."""
        hidden = layer.hidden
        gx = self.affine(layer.input, q)
        gh = self.affine(layer.state, self.quantize_state(h))
        rz = self.sigmoid(self.binary("ADD", self.slice(gx, 0, 2 * hidden), self.slice(gh, 0, 2 * hidden)))
        r, z = self.slice(rz, 0, hidden), self.slice(rz, hidden, hidden)
        reset = self.binary("MUL", r, self.slice(gh, 2 * hidden, hidden))
        n = self.tanh(self.binary("ADD", self.slice(gx, 2 * hidden, hidden), reset))
        blend = self.binary("ADD", n, self.binary("MUL", z, self.binary("SUB", h, n)))
        blended = self.round_half_up(self.binary("MUL", blend, self.number(arithmetic.STATE_SCALE)))
        top = arithmetic.STATE_SCALE - 1
        return self.binary("MUL", self.clip(blended, -top, top), self.number(1 / arithmetic.STATE_SCALE))

    def affine(self, affine: arithmetic.Affine, q: Tensor) -> Tensor:
        """arithmetic.Affine: int8 x int8 -> int32, then two float32 operations, each rounded."""
        rows = affine.weight.shape[0]
        shape = (*q.shape[:-1], rows)
        weight = self.constant(affine.weight.T, np.int8, scale=INTEGER_SCALE)  # (columns, rows)
        product = self.op(
            "BATCH_MATMUL", [q, weight], shape, np.int32, schema.BatchMatMulOptionsT(), scale=INTEGER_SCALE
        )  # fmt: skip
        scaled = self.binary("MUL", self.cast(product, np.float32), self.constant(affine.scale[None]))
        return self.binary("ADD", scaled, self.constant(affine.bias[None]))

    def quantize_state(self, h: Tensor) -> Tensor:
        return self.int8(self.round_half_up(self.binary("MUL", h, self.number(arithmetic.STATE_COPY_SCALE))))

    def int8(self, rounded: Tensor) -> Tensor:
        clipped = self.clip(rounded, -arithmetic.INT8_MAX, arithmetic.INT8_MAX)
        return self.cast(clipped, np.int8, scale=INTEGER_SCALE)

    def round_half_up(self, v: Tensor) -> Tensor:
        return self.op("FLOOR", [self.binary("ADD", v, self.number(0.5))], v.shape, np.float32)

    def sigmoid(self, v: Tensor) -> Tensor:
        return self.lookup(v, arithmetic.SIGMOID_Q15, arithmetic.SIGMOID_PER_UNIT)

    def tanh(self, v: Tensor) -> Tensor:
        return self.lookup(v, arithmetic.TANH_Q15, arithmetic.TANH_PER_UNIT)

    def lookup(self, v: Tensor, q15: npt.NDArray[np.int16], per_unit: int) -> Tensor:
        half = len(q15) // 2
        rounded = self.round_half_up(self.binary("MUL", v, self.number(per_unit)))
        at = self.binary("ADD", self.clip(rounded, -half, half - 1), self.number(half))
        entries = self.op(
            "GATHER", [self.constant(q15, np.int16), self.cast(at, np.int32)], v.shape, np.int16, schema.GatherOptionsT()
        )  # fmt: skip
        return self.binary("MUL", self.cast(entries, np.float32), self.number(1 / arithmetic.STATE_SCALE))

    def number(self, value: float | np.float32) -> Tensor:
        """A constant that is added to, or multiplied with, a whole row."""
        return self.constant([[value]])

    def binary(self, kind: str, a: Tensor, b: Tensor) -> Tensor:
        return self.op(kind, [a, b], np.broadcast_shapes(a.shape, b.shape), np.float32)

    def clip(self, v: Tensor, low: float, high: float) -> Tensor:
        return self.binary("MINIMUM", self.binary("MAXIMUM", v, self.number(low)), self.number(high))

    def cast(self, v: Tensor, dtype: npt.DTypeLike, scale: float | None = None) -> Tensor:
        return self.op("CAST", [v], v.shape, dtype, scale=scale)

    def slice(self, v: Tensor, start: int, size: int) -> Tensor:
        """Entries start .. start + size along the last axis."""
        begin = [0] * (len(v.shape) - 1) + [start]
        shape = [*v.shape[:-1], size]
        return self.op("SLICE", [v, self.constant(begin, np.int32), self.constant(shape, np.int32)], shape, v.dtype)

    def reshape(self, v: Tensor, shape: Sequence[int], name: str | None = None) -> Tensor:
        return self.op("RESHAPE", [v, self.constant(list(shape), np.int32)], shape, v.dtype, name=name)
