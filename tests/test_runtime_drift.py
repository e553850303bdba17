"""Drift: one event for one change, none for none, and the same window as the published algorithm."""

import numpy as np
import pytest

from device_runtime.decoders import Sensors
from device_runtime.decoders.drift import Adwin, DriftWatch
from device_runtime.errors import InputError

SENSORS = Sensors(("a", "b"), np.zeros(2), np.array([1.0, 5.0]), 60.0, segment=4, every=4, longest=8)


def changes(values, delta=0.002):
    window = Adwin(delta)
    return [(at, *change) for at, value in enumerate(values) if (change := window.push(float(value))) is not None]


def test_a_change_is_told_once_with_what_was_before_and_after():
    rng = np.random.default_rng(0)
    told = changes(np.concatenate([rng.uniform(0.1, 0.3, 500), rng.uniform(0.5, 0.7, 500)]))
    assert len(told) == 1
    at, before, after = told[0]
    assert 500 < at < 530
    assert before == pytest.approx(0.2, abs=0.02)
    assert after == pytest.approx(0.6, abs=0.05)


def test_a_second_change_is_told_again():
    rng = np.random.default_rng(1)
    levels = np.repeat([0.2, 0.6, 0.1], 300)
    told = changes(levels + rng.uniform(-0.1, 0.1, 900))
    assert [round(after, 1) for _, _, after in told] == [0.6, 0.1]


def test_false_alarms_are_as_rare_as_promised():
    rng = np.random.default_rng(2)
    assert sum(len(changes(rng.uniform(0, 1, 2_000))) for _ in range(20)) <= 1


def test_a_small_change_is_found_in_time():
    rng = np.random.default_rng(3)
    told = changes(np.concatenate([rng.uniform(0, 1, 3_000), rng.uniform(0.2, 1, 3_000)]))
    assert len(told) == 1
    assert told[0][0] < 3_800


def test_the_window_costs_the_logarithm_of_its_length():
    window = Adwin(0.002)
    for _ in range(20_000):
        window.push(0.5)
    assert len(window.snapshot()) < 80


def errors(level, samples, seed=0):
    return np.abs(np.random.default_rng(seed).normal(0, level, (2, samples)))


def test_a_channel_whose_errors_change_is_named_in_its_own_unit():
    made = DriftWatch(SENSORS, 0.002)
    events = made.push(errors(0.3, 800), 1.0)
    later = errors(0.3, 800, seed=1)
    later[1] *= 5
    events += made.push(later, 2.0)
    assert [event.channel for event in events] == ["b"]
    assert events[0].time_s == 2.0
    assert events[0].error_before == pytest.approx(5 * 0.3 * 0.8, rel=0.2)
    assert events[0].error_after == pytest.approx(5 * 1.5 * 0.8, rel=0.4)


def test_how_errors_are_cut_does_not_matter_and_missing_ones_are_left_out():
    rows = np.concatenate([errors(0.3, 400), errors(2.0, 400)], axis=1)
    rows[0, ::3] = np.nan
    whole = DriftWatch(SENSORS, 0.002).push(rows, 0.0)
    made = DriftWatch(SENSORS, 0.002)
    pieces = [event for at in range(0, 800, 7) for event in made.push(rows[:, at : at + 7], 0.0)]
    assert sorted(map(repr, pieces)) == sorted(map(repr, whole))
    assert {event.channel for event in whole} == {"a", "b"}


def test_a_saved_watch_goes_on_as_if_there_had_been_no_break():
    rows = np.concatenate([errors(0.3, 400), errors(2.0, 400)], axis=1)
    whole = DriftWatch(SENSORS, 0.002)
    events = [event for at in range(800) for event in whole.push(rows[:, at : at + 1], float(at))]
    first, second = DriftWatch(SENSORS, 0.002), DriftWatch(SENSORS, 0.002)
    told = [event for at in range(401) for event in first.push(rows[:, at : at + 1], float(at))]
    second.restore(first.snapshot())
    assert told + [e for at in range(401, 800) for e in second.push(rows[:, at : at + 1], float(at))] == events


def test_a_damaged_state_is_refused():
    kept = DriftWatch(SENSORS, 0.002).snapshot()
    for name, array in {"lengths": np.array([1, 5]), "windows": np.full((2, 3), np.nan)}.items():
        with pytest.raises(
            InputError, match="the saved state of the drift detector is damaged. Start without the state"
        ):
            DriftWatch(SENSORS, 0.002).restore({**kept, name: array})
