"""The next-step predictor, and the made series that it learns from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from compress.quantize import calibrate
from device_runtime import arithmetic
from device_runtime.decoders.alarms import fires
from device_runtime.errors import InputError
from device_runtime.usual import DAY_S, samples_a_day
from train.alarm_rate import threshold_for_rate
from train.data.made_series import DAYS, FAMILIES, MadeSeries, made_series
from train.loop import Schedule
from train.predictor import MOVED, Predictor, PredictorConfig, fit_predictor, frames_of, quantile_loss

TINY = PredictorConfig(hidden=8, series=20, samples=200, stretch=80, batch=16, steps_an_epoch=15)


def test_made_series_are_finite_and_the_same_by_their_seed():
    for seed in range(40):
        one, same = (made_series(np.random.default_rng(seed), 300) for _ in range(2))
        assert np.isfinite(one.values).all()
        assert np.array_equal(one.values, same.values)
        assert samples_a_day(one.interval_s) in DAYS


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_each_family_makes_as_many_samples_as_asked_and_moves(family):
    values = family(np.random.default_rng(1), 700, 48)
    assert values.shape == (700,)
    assert np.std(values) > 0


def test_the_predictor_beats_the_last_value_on_a_series_that_repeats():
    days = [MadeSeries(np.tile(np.random.default_rng(day).normal(0, 1, 24), 30), DAY_S / 24) for day in range(12)]
    predictor, frames, history = fit_predictor(TINY, days, Schedule(epochs=4, learning_rate=2e-2), seed=1)
    assert frames.shape == (2, 200, 3)
    assert history.validation[-1] < history.validation[0]
    unseen = torch.from_numpy(frames_of(np.tile(np.random.default_rng(99).normal(0, 1, 24), 30), DAY_S / 24))[None]
    with torch.no_grad():
        predicted = predictor(unseen)[:, 100:-1]
    moved = unseen[:, 101:, MOVED]
    assert quantile_loss(predicted, moved) < 0.7 * quantile_loss(torch.zeros_like(predicted), moved)


def test_calibrated_it_is_a_model_that_a_device_steps():
    torch.manual_seed(0)
    made = [made_series(np.random.default_rng(seed), 120) for seed in range(3)]
    frames = torch.from_numpy(np.stack([frames_of(one.values, one.interval_s) for one in made]))
    int8 = calibrate(Predictor(hidden=8), frames)
    model, state = int8.model(), int8.model().initial_state()
    assert model.input_gain == 16  # so that no feature is ever cut off: 7.5 * 16 < 127
    with torch.no_grad():
        expected = int8(frames[:1])[0].numpy()
    for frame, row in zip(frames[0].numpy(), expected, strict=True):
        scores, state = arithmetic.step(model, frame, state)
        assert np.array_equal(scores, row)


def test_the_threshold_lets_as_many_alarms_through_as_asked_and_no_more():
    surprises = [np.random.default_rng(seed).exponential(1.5, 20_000) for seed in range(3)]
    threshold = threshold_for_rate(surprises, quiet=10, readings_an_alarm=1_000)
    counts = [sum(int((fires(one, at, 10) >= 750).sum()) for one in surprises) for at in (threshold, threshold - 0.05)]
    assert counts[0] * 1_000 <= 3 * 19_250 < counts[1] * 1_000


def test_too_few_readings_tell_no_threshold():
    with pytest.raises(InputError, match="850 readings do not tell a threshold for one alarm in 2016"):
        threshold_for_rate([np.zeros(1000)], quiet=10)
