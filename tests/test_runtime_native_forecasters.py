"""A forecaster on the native engine: every kernel decodes, maps and sums with the bits of arithmetic.step."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest

from device_runtime import arithmetic, bundle, engines, flat, golden
from device_runtime.arithmetic import Decode, Gru
from device_runtime.engines import native, reference
from device_runtime.pack import pack
from models import random_frames, tiny_model, write_tiny_bundle
from sparse_models import on_grid, with_own_steps, with_weights, without_blocks
from streams import FORECASTERS, MODELS, streams

_native = pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")

KERNELS = _native.kernels()
FORECASTER = FORECASTERS["a forecaster"]


def engine_of(model, kernel=None):
    return native.NativeEngine(_native.Model(flat.to_bytes(model), kernel))


def windows_of(model, windows, count, seed=0):
    return random_frames(windows * count, model.feature_size, seed).reshape(windows, count, -1)


def plainly(model, frames):
    """The last scores of each window, by the definition."""
    return np.stack([golden.record(model, window).scores[-1] for window in frames])


@pytest.mark.parametrize("shape", FORECASTERS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_bit_differs_from_the_arithmetic(kernel, shape):
    model = FORECASTERS[shape]
    engine = engine_of(model, kernel)
    for what, frames in streams(model, 60).items():
        recorded = golden.record(model, frames)
        assert golden.replay(engine, recorded) == 0, what
        scores, state = engine.steps(frames, model.initial_state())
        assert scores.tobytes() == recorded.scores.tobytes(), what
        assert state.tobytes() == recorded.states[-1].tobytes(), what


def random_forecaster(seed):
    """Of any size, with and without layers before, a linear map, and zeros."""
    rng = np.random.default_rng(seed)
    positions, width, levels, units, frames = (int(rng.integers(1, most + 1)) for most in (30, 96, 3, 130, 40))
    layers = [("gru", units)] + [("decode", positions)] * (rng.random() < 0.8)
    if rng.random() < 0.3:
        layers = [("gru", int(rng.integers(1, 20))), *layers]
    if rng.random() < 0.4:
        layers = [("dense", int(rng.integers(1, 20)), width, int(rng.integers(1, 9))), *layers]
    features, has_linear = width + int(rng.integers(0, 8)), rng.random() < 0.6
    linear, rows = ((width, frames), levels) if has_linear else (None, levels * width)
    model = tiny_model(seed, layers, features, rows, float(rng.choice([0, 0.8])), linear)
    if rng.random() < 0.4:
        model = with_weights(model, without_blocks(rng.random(), (int(rng.choice([8, 16])), int(rng.integers(1, 5)))))
    return with_weights(model, on_grid(int(rng.integers(1, 19)))) if rng.random() < 0.3 else model


@pytest.mark.parametrize("kernel", KERNELS)
def test_odd_sizes(kernel):
    for seed in range(60):
        model = random_forecaster(seed)
        recorded = golden.record(model, random_frames(8, model.feature_size, seed))
        assert golden.replay(engine_of(model, kernel), recorded) == 0, seed


@pytest.mark.parametrize("change", [with_own_steps, without_blocks(0.75), without_blocks(0.8, (16, 1)), np.zeros_like])
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_bit_differs_however_the_weights_are_stored(kernel, change):
    for shape in ("a forecaster", "decoding from the second GRU", "a linear map beside a head"):
        model = with_weights(FORECASTERS[shape], change)
        assert golden.replay(engine_of(model, kernel), golden.record(model, random_frames(40, model.feature_size))) == 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_many_steps_on(kernel):
    model = FORECASTER
    recorded = golden.record(model, random_frames(2_000, model.feature_size))
    scores, state = engine_of(model, kernel).steps(recorded.frames, model.initial_state())
    assert scores.tobytes() == recorded.scores.tobytes()
    assert state.tobytes() == recorded.states[-1].tobytes()


@pytest.mark.parametrize("shape", FORECASTERS | MODELS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_window_ends_with_the_scores_of_its_last_step(kernel, shape):
    model = (FORECASTERS | MODELS)[shape]
    frames = windows_of(model, 3, 11)
    found = engines.last_scores(engine_of(model, kernel), model.initial_state(), frames)
    assert found.tobytes() == plainly(model, frames).tobytes()
    assert found.shape == (3, model.score_size)


def test_a_window_goes_on_from_any_state():
    begun = golden.record(FORECASTER, random_frames(40, FORECASTER.feature_size, 5)).states[-1]
    frames = windows_of(FORECASTER, 2, 4)
    kept = begun.copy()
    found = engine_of(FORECASTER).windows(frames, begun)
    expected = engines.last_scores(reference.ReferenceEngine(FORECASTER), begun, frames)
    assert found.tobytes() == expected.tobytes()
    assert begun.tobytes() == kept.tobytes()


@pytest.mark.parametrize("kernel", KERNELS)
def test_many_streams_in_one_call_are_the_same_steps(kernel):
    engine, frames = engine_of(FORECASTER, kernel), windows_of(FORECASTER, 33, 5)
    states = np.zeros((5, FORECASTER.state_size), np.float32)
    recorded = [golden.record(FORECASTER, frames[:, stream]) for stream in range(5)]
    for at, of_each in enumerate(frames):
        scores, states = engine.streams(of_each, states)
        assert scores.tobytes() == np.stack([one.scores[at] for one in recorded]).tobytes()
        assert states.tobytes() == np.stack([one.states[at] for one in recorded]).tobytes()


def test_a_step_into_the_callers_arrays_gives_the_same_bits_in_place_too():
    engine, state = engine_of(FORECASTER), FORECASTER.initial_state()
    in_place, scores = state.copy(), np.empty(FORECASTER.score_size, np.float32)
    for frame in random_frames(40, FORECASTER.feature_size):
        expected, state = arithmetic.step(FORECASTER, frame, state)
        engine.step_into(frame, in_place, scores, in_place)
        assert scores.tobytes() == expected.tobytes()
        assert in_place.tobytes() == state.tobytes()


def test_threads_may_share_an_engine():
    engine = engine_of(FORECASTER)
    given = [windows_of(FORECASTER, 20, 30, seed) for seed in range(3)]
    expected = [engine.windows(frames, FORECASTER.initial_state()).tobytes() for frames in given]
    got: dict[int, bytes] = {}

    def forecast(which):
        for _ in range(20):
            got[which] = engine.windows(given[which], FORECASTER.initial_state()).tobytes()

    threads = [threading.Thread(target=forecast, args=(which,)) for which in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[which] for which in range(3)] == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_number_whatever_leads_out_of_the_tables(kernel, bad):
    model, engine = FORECASTER, engine_of(FORECASTER, kernel)
    frames = np.full((3, model.feature_size), bad, np.float32)
    scores, state = engine.steps(frames, np.full(model.state_size, bad, np.float32))
    assert np.isfinite(scores).all()
    units = sum(model.hidden_sizes)
    assert (np.abs(state[model.feature_size :][:units]) < 1).all()
    assert (np.abs(state[model.feature_size + units :]) <= 127).all()


def test_positions_of_zeros_decode_the_step_without_an_input():
    """What the decode layer stands for: a GRU step whose input's share of the gates is the row of the position."""
    layers = (FORECASTER.layers[0], FORECASTER.layers[1], Decode(np.zeros((1, 72), np.float32)))
    assert isinstance(layers[1], Gru)
    model = dataclasses.replace(FORECASTER, layers=layers, linear=None)
    assert golden.replay(engine_of(model), golden.record(model, random_frames(20, model.feature_size))) == 0


