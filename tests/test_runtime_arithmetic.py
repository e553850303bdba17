"""The int8 arithmetic does what its definition says, held against an implementation that shares no line with it."""

from __future__ import annotations

import dataclasses
import hashlib
import math

import numpy as np
import pytest

from device_runtime import arithmetic, fixed_point
from device_runtime.arithmetic import Affine, Dense, Gru
from factored_models import FACTORED
from models import SLIDING_AND_GRU, SRUS, random_frames, tiny_model
from plain_arithmetic import plain_step
from streams import FORECASTERS, streams

f32 = np.float32
TWO_GRUS = (("gru", 7), ("gru", 5))
DENSE_TWICE_AND_TWO_GRUS = (("dense", 3, 8, 4), ("dense", 6, 9, 5), ("gru", 6), ("gru", 4))


@pytest.mark.parametrize(
    ("layers", "feature_size", "gain"),
    [
        ((), 6, 1),
        ((("gru", 5),), 9, 1),
        ((("dense", 4, 12, 4), ("gru", 8)), 24, 1),
        ((("dense", 10, 11, 11), ("gru", 6)), 11, 1),
        (TWO_GRUS, 10, 1),
        (DENSE_TWICE_AND_TWO_GRUS, 21, 1),
        (DENSE_TWICE_AND_TWO_GRUS, 21, 20),  # nearly everything saturates
        (SRUS, 200, 1),
        ((("sru", 11), ("gru", 6), ("sru", 4)), 21, 20),
    ],
)
def test_the_step_has_the_bits_of_plain_python(layers, feature_size, gain):
    model = tiny_model(7, layers, feature_size)
    state, plain_state = model.initial_state(), list(model.initial_state())
    for frame in random_frames(300, feature_size, seed=3) * f32(gain):
        scores, state = arithmetic.step(model, frame, state)
        plain_scores, plain_state = plain_step(model, frame, plain_state)
        assert scores.tobytes() == np.array(plain_scores, f32).tobytes()
        assert state.tobytes() == np.array(plain_state, f32).tobytes()
    assert scores.dtype == state.dtype == np.float32
    assert np.unique(state).size > state.size // 4, "the models should be lively"


@pytest.mark.parametrize("shape", [shape for shape in FACTORED if shape != "the widest factors"])
def test_a_step_with_factors_has_the_bits_of_plain_python(shape):
    model = FACTORED[shape]
    hard = streams(model, 20)
    for frames in (hard["lively"], hard["saturating"], hard["ties"]):
        state, plain_state = model.initial_state(), list(model.initial_state())
        for frame in frames:
            scores, state = arithmetic.step(model, frame, state)
            plain_scores, plain_state = plain_step(model, frame, plain_state)
            assert scores.tobytes() == np.array(plain_scores, f32).tobytes()
            assert state.tobytes() == np.array(plain_state, f32).tobytes()


@pytest.mark.parametrize("shape", FORECASTERS)
def test_a_forecaster_s_step_has_the_bits_of_plain_python(shape):
    model = FORECASTERS[shape]
    hard = streams(model, 10)
    for frames in (hard["lively"], hard["saturating"], hard["ties"]):
        state, plain_state = model.initial_state(), list(model.initial_state())
        for frame in frames:
            scores, state = arithmetic.step(model, frame, state)
            plain_scores, plain_state = plain_step(model, frame, plain_state)
            assert scores.tobytes() == np.array(plain_scores, f32).tobytes()
            assert state.tobytes() == np.array(plain_state, f32).tobytes()
        assert (scores.dtype, scores.shape) == (np.float32, (model.score_size,))
        assert (state.dtype, state.shape) == (np.float32, (model.state_size,))


# ---- the tables


@pytest.mark.parametrize(
    ("table", "sha256"),
    [
        (fixed_point.SIGMOID_Q15, "c4a892ac4c7782b3990d864b2ef6880662da2b77ba7144cc82cfc060781810b7"),
        (fixed_point.TANH_Q15, "5c9a591caaddac29ce73dbf6a4020545e2586dae706597ad77f5447dd87df777"),
    ],
    ids=["sigmoid", "tanh"],
)
def test_tables_never_change(table, sha256):
    assert hashlib.sha256(table.astype("<i2").tobytes()).hexdigest() == sha256


@pytest.mark.parametrize(
    ("function", "per_unit", "half"),
    [(lambda v: 1 / (1 + math.exp(-v)), 256, 2048), (math.tanh, 512, 4096)],
    ids=["sigmoid", "tanh"],
)
def test_any_libm_gives_the_same_tables(function, per_unit, half):
    q15 = [function(i / per_unit) * 32768 for i in range(-half, half)]
    from_boundary = min(abs(v - math.floor(v) - 0.5) for v in q15)
    assert from_boundary > 1e6 * math.ulp(32768), "a million float64 roundings would not move an entry"


# ---- what the definition promises


def test_a_step_leaves_its_arguments_alone():
    model = tiny_model()
    state = arithmetic.step(model, random_frames(1)[0], model.initial_state())[1]
    frame = random_frames(2)[1]
    before = frame.tobytes(), state.tobytes()
    first = [part.tobytes() for part in arithmetic.step(model, frame, state)]
    assert (frame.tobytes(), state.tobytes()) == before
    assert [part.tobytes() for part in arithmetic.step(model, frame, state)] == first


def test_the_recurrent_state_stays_on_the_q15_grid_whatever_comes():
    model = tiny_model(1, SLIDING_AND_GRU)
    state = model.initial_state()
    for frame in random_frames(200) * f32(100):
        _, state = arithmetic.step(model, frame, state)
        q15 = state[model.feature_size :] * f32(32768)
        assert np.array_equal(q15, np.floor(q15))
        assert np.abs(q15).max() <= 32767


