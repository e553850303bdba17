"""When a word counts as heard: one threshold for each word, chosen on validation data and never on the test."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from compress.qat import Int8Student
from scenarios.clips_heard import features
from scenarios.training import COLD_VECTORS, Trainings
from train import metrics
from train.batches import FeatureSet

GRID = np.round(np.arange(0.05, 0.975, 0.005), 3)
"""Thresholds to choose from, (settings,)."""

PRICES = np.geomspace(1e-4, 1e3, 141)
"""What one false alarm may cost, in missed words."""


def choose_thresholds(student: Int8Student, trainings: Trainings) -> dict[str, float]:
    """For each word the threshold at which all words together miss at most `most_missed` and raise the fewest alarms.

    Words are heard as in the evaluation, after another clip; alarms are clips of other words, and pieces of speech and
    noise. The student's scores are the bundle's, bit for bit.
    """
    window = trainings.scenario.window_steps
    said = features(trainings, "validation")[1]
    heard = _peaks(student, trainings, said, trainings.view.steps(COLD_VECTORS) + window)
    other = trainings.validation_copies[1]
    silent = other.whole | ~np.isin(other.labels, trainings.words)
    alarms = _peaks(student, trainings, other, trainings.hard_loss.clip_steps)[silent]
    own = [heard[said.labels == word, word] for word in trainings.words]
    chosen = cheapest(own, [alarms[:, word] for word in trainings.words], trainings.scenario.decoder.most_missed)
    return {trainings.labels[word]: at for word, at in zip(trainings.words, chosen, strict=True)}


def cheapest(
    own: list[npt.NDArray[np.float32]], others: list[npt.NDArray[np.float32]], most_missed: float
) -> list[float]:
    """One threshold for each word, from the peaks of its own clips and of all that is none of the words.

    All words pay the same price for an alarm, and the price rises until `most_missed` of the clips are missed: so a
    word that is easily mistaken gives up some of its own for those that are not.
    Where even that is too much, it is the lowest.
    """
    missed = np.array([(peaks[:, None] < GRID).sum(axis=0) for peaks in own])  # (words, settings)
    alarms = np.array([(peaks[:, None] >= GRID).sum(axis=0) for peaks in others])
    allowed = most_missed * sum(map(len, own))
    best = np.zeros(len(own), int)
    for price in PRICES:
        at = len(GRID) - 1 - (missed + price * alarms)[:, ::-1].argmin(axis=1)  # of equals the highest
        if missed[np.arange(len(own)), at].sum() <= allowed:
            best = at
    return [float(GRID[i]) for i in best]


def _peaks(student: Int8Student, trainings: Trainings, clips: FeatureSet, steps: int) -> npt.NDArray[np.float32]:
    """The highest smoothed score of each label in the last `steps` steps: (clips, labels)."""
    logits = metrics.in_batches(student, clips, trainings.view)
    return metrics.clip_scores(logits, trainings.scenario.window_steps, steps).numpy()
