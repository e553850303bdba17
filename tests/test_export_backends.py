"""Every backend's file gives the bits of arithmetic.step, whatever the model's shape and whatever it hears."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="needs LiteRT")

from device_runtime import golden
from device_runtime.arithmetic import Model
from device_runtime.bundle import Bundle
from device_runtime.engines import Engine, litert, onnx
from device_runtime.fixed_point import SIGMOID_Q15, TANH_Q15
from device_runtime.weights import arrays
from export.litert import Litert
from export.onnx import Onnx
from export.tables import upper_half
from factored_models import FACTORED
from models import tiny_manifest
from sparse_models import on_grid, with_weights, without_blocks
from streams import FORECASTERS, MODELS, SRU_MODELS, streams

FRAMES = 1_100
FRAMES_OF_FACTORS = 200
EVERY = MODELS | FORECASTERS | SRU_MODELS
SUBNORMAL = "tiny values everywhere"
"""Its scores are below 2**-126, which LiteRT takes for zeros."""

BACKENDS = {"onnx": (Onnx(), onnx.load_engine), "litert": (Litert(), litert.load_engine)}


def export_and_load(name: str, model: Model, folder: Path) -> Engine:
    backend, load_engine = BACKENDS[name]
    backend.write(model, folder / backend.filename)
    return load_engine(Bundle(folder, tiny_manifest(), model))


@pytest.mark.parametrize(
    ("name", "shape"), [(name, shape) for name in BACKENDS for shape in EVERY if (name, shape) != ("litert", SUBNORMAL)]
)
def test_no_bit_differs_from_the_arithmetic(name, shape, tmp_path):
    model = EVERY[shape]
    engine = export_and_load(name, model, tmp_path)
    differing = {
        what: golden.replay(engine, golden.record(model, frames)) for what, frames in streams(model, FRAMES).items()
    }
    assert differing == dict.fromkeys(differing, 0)


def test_litert_takes_subnormal_scores_for_zeros_but_no_state_differs(tmp_path):
    model = EVERY[SUBNORMAL]
    engine = export_and_load("litert", model, tmp_path)
    recorded = golden.record(model, streams(model, 100)["lively"])
    assert 0 < np.abs(recorded.scores).max() < np.finfo(np.float32).tiny
    state = model.initial_state()
    for frame, expected in zip(recorded.frames, recorded.states, strict=True):
        scores, state = engine.step(frame, state)
        assert not scores.any()
        assert state.tobytes() == expected.tobytes()


@pytest.mark.parametrize("change", [lambda weight: weight, without_blocks(0.6), on_grid(18)])
@pytest.mark.parametrize("shape", FACTORED)
@pytest.mark.parametrize("name", BACKENDS)
def test_no_bit_differs_where_matrices_are_two_factors(name, shape, change, tmp_path):
    model = with_weights(FACTORED[shape], change)
    engine = export_and_load(name, model, tmp_path)
    hard = streams(model, FRAMES_OF_FACTORS)
    frames = np.concatenate([hard[what] for what in ("lively", "saturating", "ties")])
    assert golden.replay(engine, golden.record(model, frames)) == 0


@pytest.mark.parametrize("shape", EVERY)
def test_the_streams_are_hard(shape):
    recorded = golden.record(EVERY[shape], streams(EVERY[shape], 300)["lively"])
    assert np.isfinite(recorded.states).all()
    assert len(np.unique(recorded.frames)) > 250


@pytest.mark.parametrize("name", BACKENDS)
def test_a_step_keeps_nothing_and_gives_arrays_of_its_own(name, tmp_path):
    model = MODELS["two GRUs"]
    engine = export_and_load(name, model, tmp_path)
    first, second = streams(model, 2)["lively"]
    frame, state = first.copy(), model.initial_state()
    answer = engine.step(frame, state)
    kept = [array.copy() for array in answer]
    engine.step(second, answer[1])
    assert frame.tobytes() == first.tobytes()
    assert not state.any()
    for array, copy in zip(answer, kept, strict=True):
        assert array.tobytes() == copy.tobytes()
        assert (array.dtype, array.flags.owndata or array.base is not None) == (np.float32, True)
    for array, again in zip(kept, engine.step(first, model.initial_state()), strict=True):
        assert array.tobytes() == again.tobytes()


@pytest.mark.parametrize("name", BACKENDS)
def test_the_same_model_gives_the_same_file(name, tmp_path):
    backend, _ = BACKENDS[name]
    for file in ("one", "two"):
        backend.write(MODELS["two GRUs"], tmp_path / file)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("shape", ["sliding dense and GRU", "as many units as inputs"])
@pytest.mark.parametrize(("name", "most"), [("onnx", 12), ("litert", 24)])
def test_a_file_is_little_more_than_its_weights(name, most, shape, tmp_path):
    backend, _ = BACKENDS[name]
    model = EVERY[shape]
    backend.write(model, tmp_path / "file")
    weights = sum(array.nbytes for array in arrays(model).values())
    assert (tmp_path / "file").stat().st_size < weights + most * 1024


@pytest.mark.parametrize("q15", [SIGMOID_Q15, TANH_Q15], ids=["sigmoid", "tanh"])
def test_half_a_table_mirrors_to_the_whole(q15):
    middle, rises = upper_half(q15)
    below = rises[np.minimum(np.arange(len(rises), 0, -1), len(rises) - 1)]
    whole = np.concatenate([middle - below.astype(np.int32), middle + rises.astype(np.int32)])
    assert np.array_equal(whole, q15)
    assert np.abs(np.diff(rises)).max() <= 127, "the ONNX file stores int8 steps"
