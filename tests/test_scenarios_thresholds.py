"""Thresholds rise until the share of validation words that may be missed is missed, and no further."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="building needs torch")

import torch

from scenarios.scenario import Smooth
from scenarios.thresholds import HIGHEST, LOWEST, choose_thresholds
from train.batches import FeatureSet, FrameView
from train.metrics import clip_scores, in_batches

LABELS = ("yes", "no", "_unknown_", "_silence_")
CLIP_STEPS = 32


class FirstFeatures(torch.nn.Module):
    """A student whose logits are its first features."""

    def forward(self, frames):
        return frames[:, :, : len(LABELS)]


def trainings(logits, labels, whole=None, most_missed=0.04):
    """Validation clips on which the student above says these logits, (clips, labels), at every step."""
    vectors = np.repeat(np.asarray(logits, np.float16)[:, None], 168, axis=1)
    labels = np.array(labels)
    marks = np.zeros(len(labels), bool) if whole is None else np.array(whole)
    warm = FeatureSet(vectors, labels, marks, tails=np.zeros(len(labels), np.int64))
    return SimpleNamespace(
        validation_copies=[None, warm],
        scenario=SimpleNamespace(decoder=Smooth(most_missed=most_missed), window_steps=10),
        view=FrameView(1, 3),
        hard_loss=SimpleNamespace(clip_steps=CLIP_STEPS),
        words=[0, 1],
        labels=LABELS,
    )


def random_clips(count, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    logits = random.normal(0, 1, (count, len(LABELS)))
    logits[np.arange(count), labels] += 2
    return logits, labels


@pytest.mark.parametrize("most_missed", [0.0, 0.04, 0.2])
@pytest.mark.parametrize("count", [6, 50, 333])
def test_no_more_words_are_missed_than_may_be_and_hardly_fewer(count, most_missed):
    logits, labels = random_clips(count)
    made = trainings(logits, labels, most_missed=most_missed)
    thresholds = choose_thresholds(FirstFeatures(), made)
    peaks = clip_scores(in_batches(FirstFeatures(), made.validation_copies[1], made.view), 10, CLIP_STEPS).numpy()
    for word in (0, 1):
        own = peaks[labels == word, word]
        at = thresholds[LABELS[word]]
        if at > LOWEST:
            assert np.mean(own < at) <= most_missed
        if LOWEST < at < HIGHEST:
            assert np.mean(own < at + 0.002) + 1e-9 > most_missed - 1 / len(own), "it could be higher"


def test_only_words_get_a_threshold_and_each_its_own():
    logits, labels = random_clips(40)
    logits[labels == 1, 1] += 3
    thresholds = choose_thresholds(FirstFeatures(), trainings(logits, labels))
    assert set(thresholds) == {"yes", "no"}
    assert thresholds["no"] > thresholds["yes"]


def test_thresholds_stay_within_their_limits():
    sure, unsure = np.full((4, 4), [9.0, 0, 0, 0]), np.full((4, 4), [0, -9.0, 0, 0])
    thresholds = choose_thresholds(FirstFeatures(), trainings([*sure, *unsure], [0] * 4 + [1] * 4))
    assert thresholds == {"yes": HIGHEST, "no": LOWEST}


def test_a_word_without_validation_clips_gets_the_middle():
    thresholds = choose_thresholds(FirstFeatures(), trainings([[9.0, 0, 0, 0]], [0]))
    assert thresholds["no"] == 0.5


def test_recordings_without_words_are_no_clips_of_a_word():
    logits, labels = [[9.0, 0, 0, 0], [-9.0, 0, 0, 0]], [0, 0]
    assert choose_thresholds(FirstFeatures(), trainings(logits, labels, [False, True]))["yes"] == HIGHEST
