"""Half-space trees (Tan, Ting and Liu, IJCAI 2011) as river has them: an isolation forest that learns as it goes."""

from __future__ import annotations

import numpy as np

from scenarios.peers.peer import hold


def half_space_trees(
    values: np.ndarray, trees: int = 25, height: int = 8, window: int = 250, lags: int = 3, seed: int = 42
) -> np.ndarray:
    """Values (samples,) to scores 0..1, each given before its sample is learned.

    A sample and the `lags` before it are the features, scaled by the smallest and largest value so far.
    """
    from river.anomaly import HalfSpaceTrees

    model = HalfSpaceTrees(n_trees=trees, height=height, window_size=window, seed=seed)
    held = hold(values[:, None])[:, 0].astype(np.float64)
    padded = np.concatenate((np.repeat(held[:1], lags), held))
    low, high = np.minimum.accumulate(held), np.maximum.accumulate(held)
    spread = np.where(high > low, high - low, 1.0)
    scores = np.zeros(len(held))
    for at in range(len(held)):
        features = dict(enumerate(((padded[at : at + lags + 1] - low[at]) / spread[at]).tolist()))
        scores[at] = model.score_one(features)
        model.learn_one(features)
    return scores
