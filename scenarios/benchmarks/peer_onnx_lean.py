"""ONNX Runtime's float GRU with as little around it as can be: one `GRU`, one `Gemm`, the state handed back as it came.

The graph of peer_onnx, which takes any bundle's layers, spends a quarter of its time on reshaping what a plain GRU need
not have reshaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime.arithmetic import Float32
from scenarios.benchmarks import peer_onnx
from scenarios.benchmarks.floats import FloatGru, FloatModel, own_state

NAME = peer_onnx.NAME


@dataclass(frozen=True)
class LeanPeer:
    """A loaded graph."""

    session: Any
    hidden: int
    name: str = NAME

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        """(feature_size,), (1, 1, hidden) or a first flat state -> scores (1, labels), next state (1, 1, hidden)."""
        own = state if state.ndim == 3 else own_state(state, self.hidden)[None, None]
        scores, next_state = self.session.run(None, {"frame": frame[None, None], "state": own})
        return scores, next_state


def load(path: Path, hidden: int) -> LeanPeer:
    """Ready to step."""
    return LeanPeer(peer_onnx.load(path, hidden).session, hidden)


def write(model: FloatModel, path: Path) -> None:
    """Write the graph of one step of a model that is one GRU layer and a head."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from export.onnx_graph import IR_VERSION, OPSET

    (layer,) = model.layers
    assert isinstance(layer, FloatGru)
    constants = {
        "W": peer_onnx.gate_order(layer.input.weight)[None],
        "R": peer_onnx.gate_order(layer.state.weight)[None],
        "B": np.concatenate([peer_onnx.gate_order(side.bias) for side in (layer.input, layer.state)])[None],
        "row": np.array([1, layer.hidden], np.int64),
        "head": model.head.weight,
        "bias": model.head.bias,
    }
    nodes = [
        helper.make_node(
            "GRU",
            ["frame", "W", "R", "B", "", "state"],
            ["", "next_state"],
            hidden_size=layer.hidden,
            linear_before_reset=1,
        ),
        helper.make_node("Reshape", ["next_state", "row"], ["h"]),
        helper.make_node("Gemm", ["h", "head", "bias"], ["scores"], transB=1),
    ]
    shapes = {
        "frame": [1, 1, model.feature_size],
        "state": [1, 1, layer.hidden],
        "scores": [1, len(model.head.bias)],
        "next_state": [1, 1, layer.hidden],
    }
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    initializers = [numpy_helper.from_array(np.ascontiguousarray(v), name) for name, v in constants.items()]
    graph = helper.make_graph(nodes, "gru_step", values[:2], values[2:], initializers)
    opset = helper.make_opsetid("", OPSET)
    file = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    onnx.checker.check_model(file, full_check=True)
    path.write_bytes(file.SerializeToString())