def test_the_quantizer_error_is_bounded_and_saturation_does_not_wind_it_up():
    gain, error = f32(40), np.zeros(50, f32)
    for frame in random_frames(100, 50) * f32(30):  # most values saturate
        q, error = arithmetic.quantize_frame(frame, error, gain)
        assert np.abs(q).max() == 127
        assert np.abs(error).max() <= 0.5
    quiet = np.full(50, 0.5, f32)
    q, _ = arithmetic.quantize_frame(quiet, error, gain)
    assert np.abs(q - 20).max() <= 1, "the loud past is forgotten at once"


def test_error_feedback_removes_the_bias_under_a_constant_signal():
    frame, error, total = np.linspace(-1, 1, 50).astype(f32), np.zeros(50, f32), np.zeros(50)
    for _ in range(1000):
        q, error = arithmetic.quantize_frame(frame, error, f32(7))
        total += q
    assert np.abs(total / 1000 - frame * 7).max() < 2e-3


def test_a_sliding_dense_layer_is_a_dense_layer_with_a_toeplitz_matrix():
    layer = tiny_model(2, (("dense", 5, 12, 4),), 40).layers[0]
    windows = layer.windows(40)
    matrix = np.zeros((windows * 5, 40), np.int8)
    for i in range(windows):
        matrix[5 * i : 5 * i + 5, 4 * i : 4 * i + 12] = layer.affine.weight
    wide = Affine(matrix, np.tile(layer.affine.scale, windows), np.tile(layer.affine.bias, windows))
    q = np.random.default_rng(0).integers(-127, 128, 40).astype(f32)
    assert layer.outputs(40) == windows * 5 == 40
    assert np.array_equal(arithmetic.dense(layer, q), arithmetic.dense(Dense(wide, 1, layer.output_gain), q))


def test_each_position_is_one_step_of_the_gru_with_an_input_of_its_own():
    model = FORECASTERS["decoding without a linear map"]
    recurrent, decoding = model.layers[0], model.layers[1]
    _, state = arithmetic.step(model, random_frames(1, 7)[0], model.initial_state())
    h = state[7:]
    together = arithmetic.decode(decoding, recurrent, arithmetic.quantize_state(h), h)
    silent = np.zeros((51, 7), np.int8), np.ones(51, f32)  # all that the input says is the bias
    for row, position in zip(together, decoding.positions, strict=True):
        alone = arithmetic.gru(Gru(Affine(*silent, position), recurrent.state), np.zeros(7, f32), h)
        assert np.array_equal(row, arithmetic.quantize_state(alone))


def test_the_linear_map_sees_the_latest_frames_oldest_first_and_adds_the_same_to_every_level():
    model = FORECASTERS["a forecaster"]  # 5 positions, 3 levels, 24 features of 26, 30 frames
    assert (model.positions, model.score_size, model.state_size) == (5, 360, 26 + 24 + 30 * 24)
    without = dataclasses.replace(model, linear=None)
    state, seen = model.initial_state(), []
    for frame in random_frames(33, 26):
        seen.append(arithmetic.quantize_frame(frame, state[:26], model.input_gain)[0][:24])
        alone, _ = arithmetic.step(without, frame, state[:50])
        scores, state = arithmetic.step(model, frame, state)
    assert np.array_equal(state[50:].reshape(30, 24), np.array(seen[-30:]))
    affine = model.linear.affine
    exact = (affine.weight.astype(float) @ np.array(seen[-30:])) * affine.scale[:, None] + affine.bias[:, None]
    added = (scores - alone).reshape(5, 3, 24)
    assert np.abs(added - exact[:, None]).max() < 1e-5 * np.abs(exact).max() < np.abs(exact).max()


def test_the_widest_row_sums_exactly():
    rng = np.random.default_rng(0)
    weight = rng.choice(np.array([-127, 127], np.int8), (64, arithmetic.MAX_COLUMNS))
    weight[0], weight[1] = 127, -127
    q = np.full(arithmetic.MAX_COLUMNS, 127)
    exact = Affine(weight, np.ones(64, f32), np.zeros(64, f32))(q.astype(f32))
    assert np.array_equal(exact.astype(np.int64), weight.astype(np.int64) @ q)


def float_gru(layer: Gru, x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """The layer as it was trained: float64, no rounding, no tables; x in units of the int8 input."""
    gx = (layer.input.weight.astype(float) @ x) * layer.input.scale + layer.input.bias
    gh = (layer.state.weight.astype(float) @ (h * 128)) * layer.state.scale + layer.state.bias
    r, z = np.split(1 / (1 + np.exp(-(gx + gh)[: 2 * h.size])), 2)
    n = np.tanh(gx[2 * h.size :] + r * gh[2 * h.size :])
    return n + z * (h - n)


def test_two_thousand_constant_steps_stay_near_the_float_gru():
    model = tiny_model(3, (("gru", 32),), 40)
    frame = np.random.default_rng(5).standard_normal(40).astype(f32)
    state, h, errors = model.initial_state(), np.zeros(32), []
    for _ in range(2000):
        _, state = arithmetic.step(model, frame, state)
        h = float_gru(model.layers[0], frame.astype(float) * float(model.input_gain), h)
        errors.append(np.sqrt(np.mean((state[40:] - h) ** 2)))
    assert np.mean(errors[1000:]) < 0.01
    assert np.mean(errors[1500:]) < 1.2 * np.mean(errors[500:1000]), "the error does not grow"
