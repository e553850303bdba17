"""Detectors and estimators to be held against: causal, in 0..1, and right where it is easy to be right."""

from __future__ import annotations

import os

import numpy as np
import pytest

pytest.importorskip("torch", reason="the scenarios need the workstation's packages")
pytest.importorskip("sklearn", reason="the estimators are scikit-learn's")
pytest.importorskip("river", reason="half-space trees are river's")

from device_runtime.errors import InputError
from scenarios.peers.gaussian import windowed_gaussian
from scenarios.peers.half_space_trees import half_space_trees
from scenarios.peers.life import examples, features, held_out
from scenarios.peers.life_linear import LinearLife
from scenarios.peers.life_trees import TreeLife
from scenarios.peers.pca import pca
from train.data.cmapss import Engine

DETECTORS = [windowed_gaussian, pca, half_space_trees]


def wave(samples: int = 1500, seed: int = 0) -> np.ndarray:
    noise = 0.1 * np.random.default_rng(seed).standard_normal(samples)
    return (np.sin(2 * np.pi * np.arange(samples) / 48) + noise).astype(np.float32)


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_spike_has_one_of_the_highest_scores(detector):
    values = wave()
    values[1200] = 6.0
    scores = detector(values)
    assert scores.shape == values.shape
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert scores[1200:1240].max() == scores[500:].max()


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_score_knows_nothing_of_later_samples(detector):
    values = wave()
    np.testing.assert_array_equal(
        detector(values)[:1000], detector(np.append(values[:1000], 100 * values[1000:]))[:1000]
    )


@pytest.mark.parametrize("detector", DETECTORS)
@pytest.mark.parametrize("values", [np.zeros(600), np.array([]), np.full(600, np.nan), np.array([1.0])])
def test_a_series_without_news_has_finite_scores(detector, values):
    scores = detector(values.astype(np.float32))
    assert scores.shape == values.shape
    assert np.isfinite(scores).all()


def test_the_gaussian_window_moves_in_steps():
    scores = windowed_gaussian(np.repeat([0.0, 1.0], 30), window=10, step=5)
    assert scores[0] == 0
    assert scores[9] == 0.5
    assert scores[34] == 1.0  # the window still holds nothing but zeros
    assert 0.5 < scores[36] < 1.0


@pytest.mark.skipif(not os.environ.get("TINYRNN_DATA"), reason="needs the real recordings: set TINYRNN_DATA")
def test_windowed_gaussian_gives_the_scores_that_nab_publishes():
    from train.data.nab import Nab

    data = Nab()
    path = data.folder / "results" / "windowedGaussian.npz"
    if not path.exists():
        pytest.skip("this copy of NAB has the results in another form")
    with np.load(path) as published:
        for file in ("realKnownCause/machine_temperature_system_failure.csv", "realTraffic/speed_7578.csv"):
            np.testing.assert_allclose(windowed_gaussian(data.series(file).values[:, 0]), published[file], atol=1e-4)


def test_components_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="components of 32 samples from 10 to 2000 windows"):
        pca(wave(), warm_up=10)


def engine(number: int, cycles: int, seed: int) -> Engine:
    generator = np.random.default_rng(seed)
    left = np.arange(cycles - 1, -1, -1)
    wear = np.exp(-left / 40)[:, None] * np.array([1.0, -2.0, 0.0])
    return Engine(number, (wear + 0.02 * generator.standard_normal((cycles, 3))).astype(np.float32), 0)


FLEET = [engine(number, 60 + 7 * number, number) for number in range(12)]


def test_features_are_where_sensors_stand_and_where_they_go():
    rows = np.stack([np.arange(50.0), -3 * np.arange(50.0)], axis=1).astype(np.float32)
    np.testing.assert_allclose(features(rows, 11), [44, -132, 1, -3, 50], rtol=1e-6)
    with pytest.raises(InputError, match="1 cycles show no slope"):
        features(rows[:1], 11)


def test_examples_reach_from_the_first_full_window_to_the_failure_and_are_capped():
    inputs, targets = examples(FLEET[:1], window=30, cap=25)
    assert inputs.shape == (31, 7)
    assert targets[0] == 25
    assert targets[-1] == 0
    learn, choose = held_out(FLEET)
    assert [one.number for one in choose] == [0, 5, 10]
    assert len(learn) == 9


@pytest.mark.parametrize("peer", [LinearLife(cap=50), TreeLife(cap=50, iterations=60)], ids=lambda peer: peer.name)
def test_estimators_of_life_learn_the_wear(peer):
    estimate = peer.fit(FLEET)
    fresh = engine(99, 100, seed=99)
    near, far = estimate(fresh.values[:90]), estimate(fresh.values[:40])
    assert near == pytest.approx(10, abs=6)
    assert 35 <= far <= 50
