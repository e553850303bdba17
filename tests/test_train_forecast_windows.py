"""Windows of a series, their loss and a teacher's answers: no window left out, nothing of the future, no copy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch
from torch import nn

from device_runtime.errors import InputError
from train.data.series import Series, Splits
from train.forecast_augment import AS_MEASURED, Swing
from train.forecast_ensemble import Ensemble
from train.forecast_teaching import taught
from train.forecast_windows import epochs, forecast_windows
from train.forecaster import Forecaster, ForecasterConfig, by_quantile
from train.loop import Schedule, fit
from train.measure import ERROR
from train.quantile_loss import QuantileLoss, errors

CONFIG = ForecasterConfig(segment=4, segments=3, horizon=8, hidden=8, dropout=0.0)
SPLITS = Splits(100, 140, 180)


def day_and_night(channels: int = 2, samples: int = 180) -> Series:
    """A rhythm of 8 samples with some noise, already standardised."""
    at = np.arange(samples)[:, None] + 3 * np.arange(channels)
    values = np.sin(2 * np.pi * at / 8) + 0.1 * np.random.default_rng(1).standard_normal((samples, channels))
    times = np.datetime64("2026-01-01", "s") + np.arange(samples) * np.timedelta64(3600, "s")
    names = tuple(f"c{i}" for i in range(channels))
    return Series("rhythm", names, 3600.0, times, values.astype(np.float32), SPLITS)


def test_every_window_of_every_channel_is_there_once_and_measured_from_its_last_value():
    series = day_and_night()
    windows = forecast_windows(series, "validation", CONFIG)
    expected = series.windows("validation", 12, 8)
    assert len(windows) == 2 * len(expected)
    frames, targets = windows[torch.arange(len(windows))]
    level = expected.inputs[:, -1:]
    inputs, ahead = (part.transpose(2, 0, 1) for part in (expected.inputs - level, expected.targets - level))
    np.testing.assert_array_equal(frames.numpy(), inputs.reshape(-1, 3, 4))
    np.testing.assert_array_equal(targets.numpy(), ahead.reshape(-1, 8))


def test_windows_cost_no_memory_of_their_own():
    windows = forecast_windows(day_and_night(), "train", CONFIG)
    assert windows.values.numel() == 2 * 100


def test_the_code_says_which_channel_it_is():
    windows = forecast_windows(day_and_night(), "train", dataclasses.replace(CONFIG, codes=2))
    frames = windows[torch.tensor([0, len(windows) - 1])][0]
    assert frames[0, :, 4:].tolist() == [[1, 0]] * 3
    assert frames[1, :, 4:].tolist() == [[0, 1]] * 3


def test_a_gap_holds_the_last_reading_and_is_no_target():
    series = day_and_night(channels=1)
    whole = forecast_windows(series, "train", CONFIG)
    values = series.values.copy()
    values[[0, 50, 51]] = np.nan
    windows = forecast_windows(dataclasses.replace(series, values=values), "train", CONFIG)
    assert windows.values[0, 49] == windows.values[0, 50] == windows.values[0, 51]
    assert windows.values[0, 0] == 0
    targets = windows[torch.tensor([36])][1]  # 36..47 are looked back on, 48..55 are ahead
    assert targets.isnan()[0].tolist() == [False, False, True, True, False, False, False, False]
    assert not windows[torch.arange(len(windows))][0].isnan().any()
    assert not whole[torch.tensor([36])][1].isnan().any()


def test_the_loss_is_the_pinball_loss_and_leaves_out_what_was_not_measured():
    model = Forecaster(CONFIG)
    frames, targets = torch.randn(2, 3, 4), torch.randn(2, 8)
    lines = by_quantile(model(frames), CONFIG)
    by_hand = sum(
        weight * 2 * torch.maximum(q * (targets - line), (q - 1) * (targets - line)).mean()
        for q, weight, line in zip(CONFIG.quantiles, (0.5, 1.0, 0.5), lines.unbind(dim=1), strict=True)
    )
    torch.testing.assert_close(QuantileLoss(CONFIG)(model, (frames, targets)), by_hand)
    torch.testing.assert_close(
        QuantileLoss(CONFIG, tails=0)(model, (frames, targets)), (targets - lines[:, 1]).abs().mean()
    )
    both = QuantileLoss(CONFIG, square=0.5)(model, (frames, targets))
    torch.testing.assert_close(both, by_hand + 0.5 * (targets - lines[:, 1]).square().mean())
    holed = targets.clone()
    holed[1] = torch.nan
    loss = QuantileLoss(CONFIG, square=0.5)(model, (frames, holed))
    torch.testing.assert_close(loss, QuantileLoss(CONFIG, square=0.5)(model, (frames[:1], targets[:1])))
    loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_a_student_that_says_what_its_teacher_says_has_no_soft_loss(tmp_path):
    windows = forecast_windows(day_and_night(), "train", CONFIG)
    teachers = [Forecaster(CONFIG).eval() for _ in range(2)]
    told = taught(windows, Ensemble(teachers), tmp_path)
    frames, _, answers = told[torch.arange(len(told))]
    with torch.no_grad():
        mean = (by_quantile(teachers[0](frames), CONFIG) + by_quantile(teachers[1](frames), CONFIG)) / 2
    torch.testing.assert_close(answers, mean, atol=0.03, rtol=0.03)  # kept in float16, asked in bfloat16
    alone = taught(windows, Ensemble(teachers[:1]), tmp_path)
    loss = QuantileLoss(CONFIG, soft=1.0)(teachers[0], alone[torch.arange(len(alone))])
    assert loss.item() < 0.02
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_teachers_of_other_kinds_see_the_same_windows_in_their_own_way(tmp_path):
    windows = forecast_windows(day_and_night(), "train", CONFIG)
    kind = dataclasses.replace(CONFIG, segment=2, segments=6, codes=2, linear=False)
    teacher = Forecaster(kind).eval()
    own = forecast_windows(day_and_night(), "train", kind)
    with torch.no_grad():
        expected = by_quantile(teacher(own[torch.arange(len(own))][0]), kind)
    torch.testing.assert_close(
        taught(windows, Ensemble([teacher]), tmp_path).taught.float(), expected, atol=0.03, rtol=0.03
    )


@pytest.mark.parametrize("other", [{"horizon": 4}, {"segments": 2}, {"quantiles": (0.5,)}], ids=str)
def test_a_teacher_of_another_question_is_refused(tmp_path, other):
    windows = forecast_windows(day_and_night(), "train", CONFIG)
    with pytest.raises(InputError, match=r"a teacher's \w+ is .*, its student's .*\. Give both the same"):
        taught(windows, Ensemble([Forecaster(dataclasses.replace(CONFIG, **other))]), tmp_path)


def test_the_same_teachers_are_asked_once(tmp_path):
    windows = forecast_windows(day_and_night(), "train", CONFIG)
    teacher = Forecaster(CONFIG).eval()
    taught(windows, Ensemble([teacher]), tmp_path)
    teacher.forward = None
    assert taught(windows, Ensemble([teacher]), tmp_path).taught.shape == (len(windows), 3, 8)


def test_a_forecaster_learns_a_rhythm():
    torch.manual_seed(1)
    series = day_and_night()
    training, validation = (forecast_windows(series, split, CONFIG) for split in ("train", "validation"))
    model = Forecaster(CONFIG)
    history = fit(
        model,
        epochs(training, 16),
        QuantileLoss(CONFIG),
        lambda model: errors(model, validation).mae,
        Schedule(epochs=20, learning_rate=0.02, validate_every=10),
        measure=ERROR,
    )
    assert history.validation[-1] < 0.2
    found = errors(model, forecast_windows(series, "test", CONFIG))
    assert found.mae < 0.2
    assert found.mse < 0.06


def test_errors_are_means_over_all_windows_and_what_was_measured():
    class Still(nn.Module):
        def forward(self, frames):
            return torch.zeros(len(frames), 2 * 3 * 4)

    series = day_and_night(channels=1)
    series.values[145] = np.nan
    windows = forecast_windows(series, "test", CONFIG)
    targets = windows[torch.arange(len(windows))][1]
    found = errors(Still(), windows)
    known = targets[~targets.isnan()]
    assert found.mae == pytest.approx(float(known.abs().mean()), rel=1e-6)
    assert found.mse == pytest.approx(float(known.square().mean()), rel=1e-6)


def test_an_epoch_draws_its_share_of_the_windows_without_repeating_one():
    windows = forecast_windows(day_and_night(), "train", CONFIG)
    half = epochs(windows, 16, share=0.5)
    batches = list(half.draw(torch.Generator().manual_seed(1)))
    assert half.steps == len(batches) == len(windows) // 2 // 16
    assert len(torch.cat([targets for _, targets in batches]).unique(dim=0)) == 16 * half.steps


def test_a_window_swings_with_its_targets_and_its_teacher_but_not_its_code():
    frames, targets, told = torch.randn(64, 3, 6), torch.randn(64, 8), torch.randn(64, 3, 8).sort(dim=1).values
    got, ahead, answers = Swing(0.5, 0.5)((frames, targets, told), 4, torch.Generator().manual_seed(1))
    factor = ahead[:, :1] / targets[:, :1]
    assert 0.3 < (factor < 0).double().mean() < 0.7
    assert 0.3 < factor.abs().log().std() < 0.7
    torch.testing.assert_close(got[:, :, :4], frames[:, :, :4] * factor[:, :, None])
    torch.testing.assert_close(got[:, :, 4:], frames[:, :, 4:])
    torch.testing.assert_close(answers[:, 1], told[:, 1] * factor)
    assert (answers.diff(dim=1) >= 0).all(), "of a mirror image the highest quantile is the lowest"


def test_windows_as_measured_are_the_very_ones():
    frames, targets = torch.randn(5, 3, 6), torch.randn(5, 8)
    got = AS_MEASURED((frames, targets), 4, torch.Generator().manual_seed(1))
    assert torch.equal(got[0], frames)
    assert torch.equal(got[1], targets)
