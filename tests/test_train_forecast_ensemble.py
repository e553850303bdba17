"""Linear teachers in closed form, and how far each teacher is heard."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from train.data.series import Series, Splits
from train.forecast_ensemble import Ensemble, best_weights, least_absolute
from train.forecast_teaching import taught
from train.forecast_windows import ForecastWindows, forecast_windows
from train.forecaster import Forecaster, ForecasterConfig, by_quantile
from train.ridge import LinearTeacher, Ridge, some

CONFIG = ForecasterConfig(segment=4, segments=4, horizon=8, hidden=6, dropout=0.0)
KINDS = [Ridge(*kind) for kind in itertools.product((0, 1), (False, True))]


def rhythm(noise: float = 0.05, channels: int = 2) -> Series:
    """A rhythm of 8 samples around a slow walk, already standardised."""
    random, samples = np.random.default_rng(1), 400
    at = np.arange(samples)[:, None] + 3 * np.arange(channels)
    values = np.sin(2 * np.pi * at / 8) + noise * random.standard_normal((samples, channels)).cumsum(axis=0)
    times = np.datetime64("2026-01-01", "s") + np.arange(samples) * np.timedelta64(3600, "s")
    names = tuple(f"c{i}" for i in range(channels))
    return Series("rhythm", names, 3600.0, times, values.astype(np.float32), Splits(240, 320, 400))


def parts(series: Series) -> tuple[ForecastWindows, ForecastWindows]:
    return forecast_windows(series, "train", CONFIG), forecast_windows(series, "validation", CONFIG)


def squared(forecast: torch.Tensor, targets: torch.Tensor) -> float:
    return float((forecast.detach() - targets).square().mean())


def absolute(forecast: torch.Tensor, targets: torch.Tensor) -> float:
    return float((forecast.detach() - targets).abs().mean())


@pytest.mark.parametrize("ridge", KINDS, ids=str)
def test_a_ridge_finds_the_rhythm_that_is_there(ridge):
    training, validation = parts(rhythm(noise=0.0))
    teacher = dataclasses.replace(ridge, strengths=(1e-6, 10.0)).fit(training, validation)
    frames, targets = validation[torch.arange(len(validation))]
    assert teacher.weight.shape == (16, 8)
    assert squared(teacher(frames), targets) < 1e-3


@pytest.mark.parametrize("ridge", KINDS, ids=str)
def test_a_ridge_is_the_least_squares_of_its_own_kind(ridge):
    training, validation = parts(rhythm())
    teacher = dataclasses.replace(ridge, strengths=(0.1,)).fit(training, validation)
    frames, targets = (part.double() for part in training[torch.arange(len(training))])
    level = frames[:, -1].mean(dim=1) if ridge.level_segments else torch.zeros(len(frames))
    x, y = frames - level[:, None, None], targets.unflatten(1, (2, 4)) - level[:, None, None]
    if ridge.by_phase:
        x, y = x.transpose(1, 2).flatten(0, 1), y.transpose(1, 2).flatten(0, 1)
    x, y = x.flatten(1), y.flatten(1)
    inner = x.T @ x
    by_hand = x @ torch.linalg.solve(inner + 0.1 * inner.diagonal().mean() * torch.eye(len(inner)), x.T @ y)
    if ridge.by_phase:
        by_hand = by_hand.unflatten(0, (-1, 4)).transpose(1, 2).flatten(1)
    torch.testing.assert_close(teacher(frames.float()).double(), by_hand + level[:, None], atol=1e-4, rtol=1e-3)


def test_validation_chooses_the_strength_of_a_ridge():
    training, validation = parts(rhythm(noise=1.0))
    frames, targets = validation[torch.arange(len(validation))]
    found = [squared(Ridge(strengths=(one,)).fit(training, validation)(frames), targets) for one in Ridge().strengths]
    assert squared(Ridge().fit(training, validation)(frames), targets) == pytest.approx(min(found))


def test_a_ridge_learns_of_the_samples_alone_and_knows_gaps_as_held():
    series = rhythm()
    values = series.values.copy()
    values[50:60] = np.nan
    training, validation = parts(dataclasses.replace(series, values=values))
    coded = [dataclasses.replace(part, config=dataclasses.replace(CONFIG, codes=2)) for part in (training, validation)]
    plain, told = Ridge().fit(training, validation), Ridge().fit(*coded)
    assert plain.weight.isfinite().all()
    torch.testing.assert_close(told.weight, plain.weight)
    numbers = torch.arange(5)
    torch.testing.assert_close(told(coded[1][numbers][0]), plain(validation[numbers][0]))


def test_some_windows_are_spread_evenly_over_all_channels():
    training, _ = parts(rhythm())
    chosen = some(training, 50)
    assert len(chosen) <= 50
    assert set((chosen // training.each).tolist()) == {0, 1}
    assert some(training, 10**6).tolist() == list(range(len(training)))


def test_the_best_weights_are_those_of_a_search_and_never_below_zero():
    random = np.random.default_rng(3)
    errors = random.standard_normal((3, 500)) + random.standard_normal(500)
    errors[2] += 2 * errors[0]  # worse than the first, and wrong with it: alone it would get a weight below zero
    products = errors @ errors.T / 500
    weights = best_weights(torch.from_numpy(products))
    steps = np.linspace(0, 1, 101)
    tried = np.array([(1 - b - c, b, c) for b in steps for c in steps if b + c <= 1])
    best = tried[np.einsum("ni,ij,nj->n", tried, products, tried).argmin()]
    np.testing.assert_allclose(weights.numpy(), best, atol=0.011)
    assert weights[2] == 0
    assert float(weights.sum()) == pytest.approx(1)


def test_the_least_absolute_weights_are_those_of_a_search_which_a_few_great_errors_hardly_move():
    random = np.random.default_rng(4)
    errors = (random.standard_normal((3, 600)) * np.array([[1.0], [1.5], [2.0]])).astype(np.float32)
    errors[0, :12] += 30
    steps = np.linspace(0, 1, 101)
    tried = np.array([(1 - b - c, b, c) for b in steps for c in steps if b + c <= 1])
    best = tried[np.abs(tried @ errors).mean(axis=1).argmin()]
    batches = torch.from_numpy(errors).split(256, dim=1)
    np.testing.assert_allclose(least_absolute(batches).numpy(), best, atol=0.025)
    by_squares = best_weights(torch.from_numpy((errors @ errors.T).astype(np.float64)))
    assert by_squares[0] < 0.2 < best[0]


def test_teachers_of_the_same_worth_count_the_same():
    torch.testing.assert_close(best_weights(torch.eye(4).double()), torch.full((4,), 0.25).double())
    torch.testing.assert_close(best_weights(torch.ones(2, 2).double()), torch.full((2,), 0.5).double())


def test_a_weighed_teacher_is_no_worse_than_any_of_its_members_and_keeps_the_spread_of_its_grus():
    training, validation = parts(rhythm(noise=0.3))
    grus = [Forecaster(CONFIG).eval() for _ in range(2)]
    maps = [ridge.fit(training, validation) for ridge in KINDS]
    alike, weighed = Ensemble(grus), Ensemble(grus, maps).weighed(validation)
    assert len(weighed.weights) == 6
    assert sum(weighed.weights) == pytest.approx(1)
    numbers = torch.arange(len(validation))
    frames, targets = validation[numbers]
    told, mean = weighed.lines(validation, numbers), alike.lines(validation, numbers)
    members = [by_quantile(gru(frames), CONFIG)[:, 1] for gru in grus] + [one(frames) for one in maps]
    assert absolute(told[:, 1], targets) <= min(absolute(one, targets) for one in members) + 1e-4
    torch.testing.assert_close(told - told[:, 1:2], mean - mean[:, 1:2])


def test_windows_are_taught_anew_where_a_map_or_a_weight_is_another(tmp_path):
    training, _ = parts(rhythm())
    gru, one = Forecaster(CONFIG).eval(), LinearTeacher(torch.zeros(16, 8))
    for ensemble in (
        Ensemble([gru]),
        Ensemble([gru], [one], (0.5, 0.5)),
        Ensemble([gru], [one], (0.0, 1.0)),
        Ensemble([gru], [LinearTeacher(torch.ones(16, 8))], (0.0, 1.0)),
    ):
        told = taught(training, ensemble, tmp_path).taught
    assert len(list(tmp_path.glob("*.npy"))) == 4
    numbers = torch.arange(len(training))
    sums = training[numbers][0].flatten(1).sum(dim=1)
    torch.testing.assert_close(told[:, 1].float(), sums[:, None].expand(-1, 8), atol=0.05, rtol=0.01)
