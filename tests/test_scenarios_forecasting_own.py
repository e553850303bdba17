"""A user's own log: the forecaster takes the shape that its clock and its length allow."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

from device_runtime.errors import InputError
from scenarios.build import find
from scenarios.forecasting.own import LINEAR_TEACHERS, for_log, shape
from scenarios.variants import with_options
from train.data.series import Series


def log(samples, interval_s):
    times = np.datetime64("2026-01-01T00:00:00", "s") + (interval_s * np.arange(samples)).astype("timedelta64[s]")
    return Series("log", ("t",), float(interval_s), times, np.arange(samples, dtype=np.float32)[:, None])


@pytest.mark.parametrize(
    ("samples", "interval_s", "segment", "segments"),
    [
        (20_000, 3600, 24, 14),  # two weeks of days
        (1_379, 3600, 24, 5),  # two months: five days are what an eighth allows
        (50_000, 900, 48, 28),  # two weeks of half days
        (50_000, 60, 48, 128),  # 30 parts of a day are too many to be cut: as long as an eighth
        (50_000, 7, 24, 258),  # no round number of samples in a day
    ],
)
def test_the_shape_follows_the_clock_and_the_length(samples, interval_s, segment, segments):
    config = shape(log(samples, interval_s), hidden=32)
    assert (config.segment, config.horizon) == (segment, 2 * segment)
    assert config.segments <= segments
    assert config.look_back <= samples / 8


def test_a_log_that_is_too_short_says_how_long_it_must_be():
    with pytest.raises(InputError, match=r"log has 200 samples, every 3600 s: too few to learn from. Give a log of at"):
        shape(log(200, 3600), hidden=32)


@pytest.fixture
def greenhouse(tmp_path):
    path = tmp_path / "green house.csv"
    days = [f"2026-{month:02d}-{day:02d}" for month in (1, 2) for day in range(1, 29)]
    days[28:28] = [f"2026-01-{day}" for day in (29, 30, 31)]
    rows = [f"{day} {hour:02d}:00;{20 + hour},5" for day in days for hour in range(24)]
    path.write_text("Zeit;Temperatur\n" + "\n".join(rows) + "\n")
    return path


def test_a_user_s_log_makes_a_scenario_of_its_own(greenhouse):
    scenario = with_options(find("load_forecast"), 3, None, greenhouse)
    assert (scenario.name, scenario.typed, scenario.seed) == ("load_forecast_green_house", "load_forecast", 3)
    assert scenario.data.series().channels == ("Temperatur",)
    assert scenario.forecaster.segment == 24


def test_a_log_is_for_forecasts_alone(greenhouse):
    with pytest.raises(InputError, match="--csv is for scenarios that forecast a log .load_forecast.; demo does not"):
        with_options(find("demo"), None, None, greenhouse)


def test_words_are_for_voices_alone():
    with pytest.raises(
        InputError, match="--words is for scenarios with spoken voices .demo.; load_forecast has its own"
    ):
        with_options(find("load_forecast"), None, "lumos", None)


def test_the_log_s_recipe_keeps_its_teachers_kinds(greenhouse):
    scenario = for_log(find("load_forecast"), greenhouse)
    assert [teacher.linear for teacher in scenario.teacher] == [False, True]


def test_another_horizon_is_a_scenario_of_its_own_name():
    scenario = with_options(find("load_forecast_etth1"), None, None, None, 192)
    assert (scenario.name, scenario.typed) == ("load_forecast_etth1_192", "load_forecast_etth1")
    assert {scenario.forecaster.horizon, *(teacher.horizon for teacher in scenario.teacher)} == {192}
    assert scenario.budget.mse is None, "what was promised was promised for 96"
    assert scenario.maps == LINEAR_TEACHERS, "a GRU alone learns the few long windows by heart"
    assert not find("load_forecast_etth1").maps


def test_a_horizon_is_for_forecasts_alone_and_of_whole_segments():
    with pytest.raises(InputError, match="--horizon is for scenarios that forecast .load_forecast.; demo does not"):
        with_options(find("demo"), None, None, None, 96)
    for horizon in (100, -48, 0):
        with pytest.raises(
            InputError, match=f"--horizon got {horizon}, expected a multiple of 24 of at least 24, .*: f"
        ):
            with_options(find("load_forecast_etth1"), None, None, None, horizon)
