"""Sensors through a session: the same events for any chunks, gaps told and survived."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from device_runtime import Session
from device_runtime.absences import Absences
from device_runtime.decoders import EstimateDecoder, Sensors, SeriesStep
from device_runtime.errors import BundleError, InputError
from device_runtime.events import Forecast, Gap
from sensors import EAGER, HOUR_S, NAMES, START_S, readings, times, write_estimator, write_forecaster

NAN = float("nan")


@pytest.fixture
def folder(tmp_path):
    return write_forecaster(tmp_path / "f.bundle", forecast=EAGER).folder


@pytest.fixture
def estimator(tmp_path):
    return write_estimator(tmp_path / "e.bundle").folder


def in_chunks(session, samples, chunk):
    return [event for at in range(0, len(samples), chunk) for event in session.push(samples[at : at + chunk])]


@pytest.mark.parametrize("chunk", [1, 7, 100])
@pytest.mark.parametrize("which", ["folder", "estimator"])
def test_chunk_size_does_not_change_events(request, which, chunk):
    session, samples = Session.open(request.getfixturevalue(which)), readings(200, gaps=0.1)
    samples[60:115] = NAN
    samples[140:195, 1] = NAN
    whole = session.push(samples)
    session.reset()
    assert in_chunks(session, samples, chunk) == whole
    assert any(isinstance(event, Gap) for event in whole)
    assert len(whole) > 20


@pytest.mark.parametrize("which", ["folder", "estimator"])
def test_a_reset_session_equals_a_new_one(request, which):
    session, samples = Session.open(request.getfixturevalue(which)), readings(120)
    first = session.measure(times(120), samples)
    session.push(readings(77, seed=1))
    session.reset()
    assert session.measure(times(120), samples) == first
    assert first


def test_forecasts_come_when_the_look_back_is_full_and_then_as_often_as_the_bundle_says(folder):
    events = Session.open(folder).push(readings(70))
    assert [event.time_s / HOUR_S for event in events if event.channel == "oil"] == [48, 54, 60, 66]
    assert len(events[0].median) == 12


def test_how_often_can_be_overridden(folder):
    events = Session.open(folder, every=1).push(readings(52))
    assert [event.time_s / HOUR_S for event in events if event.channel == "oil"] == [48, 49, 50, 51, 52]
    with pytest.raises(
        InputError, match=r"every = 0 does not do: .*frontend.every must be a whole number from 1 to 48"
    ):
        Session.open(folder, every=0)


def test_every_means_nothing_without_a_look_back(estimator):
    with pytest.raises(InputError, match="tiny estimator has no look-back, so that every must not be given"):
        Session.open(estimator, every=1)


def test_readings_with_times_give_the_same_events_at_their_times(folder):
    samples = readings(100, gaps=0.05)
    plain, timed = Session.open(folder), Session.open(folder)
    wanted = plain.push(samples)
    told = timed.measure(times(100), samples)
    moved = [dataclasses.replace(event, time_s=event.time_s + START_S - HOUR_S) for event in wanted]
    assert told == moved
    assert timed.newest_s == START_S + 99 * HOUR_S


def test_a_short_gap_is_filled_without_a_word(folder):
    samples, when = readings(100), times(100)
    kept = np.r_[0:60, 65:100]
    missing = samples.copy()
    missing[60:65] = NAN
    assert Session.open(folder).measure(when[kept], samples[kept]) == Session.open(folder).measure(when, missing)


def test_a_gap_longer_than_the_window_is_told_and_everything_begins_anew(folder):
    samples, when = readings(220), times(220)
    kept = np.r_[0:60, 120:220]
    events = Session.open(folder).measure(when[kept], samples[kept])
    (at,) = [i for i, event in enumerate(events) if isinstance(event, Gap)]
    assert events[at] == Gap(when[120], 60 * HOUR_S, "no readings")
    fresh = Session.open(folder).measure(when[120:], samples[120:])
    assert [e.time_s for e in events[at + 1 :]] == [e.time_s for e in fresh]
    assert events[at + 1 :] == fresh


def test_skipping_equals_pushing_samples_without_a_reading(folder):
    session, other, samples = Session.open(folder), Session.open(folder), readings(160)
    for rows in (5, 47, 48, 49, 400):
        told = session.push(samples[:80])
        told += [event for watched in session.skip(rows) for event in watched.events] + session.push(samples[80:])
        wanted = other.push(samples[:80]) + other.push(np.full((rows, 2), NAN, np.float32)) + other.push(samples[80:])
        assert told == wanted


def test_one_silent_channel_is_named_when_it_is_back_and_not_forecast_meanwhile(folder):
    samples = readings(200)
    samples[60:130, 1] = NAN
    events = Session.open(folder).push(samples)
    gaps = [event for event in events if isinstance(event, Gap)]
    assert gaps == [Gap(131 * HOUR_S, 70 * HOUR_S, "no readings", "oil")]
    oil = [event.time_s / HOUR_S for event in events if isinstance(event, Forecast) and event.channel == "oil"]
    assert max(at for at in oil if at <= 130) == 102
    assert len([event for event in events if isinstance(event, Forecast) and event.channel == "load"]) == 26


def test_a_clock_that_repeats_or_goes_back_is_told_and_changes_nothing_that_was(folder):
    when = times(160)
    when[100] = when[99]
    when[130:] -= 20 * HOUR_S
    events = Session.open(folder).measure(when, readings(160))
    gaps = [event for event in events if isinstance(event, Gap)]
    assert [(gap.reason, gap.seconds / HOUR_S) for gap in gaps] == [
        ("the clock repeats a time", 0),
        ("the clock went back", -19),
    ]
    before = [event for event in events[: events.index(gaps[1])] if isinstance(event, Forecast)]
    assert before == [
        e for e in Session.open(folder).measure(when[:130], readings(160)[:130]) if isinstance(e, Forecast)
    ]
    assert events[-1].time_s > when[130]


def test_nothing_and_a_stuck_sensor_are_fine(folder):
    session = Session.open(folder)
    assert session.push(np.zeros((0, 2), np.float32)) == []
    events = session.push(np.full((100, 2), 12.5, np.float32))
    assert len(events) == 18
    assert all(np.isfinite(event.median + event.low + event.high).all() for event in events)


def test_refused_samples_leave_no_trace(folder):
    session, samples = Session.open(folder), readings(100)
    whole = session.push(samples)
    session.reset()
    broken = samples.copy()
    broken[70, 1] = np.inf
    with pytest.raises(InputError, match="sample 70 of the chunk is infinite"):
        session.push(broken)
    with pytest.raises(InputError, match=r"each reading needs one finite time, got \(99,\) times for 100 readings"):
        session.measure(times(99), samples)
    assert session.push(samples) == whole


def test_sessions_of_words_and_of_sensors_say_which_they_are(folder):
    session = Session.open(folder)
    assert session.watches
    assert session.sensors.names == NAMES
    assert session.first_step == 48
    with pytest.raises(InputError, match=r"watches sensors and hears no words. Use: session.watch\(readings\)"):
        _ = session.frontend
    with pytest.raises(InputError, match="watches sensors; it has no words to set a threshold for"):
        Session.open(folder, thresholds={"p50": 0.5})


def test_memory_does_not_grow_with_the_stream(folder):
    session, chunk = Session.open(folder), readings(300)
    session.push(chunk)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(5):
            session.push(chunk)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert peak - before < 1_000_000


def test_a_front_end_that_does_not_fit_the_model_is_refused(tmp_path):
    write_forecaster(tmp_path / "f.bundle", {"channel_code": True})
    made = Session.open(tmp_path / "f.bundle")
    bundle = dataclasses.replace(
        made.bundle,
        manifest=dataclasses.replace(
            made.bundle.manifest, frontend={**made.bundle.manifest.frontend, "channel_code": False}
        ),
    )
    with pytest.raises(BundleError, match="makes frames of 6 features, but the model takes 8"):
        Session(bundle)


def test_gaps_are_masked_as_the_manifest_says(tmp_path):
    write_forecaster(tmp_path / "f.bundle", {"gaps": "mask"})
    samples = readings(60, gaps=0.3)
    (step,) = [w.step for w in Session.open(tmp_path / "f.bundle").watch(samples[:48])]
    flags = step.frames[:, :, 6:].reshape(2, 48).T
    assert np.array_equal(flags == 1, ~np.isnan(samples[:48]))


def test_an_estimate_comes_with_every_frame_within_its_cap(estimator):
    events = Session.open(estimator).push(readings(60))
    assert [event.time_s / HOUR_S for event in events] == [5 * (i + 1) for i in range(12)]
    assert all(0 <= event.low <= event.value <= event.high <= 125 for event in events)
    assert {event.name for event in events} == {"remaining_life"}


def test_estimates_take_one_label_or_an_odd_number_of_quantiles():
    sensors = Sensors(("t",), np.zeros(1), np.ones(1), 1.0, segment=1, every=1, longest=1)
    frames, one = np.zeros((1, 1), np.float32), np.ones(1, bool)
    made = EstimateDecoder(("p10", "p50", "p90"), sensors, "life", 100.0, 90.0)
    scores = np.array([[0.5, 0.95, 0.2]], np.float32)
    (event,) = made.push(SeriesStep(0.0, frames, frames, scores, np.zeros(1, np.float32), one))
    assert (event.low, event.value, event.high) == pytest.approx((20, 50, 90))
    with pytest.raises(BundleError, match="an estimate needs one label, or an odd number of quantiles with the median"):
        EstimateDecoder(("p10", "p90"), sensors, "life", 1.0, 1.0)


def test_absences_are_cut_where_a_gap_begins_to_count_and_where_it_ends():
    made = Absences(channels=2, longest=3)
    rows = np.zeros((12, 2), np.float32)
    rows[2:7] = NAN
    rows[7, 0] = NAN
    parts = list(made.split(rows))
    assert [(len(p.rows), p.ended, p.forget, p.gone) for p in parts] == [
        (4, [], False, False),
        (3, [], True, True),
        (1, [(None, 5)], False, False),
        (4, [(0, 6)], False, False),
    ]
