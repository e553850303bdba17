"""Simple recurrent units on every kernel of the native engine: the bits of arithmetic.step, whatever the model."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np
import pytest

from device_runtime import arithmetic, flat, golden
from device_runtime.engines.native import NativeEngine
from factored_models import factored
from models import SRUS, random_frames, tiny_model, write_tiny_bundle
from sparse_models import on_grid, powers_of_two, with_own_steps, with_weights, without_blocks
from streams import SRU_MODELS, streams

_native = pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")

KERNELS = _native.kernels()
GRIDS = (lambda weight: weight, on_grid(18), with_own_steps, powers_of_two)


def engine_of(model, kernel=None):
    return NativeEngine(_native.Model(flat.to_bytes(model), kernel))


def differing(kernel, model, frames):
    return golden.replay(engine_of(model, kernel), golden.record(model, frames))


@pytest.mark.parametrize("shape", SRU_MODELS)
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_bit_differs_from_the_arithmetic(kernel, shape):
    model = SRU_MODELS[shape]
    wrong = {what: differing(kernel, model, frames) for what, frames in streams(model, 40).items()}
    assert wrong == dict.fromkeys(wrong, 0)


@pytest.mark.parametrize("block", [(8, 1), (8, 2), (8, 4), (16, 1), (16, 2), (16, 4)])
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_bit_differs_however_the_weights_are_stored(kernel, block):
    model = SRU_MODELS["units of their own behind a dense layer"]
    for number, grid in enumerate(GRIDS):
        pruned = with_weights(with_weights(model, grid), without_blocks(0.7, block))
        assert differing(kernel, pruned, random_frames(20, model.feature_size)) == 0, number


@pytest.mark.parametrize("kernel", KERNELS)
def test_odd_sizes_of_all_kinds_of_layers(kernel):
    rng = np.random.default_rng(11)
    for seed in range(24):
        features = int(rng.integers(1, 90))
        layers = [(str(rng.choice(["sru", "sru", "gru"])), int(rng.integers(1, 70))) for _ in range(rng.integers(1, 4))]
        layers += [("sru", int(rng.integers(1, 513)))]
        model = tiny_model(seed, layers, features, int(rng.integers(1, 9)))
        if seed % 2:
            model = factored(model, [int(rank) for rank in rng.integers(0, 40, 5)], seed)
        if seed % 3:
            model = with_weights(model, without_blocks(rng.random(), (8, int(rng.integers(1, 5))), seed))
        assert differing(kernel, model, random_frames(6, features, seed)) == 0, (seed, layers, features)


@pytest.mark.parametrize("share", [0.0, 0.75])
@pytest.mark.parametrize("kernel", KERNELS)
def test_the_largest_layers(kernel, share):
    model = with_weights(tiny_model(1, (("sru", 512), ("sru", 512)), 300, 5), without_blocks(share))
    assert differing(kernel, model, random_frames(6, 300)) == 0


@pytest.mark.parametrize("shape", ["a GRU among them", "decoding from a GRU behind them", "dense layers among them"])
@pytest.mark.parametrize("kernel", KERNELS)
def test_steps_streams_and_windows_are_the_same_steps(kernel, shape):
    model = SRU_MODELS[shape]
    engine = engine_of(model, kernel)
    each = [golden.record(model, random_frames(12, model.feature_size, seed)) for seed in range(5)]
    frames = np.stack([recorded.frames for recorded in each])
    states = np.zeros((5, model.state_size), np.float32)
    for step in range(12):
        scores, states = engine.streams(frames[:, step], states)
        assert scores.tobytes() == np.stack([recorded.scores[step] for recorded in each]).tobytes()
        assert states.tobytes() == np.stack([recorded.states[step] for recorded in each]).tobytes()
    scores, state = engine.steps(frames[0], model.initial_state())
    assert (scores.tobytes(), state.tobytes()) == (each[0].scores.tobytes(), each[0].states[-1].tobytes())
    last = np.stack([recorded.scores[-1] for recorded in each])
    assert engine.windows(frames, model.initial_state()).tobytes() == last.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("kernel", KERNELS)
def test_no_number_whatever_leads_out_of_the_tables(kernel, bad):
    model = SRU_MODELS["their gates at the ends of the table"]
    frames = np.full((3, model.feature_size), bad, np.float32)
    scores, state = engine_of(model, kernel).steps(frames, np.full(model.state_size, bad, np.float32))
    assert np.isfinite(scores).all()
    assert (np.abs(state[model.feature_size :]) < 1).all()


@pytest.mark.parametrize("weight", [1e6, -1e6, 1e-38, 0.0])
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_gate_may_see_the_state_however_much(kernel, weight):
    model = tiny_model(5, (("sru", 21),), 8, 3)
    (layer,) = model.layers
    assert isinstance(layer, arithmetic.Sru)
    layer = dataclasses.replace(layer, peephole=np.full_like(layer.peephole, weight))
    model = dataclasses.replace(model, layers=(layer,))
    assert differing(kernel, model, random_frames(40, 8)) == 0


def test_the_file_has_the_peephole_weights_with_room_behind_them():
    model = tiny_model(0, SRUS)
    data = flat.to_bytes(model)
    assert struct.unpack_from("<I", data, 8) == (flat.FORMAT,) == (4,)
    for number, layer in enumerate(model.layers[1:], 1):
        assert isinstance(layer, arithmetic.Sru)
        kind, zero, at, none = struct.unpack_from("<IIII", data, flat.HEADER_BYTES + flat.LAYER_BYTES * number)
        assert (kind, zero, none, at % flat.ALIGNMENT) == (4, 0, 0, 0)
        end = at + layer.peephole.nbytes
        assert data[at:end] == layer.peephole.tobytes()
        assert data[end : end + flat.SLACK_BYTES] == bytes(flat.SLACK_BYTES)


def test_a_bundle_of_srus_runs_on_the_native_engine(tmp_path):
    opened = write_tiny_bundle(tmp_path / "sru.bundle", tiny_model(9, SRUS))
    assert golden.replay(engine_of(opened.model), golden.read(opened)) == 0
