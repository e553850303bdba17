"""The int8 arithmetic does what its definition says, held against an implementation that shares no line with it."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from device_runtime import arithmetic
from device_runtime.arithmetic import Affine, Dense, Float32, Gru, Model
from models import SLIDING_AND_GRU, random_frames, tiny_model

f32 = np.float32
TWO_GRUS = (("gru", 7), ("gru", 5))
DENSE_TWICE_AND_TWO_GRUS = (("dense", 3, 8, 4), ("dense", 6, 9, 5), ("gru", 6), ("gru", 4))


# ---- the definition once more, in plain Python: integers, and one float32 operation at a time


def plain_round(v: f32) -> int:
    return math.floor(v + f32(0.5))


def plain_clip(v: int, low: int, high: int) -> int:
    return min(max(v, low), high)


def plain_affine(affine: Affine, q: list[int]) -> list[f32]:
    sums = [sum(int(w) * x for w, x in zip(row, q, strict=True)) for row in affine.weight]
    return [f32(f32(s) * scale) + bias for s, scale, bias in zip(sums, affine.scale, affine.bias, strict=True)]


def plain_table(function: str, v: f32) -> f32:
    per_unit, half = {"sigmoid": (256, 2048), "tanh": (512, 4096)}[function]
    at = plain_clip(plain_round(v * f32(per_unit)), -half, half - 1) / per_unit
    exact = 1 / (1 + math.exp(-at)) if function == "sigmoid" else math.tanh(at)
    return f32(plain_clip(math.floor(exact * 32768 + 0.5), -32767, 32767) / 32768)


def plain_gru(layer: Gru, q: list[int], h: list[f32]) -> list[f32]:
    gx = plain_affine(layer.input, q)
    gh = plain_affine(layer.state, [plain_clip(plain_round(v * f32(128)), -127, 127) for v in h])
    after = []
    for i, old in enumerate(h):
        r = plain_table("sigmoid", gx[i] + gh[i])
        z = plain_table("sigmoid", gx[len(h) + i] + gh[len(h) + i])
        n = plain_table("tanh", gx[2 * len(h) + i] + f32(r * gh[2 * len(h) + i]))
        blended = n + f32(z * f32(old - n))
        after.append(f32(plain_clip(plain_round(blended * f32(32768)), -32767, 32767) / 32768))
    return after


def plain_step(model: Model, frame: Float32, state: Float32) -> tuple[list[f32], list[f32]]:
    wanted = [f32(x * model.input_gain) + e for x, e in zip(frame, state, strict=False)]
    next_state = [w - f32(plain_round(w)) for w in wanted]
    q = [plain_clip(plain_round(w), -127, 127) for w in wanted]
    for layer in model.layers:
        if isinstance(layer, Dense):
            columns = layer.affine.weight.shape[1]
            starts = range(0, len(q) - columns + 1, layer.hop)
            v = [value for start in starts for value in plain_affine(layer.affine, q[start : start + columns])]
            q = [plain_clip(plain_round(max(value, f32(0)) * layer.output_gain), -127, 127) for value in v]
        else:
            h = plain_gru(layer, q, list(state[len(next_state) : len(next_state) + layer.hidden]))
            next_state += h
            q = [plain_clip(plain_round(value * f32(128)), -127, 127) for value in h]
    return plain_affine(model.head, q), next_state


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


# ---- the tables


@pytest.mark.parametrize(
    ("table", "sha256"),
    [
        (arithmetic.SIGMOID_Q15, "c4a892ac4c7782b3990d864b2ef6880662da2b77ba7144cc82cfc060781810b7"),
        (arithmetic.TANH_Q15, "5c9a591caaddac29ce73dbf6a4020545e2586dae706597ad77f5447dd87df777"),
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
