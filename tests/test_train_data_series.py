"""A sensor log: its splits, its windows with none left out, its scale from the training part alone, its gaps."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("rich", reason="data sets need the workstation's packages")

from device_runtime.errors import InputError
from train.data.series import Series, Splits, gaps, on_grid, shares, usual_interval_s

SPLITS = Splits(validation=40, test=60, end=90)


def hours(*which: float) -> np.ndarray:
    return np.datetime64("2024-01-01", "s") + np.array([round(3600 * hour) for hour in which], "timedelta64[s]")


def log(samples: int = 100, splits: Splits | None = SPLITS) -> Series:
    values = np.stack([np.arange(samples), -2.0 * np.arange(samples)], axis=1).astype(np.float32)
    return Series("log", ("up", "down"), 3600.0, hours(*range(samples)), values, splits)


@pytest.mark.parametrize(("split", "first", "count"), [("train", 12, 24), ("validation", 40, 16), ("test", 60, 26)])
def test_every_window_of_a_split_is_there_and_its_targets_lie_within(split, first, count):
    windows = log().windows(split, look_back=12, horizon=5)
    assert len(windows) == count
    assert windows.inputs.shape == (count, 12, 2)
    assert windows.targets.shape == (count, 5, 2)
    assert windows.origins.tolist() == list(range(first, first + count))
    for at in (0, count - 1):
        origin = first + at
        assert windows.inputs[at, :, 0].tolist() == list(range(origin - 12, origin))
        assert windows.targets[at, :, 1].tolist() == [-2 * k for k in range(origin, origin + 5)]


def test_windows_are_views_and_can_be_thinned():
    series = log()
    windows = series.windows("test", 12, 5)
    assert np.shares_memory(windows.inputs, series.values)
    assert windows.every(10).origins.tolist() == [60, 70, 80]


def test_scale_comes_from_the_training_part_alone():
    series = log()
    values = series.values.copy()
    values[40:] = 1e6
    values[3] = np.nan
    scale = dataclasses.replace(series, values=values).scale()
    training = np.delete(np.arange(40.0), 3)
    assert scale.mean == pytest.approx([training.mean(), -2 * training.mean()])
    assert scale.std == pytest.approx([training.std(), 2 * training.std()])
    assert log().standardised().part("train").mean(axis=0) == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (7.0, "log never changes in down while training"),
        (np.nan, "log has no reading of down in its training part"),
    ],
)
def test_a_channel_that_cannot_be_scaled_is_named(value, message):
    values = log().values.copy()
    values[:40, 1] = value
    with pytest.raises(InputError, match=message):
        dataclasses.replace(log(), values=values).scale()


def test_a_series_without_splits_and_one_too_short_say_so():
    with pytest.raises(InputError, match=r"log has no training part: .* Give it Splits"):
        log(splits=None).windows("train", 12, 5)
    with pytest.raises(InputError, match="the test part of log is too short: 30 samples .* at least 31 to forecast"):
        log().windows("test", 12, 31)
    with pytest.raises(InputError, match=r"the train part of log is too short: 0 samples behind a look-back of 40"):
        log().windows("train", 40, 5)
    with pytest.raises(InputError, match=r"log: values have the shape \(99, 2\), expected \(100, 2\)"):
        dataclasses.replace(log(), values=log().values[1:])


def test_shares_are_in_the_order_of_time():
    assert shares(100) == Splits(60, 80, 100)


def test_late_and_missing_readings_find_their_place_on_the_grid():
    times = hours(0, 1, 2.1, 5, 5.2, 6)
    series = on_grid(Series("log", ("a",), 3600.0, times, np.arange(6, dtype=np.float32)[:, None]))
    np.testing.assert_array_equal(series.values[:, 0], np.array([0, 1, 2, np.nan, np.nan, 3, 5], np.float32))
    assert (series.times == hours(*range(7))).all()
    assert list(gaps(series)) == [(3, 2)]
    assert series.splits is None


def test_an_empty_series_has_an_empty_grid():
    empty = Series("log", ("a",), 3600.0, hours(), np.zeros((0, 1), np.float32))
    assert len(on_grid(empty)) == 0
    assert list(gaps(empty)) == []


def test_a_clock_that_goes_back_is_refused():
    with pytest.raises(InputError, match=r"log: the clock goes back to 2024-01-01T01:00:00 at sample 2\. Sort"):
        on_grid(Series("log", ("a",), 3600.0, hours(0, 2, 1), np.zeros((3, 1), np.float32)))


def test_a_gap_of_centuries_is_no_grid():
    series = Series("log", ("a",), 1.0, hours(0, 9e6), np.zeros((2, 1), np.float32))
    with pytest.raises(InputError, match="log spans more than 20000000 intervals of 1 s. Leave out the gap in it"):
        on_grid(series)


def test_the_usual_interval_is_the_median_one_in_whole_seconds():
    assert usual_interval_s(hours(0, 1, 2, 4, 4, 5)) == 3600
    late = np.datetime64("2024-01-01", "ms") + np.array([0, 60100, 119900, 180200], "timedelta64[ms]")
    assert usual_interval_s(late) == 60
    assert usual_interval_s(np.datetime64("2024-01-01", "ms") + np.arange(5) * np.timedelta64(100, "ms")) == 0.1
    with pytest.raises(InputError, match="1 times tell no sampling interval"):
        usual_interval_s(hours(0))