def test_a_bundle_of_a_forecaster_runs_with_its_file_and_without(tmp_path):
    model = tiny_model(0, (("gru", 12), ("decode", 4)), 9, 4, linear=(8, 5))
    opened = write_tiny_bundle(tmp_path / "tiny.bundle", model)
    assert golden.replay(engines.load("native", opened), golden.read(opened)) == 0
    manifest = pack(opened.folder, tmp_path / "packed.bundle", "native")
    assert flat.FILE in manifest.files
    packed = bundle.read(tmp_path / "packed.bundle")
    assert golden.replay(engines.load("native", packed), golden.read(opened)) == 0


def test_each_score_has_the_label_of_its_level():
    labels = _native.Model(flat.to_bytes(FORECASTER, ("p10", "p50", "p90"))).labels
    assert labels == (("p10",) * 24 + ("p50",) * 24 + ("p90",) * 24) * 5


def test_a_file_without_either_is_of_the_first_format():
    formats = [flat.to_bytes(model)[8] for model in (*MODELS.values(), *FORECASTERS.values())]
    assert formats == [1] * len(MODELS) + [2] * len(FORECASTERS)


def test_wrong_windows_are_told_in_one_line():
    model = engine_of(FORECASTER).model
    frames, state = np.zeros((2, 3, model.feature_size), np.float32), np.zeros(model.state_size, np.float32)
    scores = np.zeros((2, model.score_count), np.float32)
    with pytest.raises(TypeError, match="it takes frames, a state and scores, got 2 arguments"):
        model.windows(frames, state)
    wrong = [
        ((frames[:, :, 1:], state, scores), "frames must be a contiguous buffer, such as"),
        ((frames.reshape(-1)[1:], state, scores), "frames must have 26 values a step, got 620 bytes"),
        ((frames, state[1:], scores), r"state must have 770 values, got 3076 bytes"),
        ((frames, state, scores[:, 1:].copy()), "scores must have 360 values a step, got 2872 bytes"),
        ((frames, state, bytes(2880)), "scores must be a contiguous buffer that can be written to"),
        ((frames[:1], state, scores), "3 frames do not make 2 equally long windows of at least one"),
        ((frames[:0], state, scores), "0 frames do not make 2 equally long windows of at least one"),
        ((frames, state, scores[:0]), "6 frames do not make 0 equally long windows of at least one"),
    ]
    for arguments, message in wrong:
        with pytest.raises(ValueError, match=message):
            model.windows(*arguments)
