"""model.onnx holds, and ONNX Runtime runs, exact int8 products and plain float32 operations."""

from __future__ import annotations

from collections import Counter

import pytest

pytest.importorskip("onnx", reason="needs the onnx package")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

import onnx
import onnxruntime
from onnx import TensorProto

from device_runtime.arithmetic import Decode, Sru
from device_runtime.engines.onnx import session_options
from export.onnx import Onnx
from export.onnx_graph import IR_VERSION, OPSET
from factored_models import FACTORED
from streams import FORECASTERS, MODELS, SRU_MODELS

LOW_RANK = {f"{shape}, low rank": model for shape, model in FACTORED.items()}
EVERY = MODELS | FORECASTERS | LOW_RANK | SRU_MODELS
PRODUCTS = {
    "sliding dense and GRU": 4,
    "two GRUs": 5,
    "two dense layers and two GRUs": 7,
    "a head alone": 1,
    "a forecaster": 6,
    "decoding without a linear map": 4,
    "one position decoded": 5,
    "a linear map beside a GRU": 4,
    "both matrices of a GRU, low rank": 5,
    "sliding dense layers and a head, low rank": 10,
    "a forecaster, low rank": 10,
    "units of their own behind a dense layer": 4,
    "one unit of its own": 2,
    "a GRU among them": 5,
    "decoding from a GRU behind them": 6,
    "a linear map beside them": 3,
    "more units than a matrix has columns": 3,
    "units of their own, low rank": 8,
}
PLAIN = {
    "Add", "Cast", "Clip", "Concat", "Floor", "Gather", "MatMulInteger", "Mul", "Relu", "Reshape", "Split", "Sub",
    "Transpose",
}  # fmt: skip


def executed_graph(shape, tmp_path):
    """The graph as the engine's session runs it, after all that ONNX Runtime does to it."""
    Onnx().write(EVERY[shape], tmp_path / "model.onnx")
    options = session_options()
    options.optimized_model_filepath = str(tmp_path / "executed.onnx")
    onnxruntime.InferenceSession((tmp_path / "model.onnx").read_bytes(), options, providers=["CPUExecutionProvider"])
    return onnx.load(tmp_path / "executed.onnx").graph


@pytest.mark.parametrize("shape", PRODUCTS)
def test_each_product_runs_as_one_matmulinteger_and_nothing_is_fused(shape, tmp_path):
    executed = Counter(node.domain + node.op_type for node in executed_graph(shape, tmp_path).node)
    assert executed["MatMulInteger"] == PRODUCTS[shape]
    assert set(executed) <= PLAIN


@pytest.mark.parametrize("shape", PRODUCTS)
def test_both_operands_of_each_product_are_int8_and_no_weight_is_kept_as_float(shape, tmp_path):
    graph = executed_graph(shape, tmp_path)
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast":
            types[node.output[0]] = node.attribute[0].i
        elif node.op_type in ("Gather", "Reshape"):  # these keep the type of what they move
            types[node.output[0]] = types.get(node.input[0], TensorProto.FLOAT)
    operands = [types[name] for node in graph.node if node.op_type == "MatMulInteger" for name in node.input]
    assert operands == [TensorProto.INT8] * (2 * PRODUCTS[shape])
    floats = [tensor.dims for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT]
    tables = sorted(tuple(dims) for dims in floats if len(dims) > 1 and min(dims) > 1)
    positions = [layer.positions.T.shape for layer in EVERY[shape].layers if isinstance(layer, Decode)]
    split = [(share * gates // 3, count) for gates, count in positions if count > 1 for share in (1, 2)]
    peepholes = [layer.peephole.shape for layer in EVERY[shape].layers if isinstance(layer, Sru) and layer.hidden > 1]
    assert tables == sorted(split + peepholes), "a model keeps only positions, by gate, and peepholes as float"


def test_the_tables_are_folded_when_the_session_loads(tmp_path):
    graph = executed_graph("sliding dense and GRU", tmp_path)
    lengths = sorted(
        tensor.dims[0] for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT and tensor.dims
    )
    assert lengths[-2:] == [2 * 2048 - 1, 2 * 4096 - 1]
    assert not {"CumSum", "Slice", "Neg"} & {node.op_type for node in graph.node}


@pytest.mark.parametrize("shape", ["sliding dense and GRU", "a forecaster", "a GRU among them"])
def test_the_fastest_level_of_optimization_would_fuse_nothing_either(shape, tmp_path):
    Onnx().write(EVERY[shape], tmp_path / "model.onnx")
    options = session_options()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.optimized_model_filepath = str(tmp_path / "executed.onnx")
    onnxruntime.InferenceSession((tmp_path / "model.onnx").read_bytes(), options, providers=["CPUExecutionProvider"])
    assert {node.op_type for node in onnx.load(tmp_path / "executed.onnx").graph.node} <= PLAIN


def test_the_file_says_what_an_old_runtime_needs_to_know(tmp_path):
    Onnx().write(MODELS["two GRUs"], tmp_path / "model.onnx")
    written = onnx.load(tmp_path / "model.onnx")
    assert written.ir_version == IR_VERSION
    assert [(opset.domain, opset.version) for opset in written.opset_import] == [("", OPSET)]
    assert [value.name for value in written.graph.input] == ["frame", "state"]
    assert [value.name for value in written.graph.output] == ["scores", "next_state"]
