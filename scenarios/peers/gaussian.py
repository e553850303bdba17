"""NAB's own simplest detector: how far out in a normal distribution of the recent past is this sample?

By the rules of NAB's windowedGaussian detector, whose published scores these reproduce.
"""

from __future__ import annotations

import math

import numpy as np

from scenarios.peers.peer import hold

SMALLEST = 1e-6
"""Stands for the deviation of a series that has not moved."""


def windowed_gaussian(values: np.ndarray, window: int = 6400, step: int = 100) -> np.ndarray:
    """Values (samples,) to scores 0..1: one minus the tail of the normal distribution beyond the sample.

    Its mean and deviation come from the samples before: all of them while they are fewer than `window`, then the newest
    `window`, moved on by `step` samples at a time.
    """
    held = hold(values[:, None])[:, 0].astype(np.float64)
    scores = np.zeros(len(held))
    first, last = 0, 0  # what the distribution is made of
    mean, std = 0.0, 1.0
    for at, value in enumerate(held):
        if last:
            scores[at] = 1 - 0.5 * math.erfc(abs(value - mean) / std / math.sqrt(2))
        if at < window or at + 1 - last == step:
            last = at + 1
            first = max(0, last - window)
            mean, std = float(held[first:last].mean()), float(held[first:last].std()) or SMALLEST
    return scores
