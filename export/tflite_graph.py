"""A .tflite file, written without TensorFlow: tensors and operators in the order in which they run.

The format is a flatbuffer (schema version 3); `ai_edge_litert` ships the classes that its schema generates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"
ALIGNMENT = 16
"""Bytes: the schema's force_align for constants, which its Python classes leave to us."""

_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int32): schema.TensorType.INT32,
    np.dtype(np.int16): schema.TensorType.INT16,
    np.dtype(np.int8): schema.TensorType.INT8,
}

Scale = float | tuple[float, ...] | None
"""What an integer counts for; several scales are those of the rows, one each."""


@dataclass(frozen=True)
class Tensor:
    """A value in the graph: where it is, and what it holds."""

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class TfliteGraph:
    """Collects operators; `to_bytes` gives the file.

    >>> graph = TfliteGraph()
    >>> x = graph.tensor((4,), np.float32, name="x")
    >>> data = graph.to_bytes([x], [graph.op("FLOOR", [x], (4,), np.float32, name="y")])
    >>> data[4:8]
    b'TFL3'
    """

    def __init__(self) -> None:
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]  # buffer 0 means "no data"
        self._operators: list[Any] = []
        self._codes: list[Any] = []
        self._constants: dict[tuple[Any, ...], Tensor] = {}

    def tensor(
        self,
        shape: Sequence[int],
        dtype: npt.DTypeLike,
        name: str | None = None,
        scale: Scale = None,
        buffer: int = 0,
        zero_point: int = 0,
    ) -> Tensor:
        """Add a tensor; `scale` makes it a quantized one."""
        added = Tensor(len(self._tensors), tuple(shape), np.dtype(dtype))
        quantization = None
        if scale is not None:
            scales = [scale] if isinstance(scale, float) else list(scale)
            quantization = schema.QuantizationParametersT(scale=scales, zeroPoint=[zero_point] * len(scales))
        type_ = _TYPES[added.dtype]
        self._tensors.append(
            schema.TensorT(shape=list(shape), type=type_, name=name, quantization=quantization, buffer=buffer)
        )
        return added

    def constant(self, array: npt.ArrayLike, dtype: npt.DTypeLike = np.float32, scale: Scale = None) -> Tensor:
        """Add an array to the file, or find the equal one that it already has."""
        values = np.ascontiguousarray(array, dtype)
        key = (values.dtype.str, values.shape, values.tobytes(), scale)
        if key not in self._constants:
            self._buffers.append(_AlignedBuffer(values.tobytes()))
            self._constants[key] = self.tensor(values.shape, dtype, scale=scale, buffer=len(self._buffers) - 1)
        return self._constants[key]

    def op(
        self,
        kind: str,
        inputs: Sequence[Tensor],
        shape: Sequence[int],
        dtype: npt.DTypeLike,
        options: Any = None,
        name: str | None = None,
        scale: float | None = None,
        zero_point: int = 0,
    ) -> Tensor:
        """Add an operator (its name in the schema, such as "ADD") with one output."""
        output = self.tensor(shape, dtype, name, scale=scale, zero_point=zero_point)
        operator = schema.OperatorT(
            opcodeIndex=self._code(getattr(schema.BuiltinOperator, kind)),
            inputs=[tensor.index for tensor in inputs],
            outputs=[output.index],
        )
        if options is not None:
            operator.builtinOptions = options
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._operators.append(operator)
        return output

    def number(self, value: float | np.float32) -> Tensor:
        """A constant that is added to, or multiplied with, a whole row."""
        return self.constant(np.full((1, 1), value, np.float32))

    def unary(self, kind: str, v: Tensor) -> Tensor:
        """An operator on each float."""
        return self.op(kind, [v], v.shape, np.float32)

    def binary(self, kind: str, a: Tensor, b: Tensor) -> Tensor:
        """An operator on each pair of floats."""
        return self.op(kind, [a, b], np.broadcast_shapes(a.shape, b.shape), np.float32)

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        """Sum: a + b."""
        return self.binary("ADD", a, b)

    def sub(self, a: Tensor, b: Tensor) -> Tensor:
        """Difference: a - b."""
        return self.binary("SUB", a, b)

    def mul(self, a: Tensor, b: Tensor) -> Tensor:
        """Product: a * b."""
        return self.binary("MUL", a, b)

    def clip(self, v: Tensor, low: float, high: float) -> Tensor:
        """Each float kept inside low .. high."""
        return self.binary("MINIMUM", self.binary("MAXIMUM", v, self.number(low)), self.number(high))

    def cast(self, v: Tensor, dtype: npt.DTypeLike, scale: float | None = None) -> Tensor:
        """The same numbers in another type."""
        return self.op("CAST", [v], v.shape, dtype, scale=scale)

    def gather(self, values: Tensor, at: Tensor, axis: int = 0, scale: float | None = None) -> Tensor:
        """The values at these places along an axis."""
        shape = (*values.shape[:axis], *at.shape, *values.shape[axis + 1 :])
        return self.op("GATHER", [values, at], shape, values.dtype, schema.GatherOptionsT(axis=axis), scale=scale)

    def slice(self, v: Tensor, start: int, size: int) -> Tensor:
        """Entries start .. start + size along the last axis."""
        begin = [0] * (len(v.shape) - 1) + [start]
        shape = [*v.shape[:-1], size]
        return self.op("SLICE", [v, self.constant(begin, np.int32), self.constant(shape, np.int32)], shape, v.dtype)

    def concatenate(self, rows: Sequence[Tensor]) -> Tensor:
        """Rows end to end, (1, n) each."""
        size = sum(row.shape[1] for row in rows)
        return self.op("CONCATENATION", rows, (1, size), np.float32, schema.ConcatenationOptionsT(axis=1))

    def reshape(self, v: Tensor, shape: Sequence[int], name: str | None = None, scale: float | None = None) -> Tensor:
        """The same numbers in another shape."""
        return self.op("RESHAPE", [v, self.constant(list(shape), np.int32)], shape, v.dtype, name=name, scale=scale)

    def to_bytes(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bytes:
        """The file."""
        subgraph = schema.SubGraphT(
            tensors=self._tensors,
            operators=self._operators,
            inputs=[tensor.index for tensor in inputs],
            outputs=[tensor.index for tensor in outputs],
        )
        model = schema.ModelT(version=3, operatorCodes=self._codes, subgraphs=[subgraph], buffers=self._buffers)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
        return bytes(builder.Output())

    def _code(self, builtin: int) -> int:
        for index, known in enumerate(self._codes):
            if known.builtinCode == builtin:
                return index
        # Old readers know only the first field, a signed byte.
        self._codes.append(
            schema.OperatorCodeT(deprecatedBuiltinCode=min(builtin, 127), builtinCode=builtin, version=1)
        )
        return len(self._codes) - 1


class _AlignedBuffer:
    """Packs like schema.BufferT, at an address that vector instructions may use."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the name that the schema's classes call
        builder.StartVector(1, len(self.data), ALIGNMENT)
        builder.head -= len(self.data)
        builder.Bytes[builder.head : builder.head + len(self.data)] = self.data
        data = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))
