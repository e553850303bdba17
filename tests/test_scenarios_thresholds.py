"""Thresholds miss no more validation words than they may, and raise as few alarms as that allows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="building needs torch")

import torch

from scenarios import thresholds as module
from scenarios.scenario import Smooth
from scenarios.thresholds import GRID, cheapest, choose_thresholds
from train.batches import FeatureSet, FrameView

LABELS = ("yes", "no", "_unknown_", "_silence_")


def peaks(*values):
    return np.array(values, np.float32)


def random_peaks(count, level, seed):
    return np.random.default_rng(seed).normal(level, 0.15, count).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("most_missed", [0.0, 0.04, 0.2])
@pytest.mark.parametrize("count", [20, 500])
def test_no_more_words_are_missed_than_may_be_and_what_may_be_is_used(count, most_missed):
    own = [random_peaks(count, level, 1) for level in (0.7, 0.8)]
    others = [random_peaks(2000, 0.4, seed) for seed in (3, 4)]
    chosen = cheapest(own, others, most_missed)
    missed = sum(int((clips < at).sum()) for clips, at in zip(own, chosen, strict=True))
    assert missed <= most_missed * 2 * count
    if count > 100:
        assert missed >= (most_missed - 0.03) * 2 * count, "alarms are paid for with misses"


def test_no_other_thresholds_with_as_few_misses_raise_fewer_alarms():
    own = [random_peaks(300, level, seed) for level, seed in ((0.6, 1), (0.85, 2))]
    others = [random_peaks(1000, level, seed) for level, seed in ((0.5, 3), (0.3, 4))]

    def counted(at):
        missed = sum(int((clips < t).sum()) for clips, t in zip(own, at, strict=True))
        return missed, sum(int((clips >= t).sum()) for clips, t in zip(others, at, strict=True))

    missed, alarms = counted(cheapest(own, others, 0.05))
    rivals = [counted((first, second)) for first in GRID for second in GRID]
    assert min(other for lost, other in rivals if lost <= missed) == alarms


def test_a_word_that_is_easily_mistaken_gives_up_more_of_its_own():
    own = [random_peaks(400, 0.7, 1), random_peaks(400, 0.7, 2)]
    others = [random_peaks(400, 0.6, 3), random_peaks(400, 0.1, 4)]
    mistaken, alone = cheapest(own, others, 0.05)
    assert mistaken > alone


def test_where_nothing_raises_an_alarm_a_threshold_is_as_high_as_it_costs_nothing():
    assert cheapest([peaks(0.9, 0.8)], [peaks()], 0.0) == [0.8]


def test_words_that_are_hardly_ever_sure_get_the_lowest_threshold():
    assert cheapest([peaks(0.01, 0.01)], [peaks(0.9, 0.9)], 0.0) == [GRID[0]]


class FirstFeatures(torch.nn.Module):
    """A student whose logits are its first features."""

    def forward(self, frames):
        return frames[:, :, : len(LABELS)]


def clips(logits, labels, whole=None):
    """Clips on which the student above says these logits, (clips, labels), at every step."""
    vectors = np.repeat(np.asarray(logits, np.float16)[:, None], 168, axis=1)
    marks = np.zeros(len(labels), bool) if whole is None else np.array(whole)
    return FeatureSet(vectors, np.array(labels), marks, tails=np.zeros(len(labels), np.int64))


def test_alarms_are_other_words_and_recordings_without_words_but_never_the_words(monkeypatch):
    loud, quiet = [9.0, 0, 0, 0], [-9.0, 0, 0, 0]
    said = clips([[2.0, 0, 0, 0], [4.0, 0, 0, 0], [0, 9.0, 0, 0]], [0, 0, 1])
    monkeypatch.setattr(module, "features", lambda trainings, split: {"validation": (None, said)}[split])

    def chosen(*others, most_missed=0.34):
        made = SimpleNamespace(
            validation_copies=[None, clips(*zip(*[(o[0], o[1]) for o in others], strict=True), [o[2] for o in others])],
            scenario=SimpleNamespace(decoder=Smooth(most_missed=most_missed), window_steps=10),
            view=FrameView(1, 3),
            hard_loss=SimpleNamespace(clip_steps=32),
            words=[0, 1],
            labels=LABELS,
        )
        return choose_thresholds(FirstFeatures(), made)

    low = chosen((quiet, 2, False), (loud, 0, False))
    assert set(low) == {"yes", "no"}
    middling = [3.0, 0, 0, 0]
    for alarm in ((middling, 2, False), (middling, 0, True), (middling, 3, True)):
        assert chosen((quiet, 2, False), alarm)["yes"] > low["yes"]
    assert chosen((quiet, 2, False), (middling, 0, False)) == low
