"""model.tflite holds, and LiteRT runs, true int8 products and plain float32 operators."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="needs LiteRT")

from ai_edge_litert import interpreter as interpreters

from device_runtime import golden
from device_runtime.engines.litert import LitertEngine
from export.litert import Litert
from export.tflite_graph import ALIGNMENT, TfliteGraph
from factored_models import FACTORED
from streams import FORECASTERS, MODELS, SRU_MODELS, streams

EVERY = MODELS | FORECASTERS | SRU_MODELS | {"units of their own, low rank": FACTORED["units of their own"]}
PRODUCTS = {
    "sliding dense and GRU": 4,
    "two GRUs": 5,
    "two dense layers and two GRUs": 7,
    "a head alone": 1,
    "a forecaster": 6,
    "decoding without a linear map": 4,
    "one position decoded": 5,
    "a linear map beside a GRU": 4,
    "units of their own behind a dense layer": 4,
    "one unit of its own": 2,
    "a GRU among them": 5,
    "decoding from a GRU behind them": 6,
    "more units than a matrix has columns": 3,
    "units of their own, low rank": 8,
}
PLAIN = {
    "ABS", "ADD", "BATCH_MATMUL", "CAST", "CONCATENATION", "FLOOR", "GATHER", "MAXIMUM", "MINIMUM", "MUL",
    "RELU_N1_TO_1", "RESHAPE", "SLICE", "SUB",
}  # fmt: skip


def interpreter(shape, tmp_path, resolver=interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES):
    path = tmp_path / Litert.filename
    Litert().write(EVERY[shape], path)
    made = interpreters.Interpreter(str(path), num_threads=1, experimental_op_resolver_type=resolver)
    made.allocate_tensors()
    return made


@pytest.mark.parametrize("shape", PRODUCTS)
def test_only_plain_operators_and_one_batch_matmul_a_product(shape, tmp_path):
    operators = Counter(entry["op_name"] for entry in interpreter(shape, tmp_path)._get_ops_details())
    assert operators["BATCH_MATMUL"] == PRODUCTS[shape]
    assert set(operators) <= PLAIN


@pytest.mark.parametrize("shape", PRODUCTS)
def test_each_product_takes_int8_and_int8_and_gives_int32_unscaled(shape, tmp_path):
    made = interpreter(shape, tmp_path)
    tensors = {entry["index"]: entry for entry in made.get_tensor_details()}
    products = [entry for entry in made._get_ops_details() if entry["op_name"] == "BATCH_MATMUL"]
    for product in products:
        operands = [tensors[index] for index in (*product["inputs"], *product["outputs"])]
        assert [operand["dtype"] for operand in operands] == [np.int8, np.int8, np.int32]
        assert [operand["quantization"] for operand in operands] == [(1.0, 0)] * 3


@pytest.mark.parametrize("shape", PRODUCTS)
def test_the_bits_are_the_same_with_xnnpack_and_without(shape, tmp_path):
    model = EVERY[shape]
    recorded = golden.record(model, streams(model, 1_000)["lively"])
    for resolver in (
        interpreters.OpResolverType.AUTO,  # XNNPACK takes what it can
        interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    ):
        made = interpreter(shape, tmp_path, resolver)
        inputs, outputs = (
            [entry["index"] for entry in side] for side in (made.get_input_details(), made.get_output_details())
        )
        assert golden.replay(LitertEngine(made, tuple(inputs), tuple(outputs)), recorded) == 0


@pytest.mark.parametrize("shape", ["sliding dense and GRU", "a GRU among them"])
def test_the_products_stay_with_the_exact_kernel_when_xnnpack_takes_the_rest(shape, tmp_path):
    alone = interpreter(shape, tmp_path)._get_ops_details()
    shared = interpreter(shape, tmp_path, interpreters.OpResolverType.AUTO)._get_ops_details()
    delegated = [entry for entry in shared if entry["op_name"] == "DELEGATE"]
    assert delegated
    outputs = {int(index) for entry in delegated for index in entry["outputs"]}
    products = {int(entry["outputs"][0]) for entry in alone if entry["op_name"] == "BATCH_MATMUL"}
    assert not outputs & products


def test_constants_lie_where_vector_instructions_may_load_them():
    graph = TfliteGraph()
    x = graph.tensor((5,), np.float32, name="x")
    marks = [np.arange(k, k + 5, dtype=np.float32) + 0.25 for k in (1, 2, 3)]
    y = x
    for mark in marks:
        y = graph.op("ADD", [y, graph.constant(mark)], (5,), np.float32)
    data = graph.to_bytes([x], [y])
    assert [data.index(mark.tobytes()) % ALIGNMENT for mark in marks] == [0, 0, 0]


def test_equal_constants_are_written_once():
    graph = TfliteGraph()
    assert graph.number(0.5) == graph.number(0.5)
    assert graph.constant([1, 2], np.int32) != graph.constant([1, 2], np.int8)
