"""Parity names the engine, the first frame, the output and both values when a single bit differs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from device_runtime import arithmetic, golden
from device_runtime.arithmetic import Float32
from device_runtime.engines.reference import ReferenceEngine
from device_runtime.errors import PromiseError
from export.parity import PROMISED_FRAMES, Parity, parity
from models import random_frames, tiny_model

MODEL = tiny_model(0, (("gru", 5),), 7, 3)


def student(frames: Float32) -> tuple[Float32, Float32]:
    recorded = golden.record(MODEL, frames)
    return recorded.scores, recorded.states


@dataclasses.dataclass
class Wrong:
    """The reference engine, but for one value of one frame."""

    output: int
    at: int
    value: float | None = None
    frame: int = 4
    name: str = "wrong"
    frames: int = 0

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        answer = arithmetic.step(MODEL, frame, state)
        if self.frames == self.frame:
            array = answer[self.output]
            array[self.at] = np.nextafter(array[self.at], np.float32(9)) if self.value is None else self.value
        self.frames += 1
        return answer


def test_the_promise_is_ten_thousand_frames():
    frames = random_frames(PROMISED_FRAMES, 7)
    assert parity(student, [ReferenceEngine(MODEL)], frames) == Parity(10_000, {"reference": 0})


def test_fewer_frames_than_promised_are_refused():
    with pytest.raises(PromiseError, match=r"over 9999 frames, but the promise is 10000\. Give longer recordings"):
        parity(student, [], random_frames(9_999, 7))


def test_one_wrong_bit_of_a_score_is_named():
    pattern = r"wrong differs from the student by \d+ bits, first in frame 4, scores\[2\]: 0x[0-9a-f]{8} \(.*\) where"
    with pytest.raises(PromiseError, match=pattern):
        parity(student, [ReferenceEngine(MODEL), Wrong(0, 2)], random_frames(20, 7), promised_frames=20)


def test_one_wrong_bit_of_a_state_is_named_before_what_follows_from_it():
    with pytest.raises(PromiseError, match=r"by \d+ bits, first in frame 4, next_state\[9\]: 0x"):
        parity(student, [Wrong(1, 9)], random_frames(20, 7), promised_frames=20)


def test_a_zero_of_another_sign_is_a_differing_bit():
    frames = np.zeros((6, 7), np.float32)
    with pytest.raises(
        PromiseError,
        match=r"first in frame 5, next_state\[0\]: 0x80000000 \(-0\.0\) where the student has 0x00000000 \(0\.0\)",
    ):
        parity(student, [Wrong(1, 0, -0.0, frame=5)], frames, promised_frames=6)


def test_another_shape_or_type_is_refused():
    frames = random_frames(6, 7)
    with pytest.raises(
        PromiseError,
        match=r"reference gives scores as float32 \(6, 3\), but the student as float32 \(6, 2\)\. Both must be",
    ):
        parity(lambda f: (student(f)[0][:, :2], student(f)[1]), [ReferenceEngine(MODEL)], frames, 6)
    with pytest.raises(PromiseError, match=r"gives next_state as float32 \(6, 12\), but the student as float64"):
        parity(lambda f: (student(f)[0], student(f)[1].astype(float)), [ReferenceEngine(MODEL)], frames, 6)
