"""Errors count every known target once, and a bootstrap of blocks tells better from lucky."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("rich", reason="series are part of the data sets, which need the workstation's packages")

from device_runtime.errors import InputError
from train.bootstrap import paired_difference
from train.data.series import Windows
from train.forecast_metrics import coverage, forecast_errors


def windows(count: int = 7, horizon: int = 3, channels: int = 2) -> Windows:
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((count, 5, channels)).astype(np.float32)
    targets = generator.standard_normal((count, horizon, channels)).astype(np.float32)
    return Windows(inputs, targets, np.arange(count))


def last(inputs):
    return np.repeat(inputs[:, -1:], 3, axis=1)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_errors_are_means_over_every_window_step_and_channel(batch):
    given = windows()
    errors = forecast_errors(last, given, batch)
    gap = last(given.inputs).astype(np.float64) - given.targets
    assert errors.mse == pytest.approx((gap**2).mean())
    assert errors.mae == pytest.approx(np.abs(gap).mean())
    np.testing.assert_allclose(errors.squared, (gap**2).mean(axis=1))
    np.testing.assert_allclose(errors.absolute_by_step, np.abs(gap).mean(axis=0))


def test_a_target_that_was_not_measured_counts_nowhere():
    given = windows()
    targets = given.targets.copy()
    targets[0, :, 1] = np.nan
    targets[3, 2, 0] = np.nan
    errors = forecast_errors(last, Windows(given.inputs, targets, given.origins), 2)
    gap = last(given.inputs).astype(np.float64) - targets
    assert errors.mse == pytest.approx(np.nanmean(gap**2))
    assert errors.mae == pytest.approx(np.nanmean(np.abs(gap)))
    assert np.isnan(errors.squared[0, 1])
    assert errors.known.sum() == np.isfinite(targets).sum()
    np.testing.assert_allclose(errors.squared_by_step, np.nanmean(gap**2, axis=0))


def test_a_forecast_of_another_shape_or_without_numbers_is_refused():
    with pytest.raises(InputError, match=r"a forecast has the shape \(7, 5, 2\), expected \(7, 3, 2\)"):
        forecast_errors(lambda inputs: inputs, windows())
    with pytest.raises(InputError, match="a forecast is no finite number"):
        forecast_errors(lambda inputs: last(inputs) * np.nan, windows())


def test_coverage_counts_both_ends_and_skips_what_is_not_known():
    targets = np.array([[0, 1, np.nan], [5, 1, 2]], np.float32)
    low, high = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    assert coverage(low, high, targets) == pytest.approx(3 / 5)
    np.testing.assert_allclose(coverage(low, high, targets, axis=(0,)), [0.5, 1.0, 0.0])
    assert np.isnan(coverage(low, high, np.full((2, 3), np.nan, np.float32)))


def overlapping(generator: np.random.Generator, count: int, horizon: int) -> np.ndarray:
    """Differences of neighbouring windows, as alike as windows of `horizon` samples are; their true mean is 0."""
    return np.convolve(generator.standard_normal(count + horizon - 1), np.ones(horizon) / horizon, "valid")


def share_of_intervals_with_the_truth(block: int, horizon: int = 20, count: int = 1200, runs: int = 150) -> float:
    generator = np.random.default_rng(5)
    hits = 0
    for run in range(runs):
        gap = overlapping(generator, count, horizon)
        difference = paired_difference(gap, np.zeros(count), block, resamples=400, seed=run)
        hits += difference.low <= 0 <= difference.high
    return hits / runs


def test_blocks_as_long_as_the_overlap_hold_the_truth_nineteen_times_of_twenty():
    assert 0.88 <= share_of_intervals_with_the_truth(block=60) <= 0.99


def test_single_windows_would_be_far_too_sure():
    assert share_of_intervals_with_the_truth(block=1) < 0.5


def test_independent_windows_give_the_classical_interval():
    gap = np.random.default_rng(1).standard_normal(2000)
    difference = paired_difference(gap, np.zeros(2000), block=1)
    half = 1.96 * gap.std() / np.sqrt(2000)
    assert difference.mean == pytest.approx(gap.mean())
    assert [difference.low, difference.high] == pytest.approx([gap.mean() - half, gap.mean() + half], abs=0.1 * half)


def test_a_model_that_is_better_in_every_week_is_better_and_a_lucky_one_is_not():
    hard = np.abs(overlapping(np.random.default_rng(2), 2000, 50)) * 10
    noise = overlapping(np.random.default_rng(3), 2000, 50) * 0.2
    assert paired_difference(hard - 0.1 + 0.1 * noise, hard, 100).is_better
    assert paired_difference(hard, hard - 0.1, 100).is_worse
    undecided = paired_difference(hard + noise - noise.mean(), hard, 100)
    assert not undecided.is_better
    assert not undecided.is_worse


def test_channels_are_averaged_and_the_same_seed_gives_the_same_interval():
    first, second = np.random.default_rng(4).random((2, 300, 7))
    whole = paired_difference(first, second, 70)
    by_hand = paired_difference((first - second).mean(axis=1), np.zeros(300), 70)
    assert dataclasses.astuple(whole) == pytest.approx(dataclasses.astuple(by_hand))
    assert whole != paired_difference(first, second, 70, seed=1)
    assert whole.blocks == pytest.approx(300 / 70)
    nothing = paired_difference(first, first, 70)
    assert (nothing.mean, nothing.low, nothing.high) == (0, 0, 0)


def test_errors_that_cannot_be_paired_say_why():
    with pytest.raises(InputError, match=r"errors of \(5,\) and \(6,\) windows cannot be paired"):
        paired_difference(np.zeros(5), np.zeros(6), 2)
    with pytest.raises(InputError, match="a block of 6 windows does not fit into 5. Choose one of 1 to 5"):
        paired_difference(np.zeros(5), np.zeros(5), 6)
    with pytest.raises(InputError, match="an error is no finite number"):
        paired_difference(np.array([0, np.nan]), np.zeros(2), 1)
