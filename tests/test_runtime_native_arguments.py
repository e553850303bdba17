"""The native engine refuses arguments and kernels that it cannot use, in one line, and tells its labels."""

from __future__ import annotations

import numpy as np
import pytest

from native_files import FILES

_native = pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")


def test_a_kernel_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="there is no kernel mmx for this processor"):
        _native.Model(FILES["dense"], "mmx")


def test_wrong_arguments_are_told_in_one_line():
    model = _native.Model(FILES["dense"])
    frame, state, scores = (np.zeros(n, np.float32) for n in (model.feature_size, model.state_size, model.score_count))
    with pytest.raises(TypeError, match="it takes a frame, a state, scores and the next state, got 3 arguments"):
        model.step(frame, state, scores)
    wrong = [
        ((frame[:5], state, scores, state), "frames must have 12 values, got 20 bytes"),
        (
            (frame.astype(np.float64)[:6], state, scores, state),
            "frames must hold float32 values or bytes, got the .* 'd'",
        ),
        ((np.zeros(24, np.float32)[::2], state, scores, state), "frames must be a contiguous buffer, such as"),
        ((7, state, scores, state), "frames must be a contiguous buffer, such as a NumPy array or a bytearray"),
        ((frame, state, bytes(12), state), "scores must be a contiguous buffer that can be written to"),
        ((frame, state, scores, state[1:]), r"next_state must have \d+ values, got \d+ bytes"),
        ((memoryview(bytes(49))[1:], state, scores, state), "frames must begin at an address that is a multiple of 4"),
    ]
    for arguments, message in wrong:
        with pytest.raises(ValueError, match=message):
            model.step(*arguments)
    with pytest.raises(ValueError, match="frames must have 12 values a step, got 44 bytes"):
        model.steps(frame[:11], state, scores, state)
    with pytest.raises(ValueError, match=r"states must have \d+ values, got"):
        model.streams(np.zeros((2, 12), np.float32), state, scores, state)


def test_labels_come_out_of_the_file():
    assert _native.Model(FILES["dense"]).labels == ("a", "b", "c")
    assert _native.Model(FILES["sparse"]).labels == ("", "", "")
