"""Anomalies: the tail of a distribution, when to tell of a surprise, and the decoder that puts them together."""

from __future__ import annotations

import numpy as np
import pytest

from device_runtime.decoders import AnomalyDecoder, Sensors, SeriesStep, series_decoder
from device_runtime.decoders.alarms import Alarms, fires
from device_runtime.decoders.tail import Tail
from device_runtime.errors import BundleError, InputError
from device_runtime.events import Anomaly

LABELS = ("p10", "p50", "p90")
HALF_HOURS = Sensors(("oil",), np.zeros(1), np.ones(1), 1800.0, 1, 1, 2016)


def decoder(threshold: float = 12.0, **settings: int) -> AnomalyDecoder:
    return AnomalyDecoder(LABELS, HALF_HOURS, threshold, **settings)


def steps(values: np.ndarray) -> list[SeriesStep]:
    frame, scores = np.zeros((1, 1, 3), np.float32), np.zeros((1, 3), np.float32)
    return [
        SeriesStep(at * 1800.0, values[at : at + 1, None], frame, scores, np.zeros(1, np.float32), np.ones(1, bool))
        for at in range(len(values))
    ]


def told(made: AnomalyDecoder, values: np.ndarray) -> list[Anomaly]:
    return [event for step in steps(values) for event in made.push(step)]


def daily(count: int = 1200, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.5, count)
    return (50 + 5 * np.sin(np.arange(count) / 48 * 2 * np.pi) + noise).astype(np.float32)


def test_a_spike_is_told_once_with_what_was_expected():
    values = daily()
    values[1000:1003] += 40
    (event,) = told(decoder(), values)
    assert (event.channel, event.time_s) == ("oil", 1000 * 1800.0)
    assert event.value == pytest.approx(float(values[1000]))
    assert event.expected_low < values[999] < event.expected_high < event.value
    assert 0.5 <= event.score < 1


def test_a_new_level_inside_the_daily_range_is_told():
    values = daily()
    values[1000:] = 54 + 0.1 * (values[1000:] - values[1000:].mean())  # the day's wave is gone
    assert any(1000 <= event.time_s / 1800 < 1060 for event in told(decoder(), values))


def test_an_ordinary_series_is_quiet():
    assert told(decoder(), daily(3000)) == []


def test_missing_readings_are_no_surprise_and_teach_nothing():
    values = daily()
    gap = np.insert(values, 600, np.full(20, np.nan, np.float32))
    one, other = decoder(), decoder()
    surprises, with_gap = [], []
    for step in steps(values):
        one.push(step)
        surprises.append(one.surprise)
    for step in steps(gap):
        other.push(step)
        with_gap.append(other.surprise)
    assert with_gap[600:620] == [0.0] * 20
    assert with_gap[:600] + with_gap[620:] == surprises


def test_the_model_tells_a_move_that_would_else_surprise():
    """Scores are in usual changes, squashed: the decoder undoes both."""
    values = daily()
    values[1000] += 8
    silent, told_ahead = decoder(), decoder()
    for at, step in enumerate(steps(values)):
        silent.push(step)
        score = np.float32(4.4 if at == 999 else 0.0)
        told_ahead.push(
            SeriesStep(step.time_s, step.values, step.frames, step.scores + score, step.level, step.measured)
        )
        if at == 1000:
            assert told_ahead.surprise < silent.surprise


def test_a_snapshot_goes_on_as_if_there_had_been_no_break():
    values = daily()
    values[[700, 1000]] += 40, 200
    whole, first, second = decoder(memory=500), decoder(memory=500), decoder(memory=500)
    expected = told(whole, values)
    before = told(first, values[:733])
    second.restore(first.snapshot())
    after = [event for step in steps(values)[733:] for event in second.push(step)]
    assert before + after == expected
    assert len(expected) == 2


def test_reset_forgets_everything():
    values, made = daily(), decoder()
    values[1000] += 40
    before = told(made, values)
    made.reset()
    assert told(made, values) == before


def test_a_damaged_snapshot_is_refused():
    made = decoder()
    told(made, daily(100))
    saved = made.snapshot()
    for name, bad in (("tail.level", np.array([-1.0])), ("mean.day", np.full(11, np.nan))):
        with pytest.raises(InputError, match="the saved state of the anomaly decoder is damaged"):
            decoder().restore({**saved, name: bad})


def test_labels_without_a_median_are_refused():
    with pytest.raises(BundleError, match="the labels of an anomaly decoder must include p50, got yes"):
        series_decoder({"kind": "anomaly", "threshold": 9.0}, ("yes",), HALF_HOURS)


def test_a_tail_knows_how_rare_a_number_is():
    random, tail = np.random.default_rng(0), Tail(memory=5000)
    for number in random.exponential(1.0, 5000):
        tail.push(float(number))
    assert tail.push(0.0) == pytest.approx(0, abs=0.01)
    assert tail.push(float(-np.log(0.1))) == pytest.approx(-np.log(0.1), abs=0.1)
    assert tail.push(12.0) == pytest.approx(12.0, rel=0.15)  # -ln of the chance of 12 or more


def test_rare_spikes_of_the_past_make_the_next_no_surprise():
    calm, spiky = Tail(memory=1000), Tail(memory=1000)
    for at in range(1000):
        calm.push(at % 7 / 7)
        spiky.push(50.0 if at % 40 == 0 else at % 7 / 7)
    assert calm.push(50.0) > 100 > 10 > spiky.push(50.0)


def test_a_tail_forgets_what_is_older_than_its_memory():
    tail = Tail(memory=100)
    for number in [50.0] * 100 + [1.0] * 100:
        tail.push(number)
    assert tail.usual() == 1.0
    assert len(tail.snapshot()) == 100


def test_an_alarm_is_repeated_after_calm_or_when_far_worse():
    surprises = np.array([0, 10, 11, 0, 12, 0, 0, 0, 9, 30, 9], float)
    assert fires(surprises, threshold=9, quiet=3).tolist() == [1, 8, 9]
    one_by_one = Alarms(threshold=9, quiet=3)
    assert [one_by_one.push(surprise) for surprise in surprises] == np.isin(np.arange(11), [1, 8, 9]).tolist()
