"""A broken or foreign model.onnx is refused in one line, before the first frame."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="needs the onnx package to write graphs")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

import onnx
from onnx import TensorProto, helper

from device_runtime import bundle, engines, golden
from device_runtime.bundle import Bundle
from device_runtime.engines.onnx import load_engine
from device_runtime.errors import BundleError
from export.onnx import Onnx
from models import random_frames, tiny_manifest, tiny_model

MODEL = tiny_model(0, (("gru", 5),), 7)


def opened(folder, data=None):
    """A bundle whose model.onnx holds these bytes."""
    path = folder / Onnx.filename
    if data is None:
        Onnx().write(MODEL, path)
    else:
        path.write_bytes(data)
    return Bundle(folder, tiny_manifest(), MODEL)


def graph(inputs, outputs, nodes):
    values = [
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in side] for side in (inputs, outputs)
    ]
    made = helper.make_graph([helper.make_node(*node) for node in nodes], "g", *values)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


FRAME, STATE = ("frame", TensorProto.FLOAT, [7]), ("state", TensorProto.FLOAT, [12])
SCORES, NEXT = ("scores", TensorProto.FLOAT, [4]), ("next_state", TensorProto.FLOAT, [12])


def test_a_written_bundle_runs_by_name_and_has_no_differing_bit(tmp_path):
    folder = tmp_path / "b"
    bundle.write(folder, tiny_manifest(), MODEL, lambda temporary: Onnx().write(MODEL, temporary / Onnx.filename))
    engine = engines.load("onnx", bundle.read(folder))
    assert engine.name == "onnx"
    assert golden.replay(engine, golden.record(MODEL, random_frames(200, 7))) == 0


@pytest.mark.parametrize("kept", [0, 1, 7, 200, -1])
def test_a_truncated_graph_is_refused(kept, tmp_path, capfd):
    opened(tmp_path)
    data = (tmp_path / Onnx.filename).read_bytes()[:kept]
    with pytest.raises(BundleError, match=r"model\.onnx is not a graph that ONNX Runtime can run: .*\. Get the bundle"):
        load_engine(opened(tmp_path, data))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (
            [("frame", TensorProto.FLOAT, [8]), STATE],
            [SCORES, NEXT],
            r"takes frame: float32 \(8,\), state: float32 \(12,\), but the model beside it takes frame: float32 \(7,\)",
        ),
        ([("x", TensorProto.FLOAT, [7]), STATE], [SCORES, NEXT], r"takes x: float32 \(7,\), state"),
        ([("frame", TensorProto.FLOAT, ["n"]), STATE], [SCORES, NEXT], r"takes frame: float32 \('n',\), state"),
        ([("frame", TensorProto.DOUBLE, [7]), STATE], [SCORES, NEXT], r"takes frame: tensor\(double\) \(7,\), state"),
        ([FRAME, STATE], [("scores", TensorProto.FLOAT, [3]), NEXT], r"gives scores: float32 \(3,\), next_state"),
        ([FRAME, STATE], [SCORES], r"gives scores: float32 \(4,\), but the model beside it gives .* Get the bundle"),
    ],
)
def test_other_inputs_or_outputs_than_the_weights_are_refused(inputs, outputs, message, tmp_path):
    nodes = [("Expand" if output[0] else "", ["one", "shape_" + output[0]], [output[0]]) for output in outputs]
    made = onnx.ModelProto.FromString(graph(inputs, outputs, nodes))
    made.graph.initializer.append(helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0]))
    for name, _, shape in outputs:
        made.graph.initializer.append(helper.make_tensor("shape_" + name, TensorProto.INT64, [1], shape))
    with pytest.raises(BundleError, match=message):
        load_engine(opened(tmp_path, made.SerializeToString()))


def test_a_damaged_name_is_refused_without_a_word_on_the_terminal(tmp_path, capfd):
    data = (opened(tmp_path).folder / Onnx.filename).read_bytes().replace(b"MatMulInteger", b"MatMul\xffnteger")
    with pytest.raises(BundleError, match=r"model\.onnx is not a graph that ONNX Runtime can run"):
        load_engine(opened(tmp_path, data))
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_fails_when_it_runs_is_refused_when_it_loads(tmp_path):
    nodes = [("Reshape", ["frame", "shape"], ["scores"]), ("Identity", ["state"], ["next_state"])]
    made = onnx.ModelProto.FromString(graph([FRAME, STATE], [SCORES, NEXT], nodes))
    cast = helper.make_node("Cast", ["state"], ["shape"], to=TensorProto.INT64)
    made.graph.node.insert(0, cast)  # the shape is known only when it runs
    with pytest.raises(BundleError, match=r"model\.onnx is not a graph that ONNX Runtime can run: .*Reshape"):
        load_engine(opened(tmp_path, made.SerializeToString()))


def test_a_graph_may_not_name_other_files(tmp_path):
    made = onnx.ModelProto.FromString((opened(tmp_path).folder / Onnx.filename).read_bytes())
    (tmp_path / "secret").write_bytes(bytes(4096))
    tensor = next(tensor for tensor in made.graph.initializer if tensor.data_type == TensorProto.FLOAT and tensor.dims)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=str(tmp_path / "secret"))
    with pytest.raises(BundleError, match=r"model\.onnx is not a graph that ONNX Runtime can run"):
        load_engine(opened(tmp_path, made.SerializeToString()))
