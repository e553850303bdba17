"""What a series usually does, and the front end that sees each reading beside it."""

from __future__ import annotations

import numpy as np
import pytest

from device_runtime import frontends
from device_runtime.errors import InputError
from device_runtime.frontends import AdaptiveFrontend
from device_runtime.usual import Usual, samples_a_day, squashed, unsquashed


def readings(count: int = 700, day: int = 48, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, count)
    return (50 + 10 * np.sin(np.arange(count) / day * 2 * np.pi) + noise).astype(np.float32)


def frames(frontend: AdaptiveFrontend, samples: np.ndarray) -> np.ndarray:
    return np.array([frame.values for frame in frontend.push(samples)])


def test_chunk_size_does_not_change_frames():
    whole, pieces = AdaptiveFrontend(1800), AdaptiveFrontend(1800)
    samples = readings()
    one_by_one = np.concatenate([frames(pieces, samples[at : at + 7]) for at in range(0, len(samples), 7)])
    assert np.array_equal(frames(whole, samples), one_by_one)


def test_unit_and_level_of_a_sensor_change_no_frame():
    samples = readings()
    same = frames(AdaptiveFrontend(1800), samples * 256 + 1024)  # exact in binary, but for the rounding of the sum
    assert np.allclose(frames(AdaptiveFrontend(1800), samples), same, atol=1e-3)


def test_no_frame_leaves_the_int8_grid_however_wild_the_readings():
    samples = np.array([0, 1e38, -1e38, 5, 5, 5, np.nan, 1e-38, 0], np.float32)
    made = frames(AdaptiveFrontend(300), samples)
    assert np.isfinite(made).all()
    assert np.abs(made).max() <= 7.5


def test_the_day_before_tells_what_to_expect():
    made = frames(AdaptiveFrontend(1800), readings(day=48))
    assert (made[:47, 2] == 0).all()  # nothing is known of earlier days
    ahead, moved = made[100:-1, 2], made[101:, 1]
    assert np.corrcoef(ahead, moved)[0, 1] > 0.5


def test_a_missing_reading_is_held_and_teaches_nothing():
    samples = readings(100)
    gap = samples.copy()
    gap[50:60] = np.nan
    made, without = frames(AdaptiveFrontend(300), gap), frames(AdaptiveFrontend(300), np.delete(samples, range(50, 60)))
    assert (made[50:60, 1] == 0).all()
    assert np.array_equal(made[50:60, [0, 2]], np.repeat(made[49:50, [0, 2]], 10, axis=0))
    assert np.array_equal(made[60:], without[50:])


def test_a_snapshot_goes_on_as_if_there_had_been_no_break():
    samples, first, second = readings(), AdaptiveFrontend(1800), AdaptiveFrontend(1800)
    first.push(samples[:333])
    second.restore(first.snapshot())
    assert np.array_equal(frames(first, samples[333:]), frames(second, samples[333:]))


def test_reset_forgets_everything():
    frontend = AdaptiveFrontend(1800)
    before = frames(frontend, readings())
    frontend.reset()
    assert np.array_equal(frames(frontend, readings()), before)


def test_a_damaged_snapshot_is_refused():
    frontend = AdaptiveFrontend(1800)
    frontend.push(readings(10))
    saved = frontend.snapshot()
    with pytest.raises(InputError, match="the saved state of the adaptive front end is damaged"):
        AdaptiveFrontend(1800).restore({**saved, "frame": np.full(3, np.nan, np.float32)})
    with pytest.raises(InputError, match="what the saved state knows of the series is damaged"):
        AdaptiveFrontend(1800).restore({**saved, "usual.numbers": np.array([0, 0, -1.0, 0])})


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(InputError, match=r"an interval above 0 and one channel, got 0 s and value"):
        AdaptiveFrontend(0)
    with pytest.raises(InputError, match=r"one channel, got 300 s and a, b"):
        AdaptiveFrontend(300, ["a", "b"])
    made = frontends.frontend({"kind": "adaptive", "interval_s": 300, "channels": ["oil"]})
    assert (made.names, made.feature_size, made.longest) == (("oil",), 3, 2016)


def test_squashing_is_undone_within_its_limit():
    for value in (-40.0, -1.0, 0.0, 0.3, 12.0):
        assert unsquashed(squashed(value, 7.5), 7.5) == pytest.approx(value)
    assert abs(unsquashed(99.0, 7.5)) < 1e4


def test_a_day_is_kept_where_it_has_2_to_2880_samples():
    assert [samples_a_day(interval) for interval in (3600, 300, 30, 29, 86_400)] == [24, 288, 2880, 0, 0]
    assert Usual(1000, 0).expected() is None
