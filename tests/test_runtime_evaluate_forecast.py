"""The errors of forecasts: each window counted once, by hand the same numbers, and peers on the very same windows."""

import json
from pathlib import Path

import numpy as np
import pytest

from device_runtime import Session
from device_runtime.errors import BundleError, InputError
from device_runtime.evaluate_forecast import evaluate, evaluate_file
from device_runtime.forecast_data import on_grid, span_of
from sensors import HOUR_S, readings, times, write_forecaster, write_log


@pytest.fixture
def folder(tmp_path):
    write_forecaster(tmp_path / "f.bundle")
    return tmp_path / "f.bundle"


def by_hand(folder, rows, first, last):
    """Squared and absolute errors, what was covered, and of the last value: each window by itself."""
    session, std = Session.open(folder, every=1), np.array([3.0, 5])
    events = session.push(rows[first - 48 : last - 12])
    errors, covered, last_value, seasonal = [], [], [], []
    for event in events:
        channel = ("load", "oil").index(event.channel)
        newest = first - 48 + round(event.time_s / HOUR_S) - 1
        actual = rows[newest + 1 : newest + 13, channel].astype(np.float64)
        errors.append((np.array(event.median) - actual) / std[channel])
        covered.append((np.array(event.low) <= actual) & (actual <= event.high))
        last_value.append((rows[newest, channel] - actual) / std[channel])
        seasonal.append((rows[newest - 23 : newest - 11, channel] - actual) / std[channel])
    return map(np.array, (errors, covered, last_value, seasonal))


def test_the_numbers_are_those_of_a_count_by_hand(folder):
    rows = readings(300)
    numbers = evaluate(Session.open(folder, every=1), rows, 200, 300).as_dict()
    errors, covered, last_value, seasonal = by_hand(folder, rows, 200, 300)
    assert len(errors) == 2 * numbers["windows"] == 2 * (100 - 11)
    assert numbers["mse"] == pytest.approx((errors**2).mean(), abs=1e-5)
    assert numbers["mae"] == pytest.approx(np.abs(errors).mean(), abs=1e-5)
    assert numbers["coverage_80"] == pytest.approx(covered.mean(), abs=1e-5)
    assert numbers["peers"]["last_value"]["mse"] == pytest.approx((last_value**2).mean(), abs=1e-5)
    assert numbers["peers"]["seasonal_naive"]["mae"] == pytest.approx(np.abs(seasonal).mean(), abs=1e-5)
    assert numbers["per_horizon"][1]["mse"] == pytest.approx((errors[:, 6:] ** 2).mean(), abs=1e-5)
    assert numbers["per_channel"]["oil"]["mae"] == pytest.approx(np.abs(errors[1::2]).mean(), abs=1e-5)
    json.dumps(numbers)


def test_a_bootstrap_finds_the_errors_of_each_window(folder):
    evaluation = evaluate(Session.open(folder, every=1), readings(300), 200, 300)
    assert evaluation.model.by_window.shape == (89, 2)
    assert evaluation.model.by_window.mean(axis=0) == pytest.approx(list(evaluation.model.mean().values()), abs=1e-5)
    assert set(evaluation.peers) == {"last_value", "seasonal_naive"}


def test_missing_readings_count_neither_for_nor_against(folder):
    rows = readings(300)
    rows[240:250, 0] = np.nan
    evaluation = evaluate(Session.open(folder, every=1), rows, 200, 300)
    assert evaluation.model.count.sum() < 89 * 24
    assert np.isfinite(evaluation.model.by_window).all()
    rows[190:] = np.nan
    with pytest.raises(
        InputError, match="nothing was read where forecasts were to be measured: all values are missing"
    ):
        evaluate(Session.open(folder, every=1), rows, 200, 300)


def test_a_channel_that_was_never_read_has_no_numbers(folder):
    rows = readings(300)
    rows[:, 1] = np.nan
    numbers = evaluate(Session.open(folder, every=1), rows, 200, 300).as_dict()
    assert numbers["per_channel"]["oil"]["mse"] is None
    assert numbers["per_channel"]["oil"]["mse_last_value"] is None
    assert numbers["per_channel"]["load"]["mse"] > 0
    json.dumps(numbers, allow_nan=False)


def test_the_look_back_may_reach_into_the_part_before(folder, tmp_path):
    path = write_log(tmp_path / "log.csv", readings(100))
    evaluation = evaluate_file(folder, path, "test", "reference")
    assert evaluation.facts["windows"] == 20 - 11


def test_splits_are_those_of_the_bundles_card(tmp_path):
    write_forecaster(tmp_path / "f.bundle")
    session = Session.open(tmp_path / "f.bundle")
    assert span_of("validation", Path("log.csv"), np.zeros((1000, 2), np.float32), session) == (600, 800)
    session.bundle.manifest.card["split_shares"] = [0.5, 0.25, 0.25]
    assert span_of("test", Path("log.csv"), np.zeros((1000, 2), np.float32), session) == (750, 1000)
    session.bundle.manifest.card["split_shares"] = [0.5, 0.6, 0.25]
    with pytest.raises(BundleError, match="must have three shares that add up to 1 as split_shares"):
        span_of("test", Path("log.csv"), np.zeros((1000, 2), np.float32), session)


def test_the_splits_of_ett_are_the_published_ones(tmp_path):
    names = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
    ett = {"channels": names, "mean": [0.0] * 7, "std": [1.0] * 7}
    write_forecaster(tmp_path / "f.bundle", ett)
    session = Session.open(tmp_path / "f.bundle")
    rows = np.zeros((17_420, 7), np.float32)
    assert span_of("test", Path("ETTh1.csv"), rows, session) == (11_520, 14_400)
    assert span_of("validation", Path("ETTh1.csv"), rows, session) == (8_640, 11_520)
    assert span_of("train", Path("ETTh1.csv"), rows, session) == (0, 8_640)
    assert span_of("test", Path("mine.csv"), rows, session) == (13_936, 17_420)


def test_a_file_is_put_onto_the_grid(folder, tmp_path):
    when = np.r_[times(40), times(60)[50:]] + np.tile([0.0, 100], 25)
    path = write_log(tmp_path / "log.csv", readings(50), when)
    rows = on_grid(path, Session.open(folder).sensors)
    assert rows.shape == (60, 2)
    assert np.isnan(rows[40:50]).all()
    assert np.array_equal(rows[50:], readings(50)[40:])


def test_a_gap_of_centuries_is_refused_before_it_is_made(folder, tmp_path):
    when = times(50)
    when[40:] += 2e11
    path = write_log(tmp_path / "log.csv", readings(50), when)
    with pytest.raises(InputError, match="spans more than 20000000 intervals of 1 h. Leave out the gap in it"):
        on_grid(path, Session.open(folder).sensors)


def test_ett_is_measured_on_every_window(real_data, tmp_path):
    names = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
    write_forecaster(tmp_path / "f.bundle", {"channels": names, "mean": [0.0] * 7, "std": [1.0] * 7})
    rows = on_grid(real_data / "series/ETT-small/ETTh1.csv", Session.open(tmp_path / "f.bundle").sensors)
    assert len(rows) == 17_420
    session = Session.open(tmp_path / "f.bundle", every=1)
    numbers = evaluate(session, rows, 14_400 - 100, 14_400).as_dict()
    assert numbers["windows"] == 89
