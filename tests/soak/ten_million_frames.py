"""Ten million frames through the native engine, noise and silence by turns: it neither drifts nor grows.

What is compared: every kernel that this processor has steps all frames on its own, 100,000 a call, from the state that
its call before left; after each call all have the same state and the same last scores, to the bit. There the reference
takes over the native state a few frames earlier, steps those frames by itself, and must arrive at the same bits. Only
the first 100,000 frames are run by it in full: ten million would take it a quarter of an hour for each model.

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


class Stream:
    """One kernel's way through all frames."""

    def __init__(self, model, kernel):
        self.kernel = kernel
        self.engine = _native.Model(flat.to_bytes(model), kernel)
        self.state, self.before = model.initial_state(), model.initial_state()
        self.scores = np.empty((CALL, len(model.head.bias)), np.float32)
        self.took_s = 0.0

    def step(self, frames, first):
        """All frames; `before` is then the state ahead of frame `first`."""
        start = time.perf_counter()
        self.engine.steps(frames[:first], self.state, self.scores[:first], self.before)
        self.engine.steps(frames[first:], self.before, self.scores[first:], self.state)
        self.took_s += time.perf_counter() - start

    def result(self):
        return self.state.tobytes() + self.scores[-1].tobytes()


@pytest.mark.parametrize("name", MODELS)
def test_ten_million_frames_equal_the_reference_at_each_100_000th_and_take_no_more_memory(name):
    model = MODELS[name]
    streams = [Stream(model, kernel) for kernel in _native.kernels()]
    settled_mb, wrong = 0.0, []
    for call in range(FRAMES // CALL):
        frames = frames_of(call, model.feature_size)
        first = 0 if call == 0 else CALL - LAST
        for stream in streams:
            stream.step(frames, first)
        scores, state = run_by_reference(model, frames[first:], streams[0].before)
        expected = state.tobytes() + scores.tobytes()
        wrong += [((call + 1) * CALL, stream.kernel) for stream in streams if stream.result() != expected]
        if call == 10:
            settled_mb = bench.own_peak_mb()
    grown_mb = bench.own_peak_mb() - settled_mb
    took = ", ".join(f"{stream.kernel} {stream.took_s:.1f} s" for stream in streams)
    print(f"\n{name}: {FRAMES:,} frames by {took}; peak memory grew by {grown_mb:.1f} MB")
    assert wrong == []
    assert grown_mb < 1
