"""A broken or foreign model.tflite is refused in one line, before the first frame."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="needs LiteRT")
pytest.importorskip("flatbuffers", reason="needs flatbuffers to write graphs")

from device_runtime import bundle, engines, golden
from device_runtime.bundle import Bundle
from device_runtime.engines.litert import load_engine
from device_runtime.errors import BundleError
from export.litert import Litert
from export.tflite_graph import TfliteGraph
from models import random_frames, tiny_manifest, tiny_model

MODEL = tiny_model(0, (("gru", 5),), 7)


def opened(folder, data=None):
    """A bundle whose model.tflite holds these bytes."""
    path = folder / Litert.filename
    if data is None:
        Litert().write(MODEL, path)
    else:
        path.write_bytes(data)
    return Bundle(folder, tiny_manifest(), MODEL)


def floors(inputs, outputs):
    """A graph that rounds the first input down, whatever it is called."""
    graph = TfliteGraph()
    taken = [graph.tensor(shape, dtype, name) for name, shape, dtype in inputs]
    given = [graph.op("FLOOR", [taken[0]], shape, dtype, name=name) for name, shape, dtype in outputs]
    return graph.to_bytes(taken, given)


FRAME, STATE = ("frame", (7,), np.float32), ("state", (12,), np.float32)
SCORES, NEXT = ("scores", (4,), np.float32), ("next_state", (12,), np.float32)


def test_a_written_bundle_runs_by_name_and_has_no_differing_bit(tmp_path, capfd):
    folder = tmp_path / "b"
    bundle.write(folder, tiny_manifest(), MODEL, lambda temporary: Litert().write(MODEL, temporary / Litert.filename))
    engine = engines.load("litert", bundle.read(folder))
    assert engine.name == "litert"
    assert golden.replay(engine, golden.record(MODEL, random_frames(200, 7))) == 0
    assert capfd.readouterr() == ("", ""), "the library's own messages stay off the terminal"


@pytest.mark.parametrize("kept", [0, 1, 4, 8, 500, -1, -100])
def test_a_truncated_graph_is_refused(kept, tmp_path, capfd):
    opened(tmp_path)
    data = (tmp_path / Litert.filename).read_bytes()[:kept]
    with pytest.raises(
        BundleError, match=r"model\.tflite is not a graph that LiteRT can run: .*\. Get the bundle again$"
    ):
        load_engine(opened(tmp_path, data))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        (
            [("frame", (8,), np.float32), STATE],
            [SCORES, NEXT],
            r"takes frame: float32 \(8,\), state: float32 \(12,\), but the model beside it takes frame: float32 \(7,\)",
        ),
        ([("x", (7,), np.float32), STATE], [SCORES, NEXT], r"takes x: float32 \(7,\), state"),
        ([("frame", (7,), np.int8), STATE], [SCORES, NEXT], r"takes frame: int8 \(7,\), state"),
        ([FRAME], [SCORES, NEXT], r"takes frame: float32 \(7,\), but the model beside it takes frame.*, state"),
        ([FRAME, STATE], [("scores", (3,), np.float32), NEXT], r"gives scores: float32 \(3,\), next_state"),
        ([FRAME, STATE], [SCORES], r"gives scores: float32 \(4,\), but the model beside it gives .* Get the bundle"),
    ],
)
def test_other_inputs_or_outputs_than_the_weights_are_refused(inputs, outputs, message, tmp_path):
    with pytest.raises(BundleError, match=message):
        load_engine(opened(tmp_path, floors(inputs, outputs)))


def test_a_graph_that_lies_about_its_outputs_is_refused(tmp_path):
    with pytest.raises(BundleError, match=r"gives scores: float32 \(7,\)"):
        load_engine(opened(tmp_path, floors([FRAME, STATE], [SCORES, NEXT])))  # FLOOR of 7 values is 7 values


def test_a_graph_that_cannot_be_prepared_is_refused(tmp_path):
    graph = TfliteGraph()
    frame, state = graph.tensor(*FRAME[1:], "frame"), graph.tensor(*STATE[1:], "state")
    scores = graph.op("ADD", [frame, state], (4,), np.float32, name="scores")  # 7 + 12 values
    data = graph.to_bytes([frame, state], [scores, graph.op("FLOOR", [state], (12,), np.float32, name="next_state")])
    with pytest.raises(
        BundleError, match=r"model\.tflite is not a graph that LiteRT can run: .*\. Get the bundle again"
    ):
        load_engine(opened(tmp_path, data))


def test_the_older_package_serves_where_the_newer_is_missing(tmp_path, monkeypatch):
    from ai_edge_litert import interpreter

    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", interpreter)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    bundle_here = opened(tmp_path)
    assert golden.replay(load_engine(bundle_here), golden.record(MODEL, random_frames(20, 7))) == 0
