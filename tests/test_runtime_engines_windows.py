"""Whole windows of frames, on engines that have a way of their own for them and on those that have not."""

from __future__ import annotations

import numpy as np
import pytest

from device_runtime import arithmetic, engines
from models import NATIVE, random_frames, write_tiny_bundle


@pytest.mark.parametrize("name", ["reference", *NATIVE])
def test_the_last_scores_of_windows_are_those_of_single_steps(name, tmp_path):
    tiny = write_tiny_bundle(tmp_path / "tiny.bundle")
    engine, model = engines.load(name, tiny), tiny.model
    frames = random_frames(30, model.feature_size).reshape(3, 10, -1)
    begins = (model.initial_state(), arithmetic.step(model, frames[2, 9], model.initial_state())[1])
    for begin in begins:
        found = engines.last_scores(engine, begin, frames)
        for scores, window in zip(found, frames, strict=True):
            state = begin
            for frame in window:
                expected, state = arithmetic.step(model, frame, state)
            assert scores.tobytes() == expected.tobytes()
    assert found.shape == (3, len(model.head.bias))
    assert found.dtype == np.float32
