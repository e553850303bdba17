"""Forecasts: quantiles in the sensors' units that never cross, and intervals that hold what they say as they go."""

import numpy as np
import pytest

from device_runtime.decoders import Sensors, SeriesStep, series_decoder
from device_runtime.decoders.forecast import ForecastDecoder, check_quantiles
from device_runtime.errors import BundleError, InputError
from device_runtime.events import Drift, Forecast

SENSORS = Sensors(("a", "b"), np.array([10.0, 0.0]), np.array([2.0, 1.0]), 60.0, segment=2, every=2, longest=8)
LABELS = ("p10", "p50", "p90")


def decoder(sensors=SENSORS, **settings):
    return ForecastDecoder(LABELS, sensors, **{"positions": 2, **settings})


def step(scores, values=None, level=(0.0, 0.0), time_s=0.0, measured=(True, True)):
    """Scores by position, quantile and sample, for each channel alike unless they are two."""
    scores = np.broadcast_to(np.array(scores, np.float32).reshape(-1, 12), (2, 12))
    read = np.zeros((2, 2), np.float32) if values is None else np.array(values, np.float32)
    frames = np.zeros((2, 4, 2), np.float32)
    return SeriesStep(time_s, read, frames, scores, np.array(level, np.float32), np.array(measured))


RISING = [-1, -1, 0, 0, 1, 1, -2, -2, 0, 0.5, 2, 2]
"""Two positions of three quantiles of two samples."""


def test_scores_become_values_in_each_sensors_unit_around_its_level():
    first, second = decoder().push(step(RISING, level=(1.0, 5.0), time_s=600.0))
    assert first == Forecast("a", 600.0, 60.0, median=(12, 12, 12, 13), low=(10, 10, 8, 8), high=(14, 14, 16, 16))
    assert second.channel == "b"
    assert second.median == (5, 5, 5, 5.5)


def test_quantiles_never_cross():
    crossing = [2, -1, 0, 0, -1, 1, 3, 3, 2, 2, 1, 1]
    for event in decoder().push(step(crossing)):
        assert all(low <= median <= high for low, median, high in zip(event.low, event.median, event.high, strict=True))
    narrow = decoder(below=[-9.0], above=[-9.0]).push(step(RISING))[1]
    assert narrow.low == narrow.median == narrow.high == (0, 0, 0, 0.5)


def test_offsets_of_validation_data_widen_the_interval_by_position_and_channel():
    assert decoder(below=[1.0], above=[0.5]).push(step(RISING))[1].low == (-2, -2, -3, -3)
    assert decoder(below=[1.0, 2.0]).push(step(RISING))[1].low == (-2, -2, -4, -4)
    by_channel = decoder(above=[0.0, 0.0, 1.0, 2.0]).push(step(RISING))
    assert by_channel[0].high == (12, 12, 14, 14)
    assert by_channel[1].high == (2, 2, 4, 4)


def test_offsets_that_fit_nothing_are_refused():
    with pytest.raises(BundleError, match=r"the decoder's below must have 1, 2 or 4 numbers .*got 3"):
        decoder(below=[0.0, 0.0, 0.0])


def test_a_channel_without_readings_is_not_forecast():
    assert [event.channel for event in decoder().push(step(RISING, measured=(False, True)))] == ["b"]


@pytest.mark.parametrize(
    "labels", [("p10", "p90"), ("p50", "p10", "p90"), ("low", "p50", "high"), ("p10", "p40", "p90")]
)
def test_labels_must_be_quantiles_around_the_median(labels):
    with pytest.raises(
        BundleError, match="must be rising quantiles with the median in the middle, such as p10, p50, p90"
    ):
        check_quantiles(labels)


def test_an_interval_that_is_passed_grows_and_one_that_holds_shrinks():
    made = decoder(rate=0.1, coverage=0.8)
    made.push(step(RISING))
    widths = []
    for value in (5.0, 5.0, 0.0, 0.0):  # beyond the upper end, then within
        event = made.push(step(RISING, values=[[10, value], [10, value]]))[1]
        widths.append((event.low[0], event.high[0]))
    assert widths[1][1] > widths[0][1] > 1
    assert widths[3][1] < widths[2][1] < widths[1][1]
    assert widths[0][0] > -1, "the lower end was not passed"


def test_a_missing_reading_teaches_nothing():
    made, other = decoder(rate=0.1), decoder(rate=0.1)
    for each, value in ((made, np.nan), (other, 5.0)):
        each.push(step(RISING))
        each.push(step(RISING, values=[[10, value], [10, value]]))
    assert (made.snapshot()["offset"].reshape(2, 2, 4)[:, 1] == 0).all()
    assert (other.snapshot()["offset"].reshape(2, 2, 4)[1, 1, :2] > 0).all()


