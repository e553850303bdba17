"""When a word counts as heard: one threshold for each word, chosen on validation data and never on the test."""

from __future__ import annotations

import math

import numpy as np
import torch

from compress.qat import Int8Student
from scenarios.training import Trainings
from train import metrics

LOWEST, HIGHEST = 0.2, 0.97


def choose_thresholds(student: Int8Student, trainings: Trainings) -> dict[str, float]:
    """For each word the highest threshold (of three digits) that misses at most `most_missed` of its validation clips.

    Warm clips are what a device hears; the student's scores are the bundle's, bit for bit.
    """
    warm = trainings.validation_copies[1]
    decoder = trainings.scenario.decoder
    with torch.no_grad():
        logits = metrics.in_batches(student, warm, trainings.view)
    peaks = metrics.clip_scores(logits, trainings.scenario.window_steps, trainings.hard_loss.clip_steps).numpy()
    thresholds = {}
    for word in trainings.words:
        own = peaks[(warm.labels == word) & ~warm.whole, word]
        at = float(np.quantile(own, decoder.most_missed, method="lower")) if len(own) else 0.5
        thresholds[trainings.labels[word]] = math.floor(1000 * min(max(at, LOWEST), HIGHEST)) / 1000  # never one higher
    return thresholds
