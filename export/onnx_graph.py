"""An ONNX file, written node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
IR_VERSION = 8
"""The oldest pair that has all we use (2021), so that a board's older ONNX Runtime reads the file, too."""

Value = str
"""The name of a tensor in the graph."""


class OnnxGraph:
    """Collects nodes and constants; `to_bytes` gives the file.

    >>> graph = OnnxGraph()
    >>> y = graph.op("Floor", "x", name="y")
    >>> len(graph.to_bytes({"x": 4}, {y: 4})) < 200
    True
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._constants: dict[tuple[Any, ...], Value] = {}

    def op(
        self, kind: str, *inputs: Value | npt.NDArray[Any] | np.generic | float, name: str = "", **attributes: Any
    ) -> Value:
        """Add a node with one output; arrays and numbers (float32) become constants."""
        return self.ops(kind, *inputs, names=[name or f"v{len(self.nodes)}"], **attributes)[0]

    def ops(
        self, kind: str, *inputs: Value | npt.NDArray[Any] | np.generic | float, names: Sequence[str], **attributes: Any
    ) -> list[Value]:
        """Add a node with several outputs."""
        values = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        self.nodes.append(helper.make_node(kind, values, list(names), **attributes))
        return list(names)

    def split(self, value: Value, sizes: Sequence[int]) -> list[Value]:
        """Cut a vector into pieces of these sizes."""
        if len(sizes) == 1:
            return [value]
        names = [f"v{len(self.nodes)}_{i}" for i in range(len(sizes))]
        return self.ops("Split", value, np.array(sizes, np.int64), names=names, axis=0)

    def reshape(self, value: Value, *shape: int, name: str = "") -> Value:
        """The same numbers in another shape."""
        return self.op("Reshape", value, np.array(shape, np.int64), name=name)

    def to_bytes(self, inputs: Mapping[Value, int], outputs: Mapping[Value, int]) -> bytes:
        """The checked file; inputs and outputs are float32 vectors of these sizes."""
        taken, given = ([_float32(name, size) for name, size in side.items()] for side in (inputs, outputs))
        graph = helper.make_graph(self.nodes, "tinyrnn_step", taken, given, self.initializers)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="tinyrnn")
        onnx.checker.check_model(model, full_check=True)
        data: bytes = model.SerializeToString()
        return data

    def _constant(self, value: npt.NDArray[Any] | np.generic | float) -> Value:
        array = np.asarray(value, np.float32 if isinstance(value, float) else None, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"c{len(self._constants)}"
            self.initializers.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]


def _float32(name: str, size: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [size])