def test_far_ahead_the_interval_follows_more_slowly():
    """One reading beyond the upper end at each of four steps ahead: at full rate up to two, then by the root."""
    made = decoder(rate=0.1, near=2)
    for _ in range(3):
        made.push(step(RISING, values=[[10, 5.0], [10, 5.0]]))
    up = made.snapshot()["offset"].reshape(2, 2, 4)[1, 1] / made.snapshot()["scale"][1]
    like = decoder(rate=0.1)
    for _ in range(3):
        like.push(step(RISING, values=[[10, 5.0], [10, 5.0]]))
    full = like.snapshot()["offset"].reshape(2, 2, 4)[1, 1] / like.snapshot()["scale"][1]
    assert (full > 0).all()
    np.testing.assert_allclose(up / full, np.sqrt([1, 1, 2 / 3, 2 / 4]), rtol=0.02)


@pytest.mark.parametrize("every", [1, 2, 3, 4])
def test_each_value_is_held_against_the_forecast_that_told_it(every):
    """A forecaster that is right to the last bit learns that its interval may be as good as nothing."""
    sensors = Sensors(("a",), np.zeros(1), np.ones(1), 60.0, segment=2, every=every, longest=8)
    made = ForecastDecoder(("p50",), sensors, positions=2, rate=0.1)
    series = np.random.default_rng(0).normal(0, 1, 200).astype(np.float32)
    for newest in range(8, 150, every):
        ahead = series[newest + 1 : newest + 5]
        values = series[newest - every + 1 : newest + 1, None]
        frames, level = np.zeros((1, 4, 2), np.float32), np.zeros(1, np.float32)
        made.push(SeriesStep(0.0, values, frames, ahead[None], level, np.ones(1, bool)))
    assert np.abs(made.snapshot()["offset"]).max() < 1e-4
    assert np.abs(made.snapshot()["scale"]).max() < 1e-2


@pytest.mark.parametrize("spread", [0.3, 1.0, 3.0])
def test_in_the_long_run_the_interval_holds_what_it_says(spread):
    """Whatever the model thought of its spread, and although the series changes under it."""
    sensors = Sensors(("a",), np.zeros(1), np.ones(1), 60.0, segment=4, every=1, longest=8)
    made = ForecastDecoder(LABELS, sensors, positions=2, rate=0.02)
    rng = np.random.default_rng(3)
    series = (rng.normal(0, 1, 4_000) * np.repeat([1.0, 2.5], 2_000)).astype(np.float32)
    scores = np.tile(np.repeat(np.array([-1.28, 0, 1.28], np.float32) * spread, 4), 2)[None]
    frames, level, measured = np.zeros((1, 2, 4), np.float32), np.zeros(1, np.float32), np.ones(1, bool)
    covered = []
    for newest in range(4_000 - 9):
        event = made.push(SeriesStep(0.0, series[newest : newest + 1, None], frames, scores, level, measured))[0]
        actual = series[newest + 1 : newest + 9]
        covered.append((np.array(event.low) <= actual) & (actual <= event.high))
    assert np.mean(covered) == pytest.approx(0.8, abs=0.07), "with what it had to learn"
    assert np.mean(covered[-1000:]) == pytest.approx(0.8, abs=0.02)
    assert np.abs(np.mean(covered[-1000:], axis=0) - 0.8).max() < 0.03, "at each step ahead"


def test_a_reset_decoder_equals_a_new_one():
    made = decoder(rate=0.1, drift=0.01)
    first = made.push(step(RISING)) + made.push(step(RISING, values=[[20, 5], [20, 5]]))
    made.reset()
    assert made.push(step(RISING)) + made.push(step(RISING, values=[[20, 5], [20, 5]])) == first


def walk(made, steps):
    events = []
    rng = np.random.default_rng(0)
    for at in range(300):
        values = rng.normal(0, 1 if at < 150 else 90, (2, 2))
        scores = rng.normal(0, 1, 12)
        if at in steps:
            events += made.push(step(scores, values=values, time_s=float(at)))
    return events


def test_a_saved_decoder_goes_on_as_if_there_had_been_no_break():
    whole = walk(decoder(rate=0.1, drift=0.3), range(300))
    first, second = decoder(rate=0.1, drift=0.3), decoder(rate=0.1, drift=0.3)
    events = walk(first, range(125))
    second.restore(first.snapshot())
    assert events + walk(second, range(125, 300)) == whole
    assert any(isinstance(event, Drift) for event in whole)


def test_a_state_of_other_shapes_changes_nothing():
    made = decoder()
    made.push(step(RISING))
    with pytest.raises(InputError, match=r"the saved state has nothing as offset, expected float64"):
        made.restore({})
    other = ForecastDecoder(LABELS, SENSORS, positions=3).snapshot()
    with pytest.raises(InputError, match="It is of another bundle or version: start without it"):
        made.restore(other)
    assert made.snapshot()["steps"].tolist() == [1]


def test_a_kind_that_is_unknown_and_settings_that_do_not_fit_are_named():
    with pytest.raises(BundleError, match="the decoder 'oracle' is unknown, expected one of: forecast, estimate"):
        series_decoder({"kind": "oracle"}, LABELS, SENSORS)
    with pytest.raises(BundleError, match="the settings of the decoder 'forecast' do not fit it: missing a required"):
        series_decoder({"kind": "forecast"}, LABELS, SENSORS)
