"""Ten million frames through the native engine, noise and silence by turns: it neither drifts nor grows.

What is compared: the native engine steps all frames, 100,000 a call, each call from the state that the one before left.
At the end of each call the reference takes over the native state some frames earlier and steps those last frames by
itself; scores and state must be the same bits. So the reference sees every 100,000th frame and the few before it, from
the native engine's own state: it would show any state that is wrong in itself or drifts from what a step makes of it,
but it does not itself run all ten million (at 80 us a step that would take a quarter of an hour for each model). The
first call is run by the reference in full.

    make soak
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from device_runtime import arithmetic, bench, flat
from models import tiny_model
from sparse_models import with_weights, without_blocks

_native = pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")

FRAMES, CALL, LAST = 10_000_000, 100_000, 20
MODELS = {
    "dense": tiny_model(0, (("gru", 64),), 40, 12),
    "sparse": with_weights(tiny_model(1, (("gru", 64),), 40, 12), without_blocks(0.75, (8, 1))),
}


def frames_of(call, size):
    """Noise at changing levels in one call, silence in the next: all zeros, or one value that stays."""
    rng = np.random.default_rng(call)
    if call % 2:
        return np.full((CALL, size), 0 if call % 4 == 1 else rng.uniform(-0.1, 0.1), np.float32)
    return rng.standard_normal((CALL, size), np.float32) * np.float32(2.0 ** rng.uniform(-6, 3))


def run_by_reference(model, frames, state):
    for frame in frames:
        scores, state = arithmetic.step(model, frame, state)
    return scores, state


@pytest.mark.parametrize("name", MODELS)
def test_ten_million_frames_equal_the_reference_at_each_100_000th_and_take_no_more_memory(name):
    model = MODELS[name]
    engine = _native.Model(flat.to_bytes(model))
    state, before = model.initial_state(), model.initial_state()
    scores = np.empty((CALL, len(model.head.bias)), np.float32)
    took_s, settled_mb, wrong = 0.0, 0.0, []
    for call in range(FRAMES // CALL):
        frames = frames_of(call, model.feature_size)
        first = 0 if call == 0 else CALL - LAST
        start = time.perf_counter()
        engine.steps(frames[:first], state, scores[:first], before)
        engine.steps(frames[first:], before, scores[first:], state)
        took_s += time.perf_counter() - start
        expected_scores, expected = run_by_reference(model, frames[first:], before)
        if expected.tobytes() != state.tobytes() or expected_scores.tobytes() != scores[-1].tobytes():
            wrong.append((call + 1) * CALL)
        if call == 10:
            settled_mb = bench.own_peak_mb()
    grown_mb = bench.own_peak_mb() - settled_mb
    print(f"\n{name}: {FRAMES:,} frames in {took_s:.1f} s by {engine.kernel}, peak memory grew by {grown_mb:.1f} MB")
    assert wrong == []
    assert grown_mb < 1
