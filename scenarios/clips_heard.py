"""Clips of a split as `tinyrnn evaluate` streams them, as feature vectors: for models that are not exported."""

from __future__ import annotations

import numpy as np

from device_runtime.clips import in_a_room, with_prerolls
from device_runtime.evaluate import is_word
from device_runtime.recordings import Recording
from scenarios.training import Trainings
from train.augment import PREROLL, SAMPLE_RATE_HZ
from train.batches import FeatureSet
from train.features import feature_vectors, one_second


def words(trainings: Trainings, split: str) -> list[Recording]:
    """The recordings of the words in an official split."""
    return [r for r in trainings.scenario.mix.words.recordings(split) if is_word(r.label)]


def features(trainings: Trainings, split: str) -> tuple[FeatureSet, FeatureSet]:
    """The words from a cold start, and after the pre-roll of the evaluation; quiet is behind both."""
    where = {label: i for i, label in enumerate(trainings.labels)}
    recordings = words(trainings, split)
    order = np.random.default_rng(0).permutation(len(recordings))  # as `evaluate` does: the same pre-rolls
    labelled = [(recordings[i], recordings[i].label) for i in order]
    cold, warm, labels = [], [], []
    behind = round(trainings.scenario.decoder.window_ms * SAMPLE_RATE_HZ / 1000)
    for _, truth, audio, before in with_prerolls(labelled, SAMPLE_RATE_HZ):
        clip = in_a_room(one_second(audio), SAMPLE_RATE_HZ, behind)
        cold.append(feature_vectors(clip).astype(np.float16))
        before = np.pad(before, (PREROLL - len(before), 0))  # some recordings are shorter than the pre-roll
        warm.append(feature_vectors(np.concatenate([before, clip])).astype(np.float16))
        labels.append(where[truth])
    said = np.array(labels, np.int64)
    rest = np.zeros(len(said), np.bool_), np.zeros(len(said), np.int64)
    return FeatureSet(np.stack(cold), said, *rest), FeatureSet(np.stack(warm), said, *rest)
