"""Every kernel of the native engine gives the bits of arithmetic.step, whatever the model and however it is stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device_runtime import arithmetic, bundle, flat, golden
from device_runtime.engines.native import NativeEngine
from factored_models import FACTORED, factored
from models import random_frames, tiny_model
from sparse_models import on_grid, powers_of_two, with_own_steps, with_weights, without_blocks
from streams import MODELS, streams

_native = pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")

KERNELS = _native.kernels()
BUNDLES = sorted((Path(__file__).parent.parent / "scenarios/bundles").glob("*.bundle"))
CHANGES = {
    "blocks of 8 x 2": without_blocks(0.75),
    "blocks of 8 x 1": without_blocks(0.8, (8, 1)),
    "blocks of 8 x 4": without_blocks(0.6, (8, 4)),
    "blocks of 16 x 1": without_blocks(0.8, (16, 1)),
    "blocks of 16 x 2": without_blocks(0.75, (16, 2)),
    "blocks of 16 x 4": without_blocks(0.6, (16, 4)),
    "no weights": without_blocks(1.0),
    "4 bits": on_grid(18),
    "4 bits, steps by row": with_own_steps,
    "powers of two": powers_of_two,
    "sparse in 4 bits": lambda weight: on_grid(18)(without_blocks(0.7)(weight)),
    "blocks of 16 x 1 in 4 bits": lambda weight: on_grid(18)(without_blocks(0.7, (16, 1))(weight)),
    "the most negative": lambda weight: np.full_like(weight, -128),
}


def engine_of(model, kernel=None):
    return NativeEngine(_native.Model(flat.to_bytes(model), kernel))


def differing(kernel, model, frames):
    return golden.replay(engine_of(model, kernel), golden.record(model, frames))


def test_the_kernels_are_known_and_plain_c_is_the_last():
    assert KERNELS[-1] == "portable"
    assert set(KERNELS) <= {"avx512", "avx2", "sdot", "neon", "portable"}
    assert _native.Model(flat.to_bytes(tiny_model())).kernel == KERNELS[0]


@pytest.mark.parametrize("shape", MODELS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_bit_differs_from_the_arithmetic(kernel, shape):
    model = MODELS[shape]
    wrong = {what: differing(kernel, model, frames) for what, frames in streams(model, 100).items()}
    assert wrong == dict.fromkeys(wrong, 0)


@pytest.mark.parametrize("shape", FACTORED)
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_bit_differs_where_matrices_are_two_factors(kernel, shape):
    model = FACTORED[shape]
    wrong = {what: differing(kernel, model, frames) for what, frames in streams(model, 60).items()}
    assert wrong == dict.fromkeys(wrong, 0)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_bit_differs_however_the_factors_are_stored(kernel, change):
    for name in ("both matrices of a GRU", "two GRUs", "the widest factors", "a forecaster"):
        model = with_weights(FACTORED[name], CHANGES[change])
        assert differing(kernel, model, random_frames(40, model.feature_size)) == 0, name


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_bit_differs_however_the_weights_are_stored(kernel, change):
    for name in ("sliding dense and GRU", "two dense layers and two GRUs", "the widest row"):
        model = with_weights(MODELS[name], CHANGES[change])
        assert differing(kernel, model, random_frames(60, model.feature_size)) == 0, name


@pytest.mark.parametrize("kernel", KERNELS)
def test_odd_sizes_and_all_shares_of_zeros(kernel):
    rng = np.random.default_rng(7)
    for seed in range(40):
        units, features, labels = (int(rng.integers(1, most)) for most in (140, 90, 30))
        layers = [("gru", units)] + [("gru", int(rng.integers(1, 40)))] * int(rng.integers(0, 2))
        if features > 8 and rng.random() < 0.5:
            columns = int(rng.integers(2, features))
            layers = [("dense", int(rng.integers(1, 20)), columns, int(rng.integers(1, 9))), *layers]
        model = tiny_model(seed, layers, features, labels)
        if rng.random() < 0.7:
            model = with_weights(
                model, without_blocks(rng.random(), (int(rng.choice([8, 16])), int(rng.integers(1, 5))), seed)
            )
        if rng.random() < 0.3:
            model = with_weights(model, on_grid(int(rng.integers(1, 19))))
        frames = random_frames(12, features, seed)
        assert differing(kernel, model, frames) == 0, (seed, layers, features, labels)
        ranks = [int(rank) for rank in rng.integers(0, 70, 5)]
        low_rank = factored(model, ranks, seed)
        if seed % 2:
            low_rank = with_weights(low_rank, without_blocks(rng.random(), (8, int(rng.integers(1, 5))), seed))
        assert differing(kernel, low_rank, frames) == 0, (seed, layers, features, labels, ranks)


@pytest.mark.parametrize("block", [(8, 1), (8, 2), (8, 4), (16, 1), (16, 2), (16, 4)])
@pytest.mark.parametrize("units", [65, 128, 257])
@pytest.mark.parametrize("kernel", KERNELS)
def test_zero_blocks_of_every_form_and_width(kernel, units, block):
    model = with_weights(tiny_model(units, (("gru", units),), 40, 5), without_blocks(0.7, block))
    assert differing(kernel, model, random_frames(8, 40)) == 0


@pytest.mark.parametrize("share", [0.0, 0.75])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_largest_layers(kernel, share):
    model = with_weights(tiny_model(1, (("gru", 512),), 300, 5), without_blocks(share))
    assert differing(kernel, model, random_frames(6, 300)) == 0


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: folder.stem)
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_golden_frames_of_the_bundles(kernel, folder):
    opened = bundle.read(folder)
    assert golden.replay(engine_of(opened.model, kernel), golden.read(opened)) == 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_many_frames_in_one_call_are_the_same_steps(kernel):
    model = MODELS["a dense layer between GRUs"]
    recorded = golden.record(model, random_frames(200, model.feature_size))
    scores, state = engine_of(model, kernel).steps(recorded.frames, model.initial_state())
    assert scores.tobytes() == recorded.scores.tobytes()
    assert state.tobytes() == recorded.states[-1].tobytes()


@pytest.mark.parametrize("kernel", KERNELS)
def test_many_streams_in_one_call_are_the_same_steps(kernel):
    model = MODELS["two dense layers and two GRUs"]
    engine, frames = engine_of(model, kernel), random_frames(90, model.feature_size).reshape(10, 9, -1)
    states = expected = np.zeros((9, model.state_size), np.float32)
    for of_each in frames:
        steps = [arithmetic.step(model, frame, state) for frame, state in zip(of_each, expected, strict=True)]
        scores, states = engine.streams(of_each, states)
        expected = np.stack([state for _, state in steps])
        assert scores.tobytes() == np.stack([scores for scores, _ in steps]).tobytes()
        assert states.tobytes() == expected.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_number_whatever_leads_out_of_the_tables(kernel, bad):
    model = MODELS["sliding dense and GRU"]
    engine = engine_of(model, kernel)
    frames = np.full((3, model.feature_size), bad, np.float32)
    scores, state = engine.steps(frames, np.full(model.state_size, bad, np.float32))
    assert np.isfinite(scores).all()
    assert (np.abs(state[model.feature_size :]) < 1).all()


def test_a_step_takes_bytes_and_memoryviews():
    model = MODELS["two GRUs"]
    native = engine_of(model).model
    frame = random_frames(1, model.feature_size)[0]
    scores, state = bytearray(4 * native.score_count), bytearray(4 * native.state_size)
    native.step(frame.tobytes(), bytes(4 * native.state_size), memoryview(scores), state)
    expected = arithmetic.step(model, frame, model.initial_state())
    assert (bytes(scores), bytes(state)) == (expected[0].tobytes(), expected[1].tobytes())
    native.step(frame, state, scores, state)  # goes on in place
    expected = arithmetic.step(model, frame, expected[1])
    assert (bytes(scores), bytes(state)) == (expected[0].tobytes(), expected[1].tobytes())


def test_an_engine_takes_views_with_gaps():
    model = MODELS["two GRUs"]
    recorded = golden.record(model, np.repeat(random_frames(20, model.feature_size), 2, axis=1)[:, ::2])
    assert golden.replay(engine_of(model), recorded) == 0
