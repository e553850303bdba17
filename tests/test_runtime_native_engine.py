"""The native engine among the others: bundles with and without its file, and machines where it was not built."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
import weakref

import numpy as np
import pytest

from device_runtime import bundle, engines, extension, flat, golden
from device_runtime.engines import native
from device_runtime.errors import BundleError, EngineError
from models import random_frames, tiny_manifest, tiny_model, write_tiny_bundle
from processes import environment
from streams import MODELS

START = MODELS["two GRUs"].initial_state()
HERE = engines.ENGINES["native"].is_installed()
built = pytest.mark.skipif(not HERE, reason="the native engine is not built here")


def write_with_file(folder, model, data):
    bundle.write(folder, tiny_manifest(), model, lambda temporary: (temporary / flat.FILE).write_bytes(data))
    return bundle.read(folder)


@built
def test_a_bundle_without_its_file_runs_all_the_same(tmp_path):
    opened = write_tiny_bundle(tmp_path / "tiny.bundle")
    engine = engines.load("native", opened)
    assert engine.name == "native"
    assert golden.replay(engine, golden.read(opened)) == 0
    assert "native" in engines.available(opened)


@built
def test_a_bundle_with_its_file_runs_from_it(tmp_path):
    model = tiny_model()
    opened = write_with_file(tmp_path / "tiny.bundle", model, flat.to_bytes(model))
    assert golden.replay(engines.load("native", opened), golden.record(model, random_frames(30))) == 0


@built
def test_a_damaged_file_is_refused_in_one_line(tmp_path):
    opened = write_with_file(tmp_path / "tiny.bundle", tiny_model(), b"garbage" * 99)
    pattern = r"model\.native cannot be run: it is no model.native, or it was cut short\. Get the bundle again$"
    with pytest.raises(BundleError, match=pattern):
        engines.load("native", opened)


@built
def test_a_file_of_another_model_is_refused(tmp_path):
    other = tiny_model(0, (("gru", 5),), 7)
    opened = write_with_file(tmp_path / "tiny.bundle", tiny_model(), flat.to_bytes(other))
    pattern = r"has frames, states and scores of \(7, 12, 4\), but the model beside it of \(200, 224, 4\)\. Get the"
    with pytest.raises(BundleError, match=pattern):
        engines.load("native", opened)


def test_where_it_was_not_built_the_reference_takes_over_with_one_line(tmp_path, monkeypatch, caplog):
    opened = write_tiny_bundle(tmp_path / "tiny.bundle")
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    assert engines.available(opened) == ["reference"]
    assert engines.load("native", opened).name == "reference"
    notices = [record.getMessage() for record in caplog.records]
    assert notices == ["the native engine is not built here; the reference engine takes over"]


def test_an_extension_that_cannot_be_loaded_says_so(tmp_path, monkeypatch):
    opened = write_tiny_bundle(tmp_path / "tiny.bundle")
    monkeypatch.setattr(extension, "NAME", "device_runtime.native.not_there")
    with pytest.raises(
        EngineError, match=r"the native engine cannot be loaded \(.*\)\. Install a C compiler, then: pip"
    ):
        native.load_engine(opened)


@built
def test_a_step_keeps_nothing_and_gives_arrays_of_its_own(tmp_path):
    engine = engines.load("native", write_tiny_bundle(tmp_path / "tiny.bundle"))
    first, second = random_frames(2)
    frame, state = first.copy(), np.zeros(engine.model.state_size, np.float32)
    answer = engine.step(frame, state)
    kept = [array.copy() for array in answer]
    engine.step(second, answer[1])
    assert frame.tobytes() == first.tobytes()
    assert not state.any()
    for array, again, copy in zip(answer, engine.step(first, state), kept, strict=True):
        assert array.tobytes() == copy.tobytes() == again.tobytes()


def _read_only(array):
    array.flags.writeable = False
    return array


def _of_another_shape(array):
    array.shape = (len(array), 1)


def _of_another_type(array):
    array.dtype = np.int32


@built
@pytest.mark.parametrize("change", [_of_another_shape, _of_another_type, _read_only, weakref.ref])
def test_an_array_that_the_caller_has_changed_is_no_answer_again(change):
    model = MODELS["two GRUs"]
    engine = native.NativeEngine(native._model_class()(flat.to_bytes(model)))
    changes = [change(array) for _ in range(3) for array in engine.step(np.zeros(model.feature_size, "f4"), START)]
    frames, state = random_frames(4, model.feature_size), START
    for frame, expected in zip(frames, golden.record(model, frames).scores, strict=True):
        scores, state = engine.step(frame, state)
        assert (scores.dtype, scores.shape, state.shape) == (np.float32, expected.shape, START.shape)
        assert scores.flags.writeable
        assert scores.tobytes() == expected.tobytes()
    assert len(changes) == 6


@built
@pytest.mark.parametrize("hold", [lambda array: array[1:], memoryview, np.asarray], ids=["a view", "a buffer", "it"])
def test_an_answer_that_is_held_by_whatever_is_never_written_to(hold):
    model = MODELS["two GRUs"]
    engine = native.NativeEngine(native._model_class()(flat.to_bytes(model)))
    held, state = [], START
    for frame in random_frames(8, model.feature_size):
        scores, state = engine.step(frame, state)
        held += [(hold(array), bytes(hold(array))) for array in (scores, state)]
        del scores
    assert all(bytes(array) == kept for array, kept in held)


@built
def test_a_closed_model_lets_its_last_answers_go():
    model = MODELS["two GRUs"]
    engine = native.NativeEngine(native._model_class()(flat.to_bytes(model)))
    answers = [weakref.ref(array) for array in engine.step(np.zeros(model.feature_size, "f4"), START)]
    del engine
    assert [answer() for answer in answers] == [None, None]


@built
def test_a_step_into_the_callers_arrays_gives_the_same_bits_in_place_too():
    model = MODELS["two GRUs"]
    engine = native.NativeEngine(native._model_class()(flat.to_bytes(model)))
    state, in_place = model.initial_state(), model.initial_state()
    scores = np.empty(engine.model.score_count, np.float32)
    for frame in random_frames(20, model.feature_size):
        expected, state = engine.step(frame, state)
        engine.step_into(frame, in_place, scores, in_place)
        assert scores.tobytes() == expected.tobytes()
        assert in_place.tobytes() == state.tobytes()


@built
@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda size: np.zeros(size, np.int32), "scores must hold float32 values or bytes, got the format 'i'"),
        (lambda size: np.zeros(size, ">f4"), "scores must hold float32 values or bytes, got the format '>f'"),
        (lambda size: np.zeros(size + 1, np.float32), "scores must have 2 values, got 12 bytes"),
        (lambda size: np.zeros(2 * size, np.float32)[::2], "scores must be a contiguous buffer that can be written"),
        (lambda size: _read_only(np.zeros(size, np.float32)), "scores must be a contiguous buffer that can be written"),
        (
            lambda size: np.zeros(4 * size + 1, np.uint8)[1:].view(np.float32),
            "scores must hold float32 values or bytes, got the format '=f'",
        ),
    ],
    ids=["int32", "big-endian", "too long", "gaps", "read-only", "odd address"],
)
def test_a_step_into_arrays_that_do_not_fit_is_refused(make, problem):
    model = MODELS["two GRUs"]
    engine = native.NativeEngine(native._model_class()(flat.to_bytes(model)))
    frame, state = random_frames(1, model.feature_size)[0], model.initial_state()
    with pytest.raises(ValueError, match=problem):
        engine.step_into(frame, state, make(engine.model.score_count), state)


LATE_NUMPY = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("_native", sys.argv[1])
native = importlib.util.module_from_spec(spec)
spec.loader.exec_module(native)
assert "numpy" not in sys.modules
with open(sys.argv[2], "rb") as file:
    model = native.Model(file.read())
before = model.step(bytes(4 * model.feature_size), bytes(4 * model.state_size))
import numpy as np
assert [type(array) for array in before] == [np.ndarray, np.ndarray]
model = native.Model(open(sys.argv[2], "rb").read())
after = model.step(np.zeros(model.feature_size, "f4"), np.zeros(model.state_size, "f4"))
assert [array.tobytes() for array in before] == [array.tobytes() for array in after]
assert {array.dtype for array in before + after} == {np.dtype("f4")}
"""


@built
def test_a_model_opened_before_numpy_was_imported_gives_the_same_arrays(tmp_path):
    (tmp_path / flat.FILE).write_bytes(flat.to_bytes(MODELS["two GRUs"]))
    library = importlib.import_module(extension.NAME).__file__
    program = [sys.executable, "-c", LATE_NUMPY, library, str(tmp_path / flat.FILE)]
    subprocess.run(program, env=environment(), check=True)


@built
def test_threads_may_share_an_engine():
    model = MODELS["sliding dense and GRU"]
    engine = native.NativeEngine(native._model_class()(flat.to_bytes(model)))
    streams = [random_frames(3_000, model.feature_size, seed) for seed in range(3)]
    expected = [engine.steps(frames, model.initial_state())[0].tobytes() for frames in streams]
    got: dict[int, bytes] = {}

    def listen(which):
        got[which] = engine.steps(streams[which], model.initial_state())[0].tobytes()

    threads = [threading.Thread(target=listen, args=(which,)) for which in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[which] for which in range(3)] == expected
