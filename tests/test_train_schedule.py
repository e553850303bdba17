"""What a schedule tells of itself: the name under which a training's checkpoint is found again."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs torch")

from train.loop import Schedule
from train.optimizers import AdamW, AdamW8bit


def test_a_schedule_tells_what_it_told_before_it_could_choose_an_optimizer():
    told = (
        "Schedule(epochs=60, learning_rate=0.008, weight_decay=0.02, warm_up=0.05, clip_norm=1.0, patience=0, "
        "validate_every=3, bfloat16=False)"
    )
    assert repr(Schedule(epochs=60, validate_every=3)) == told
    assert repr(Schedule(epochs=60, validate_every=3, optimizer=AdamW(), float16=False)) == told


def test_a_schedule_tells_what_it_chose():
    told = repr(Schedule(epochs=2, float16=True, optimizer=AdamW8bit()))
    assert told.endswith("bfloat16=False, float16=True, optimizer=AdamW8bit(block=256))")
    assert Schedule(epochs=2, optimizer=AdamW8bit(block=64)).told()["optimizer"] == "AdamW8bit(block=64)"


def test_schedules_that_differ_in_anything_tell_different_things():
    schedules = [
        Schedule(epochs=2),
        Schedule(epochs=3),
        Schedule(epochs=2, bfloat16=True),
        Schedule(epochs=2, float16=True),
        Schedule(epochs=2, optimizer=AdamW8bit()),
        Schedule(epochs=2, optimizer=AdamW8bit(block=64)),
    ]
    assert len({repr(schedule) for schedule in schedules}) == len(schedules)
