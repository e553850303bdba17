"""Readings at any times onto a regular grid: what was told is never changed, and how it arrives does not matter."""

import numpy as np
import pytest

from device_runtime.errors import InputError
from device_runtime.events import Gap
from device_runtime.grid import Anchor, Grid, Rows, Skip


def rows_of(items):
    """One entry a row: a value, None for a skipped one; other items as they are."""
    told = []
    for item in items:
        if isinstance(item, Rows):
            told += item.values[:, 0].tolist()
        elif isinstance(item, Skip):
            told += [None] * item.rows
        else:
            told.append(item)
    return told


def put(times, values=None, interval_s=60.0, chunk=None, finish=True):
    times = np.array(times, np.float64)
    readings = (
        np.arange(len(times), dtype=np.float32)[:, None] if values is None else np.array(values, np.float32)[:, None]
    )
    grid, items, chunk = Grid(interval_s, 1), [], chunk or max(1, len(times))
    for at in range(0, len(times), chunk):
        items += grid.push(times[at : at + chunk], readings[at : at + chunk])
    return rows_of([*items, *(grid.finish() if finish else [])])


def test_regular_readings_are_a_row_each():
    assert put(np.arange(5) * 60.0) == [Anchor(0.0), 0, 1, 2, 3, 4]


def test_small_deviations_count_for_nothing():
    assert put([0, 65, 117, 180, 244]) == [Anchor(0.0), 0, 1, 2, 3, 4]


def test_a_gap_is_rows_without_readings():
    assert put([0, 60, 300, 360]) == [Anchor(0.0), 0, 1, None, None, None, 2, 3]


def test_several_readings_of_an_interval_are_averaged():
    assert put([0, 10, 20, 60, 70, 120], [1, 2, 6, 5, 7, 9]) == [Anchor(0.0), 3, 5, 9]


def test_a_mean_leaves_missing_readings_out():
    told = put([0, 10, 20, 60, 120], [np.nan, 2, 4, np.nan, 1])
    assert told[1] == 3
    assert np.isnan(told[2])


def test_a_reading_after_a_pause_is_told_at_once():
    assert put([0, 3600], interval_s=3600, finish=False) == [Anchor(0.0), 0, 1]


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
def test_how_readings_arrive_does_not_matter(chunk):
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.choice([5.0, 30, 58, 60, 61, 60, 60, 200, 4000], 600))
    times[100:] -= 500
    times[200] = times[199]
    times[300] = times[299] - 1000  # one that comes late
    assert put(times, chunk=chunk) == put(times)


def test_a_repeated_time_is_told_and_its_reading_left_out():
    assert put([0, 60, 60, 120]) == [Anchor(0.0), 0, 1, Gap(60.0, 0.0, "the clock repeats a time"), 3]


def test_one_reading_from_the_past_is_told_and_left_out():
    assert put([0, 60, 120, 65, 180]) == [Anchor(0.0), 0, 1, 2, Gap(65.0, -55.0, "the clock went back"), 4]


def test_a_clock_that_was_set_back_is_told_once_and_goes_on_from_there():
    told = put([0, 60, 7200, 3660, 3720, 3780])
    back = Gap(3660.0, -3540.0, "the clock went back")
    assert told == [Anchor(0.0), 0, 1, *[None] * 118, 2, back, Anchor(3660.0), 3, 4, 5]


def test_an_interval_is_judged_by_the_usual_spacing():
    put(np.cumsum(np.tile([50.0, 70], 20)))
    with pytest.raises(InputError, match="readings come every 15 min, but the bundle takes one every 1 h. Give it"):
        put(np.arange(40) * 900.0, interval_s=3600)
    with pytest.raises(InputError, match="readings come every 1 h, but the bundle takes one every 1 min"):
        put(np.arange(40) * 3600.0)
    with pytest.raises(InputError, match="readings come every 1 h, but"):
        put(np.arange(4) * 3600.0)


def test_readings_without_a_rhythm_are_put_onto_the_grid_all_the_same():
    rng = np.random.default_rng(1)
    told = put(np.cumsum(rng.exponential(20, 300)))
    assert len(told) == pytest.approx(300 * 20 / 60, rel=0.3)


def test_years_without_a_reading_cost_nothing():
    items = list(Grid(1.0, 1).push(np.array([0.0, 1e9]), np.zeros((2, 1), np.float32)))
    assert items[2] == Skip(10**9 - 1)


@pytest.mark.parametrize("cut", [1, 3, 4, 5, 8])
def test_a_saved_grid_goes_on_as_if_there_had_been_no_break(cut):
    times = np.array([0, 10, 60, 70, 65, 120, 100, 110, 115, 400])
    values = np.arange(10, dtype=np.float32)[:, None]
    whole = Grid(60.0, 1)
    wanted = rows_of([*whole.push(times, values), *whole.finish()])
    first, second = Grid(60.0, 1), Grid(60.0, 1)
    items = list(first.push(times[:cut], values[:cut]))
    second.restore(first.snapshot())
    assert rows_of([*items, *second.push(times[cut:], values[cut:]), *second.finish()]) == wanted
    assert second.newest_s == 400


def test_a_damaged_state_is_refused():
    grid = Grid(60.0, 1)
    list(grid.push(np.array([0.0, 60]), np.zeros((2, 1), np.float32)))
    kept = grid.snapshot()
    for name, array in {"clock": [np.nan, 1.0], "late": [1.0], "open": [np.nan, 1, 1], "spacings": [np.inf]}.items():
        with pytest.raises(InputError, match="the saved clock of the readings is damaged. Start without the state"):
            Grid(60.0, 1).restore({**kept, name: np.array(array)})
