"""Principal components: what the last few samples look like that no recent stretch of the series looked like."""

from __future__ import annotations

import numpy as np

from device_runtime.errors import InputError
from scenarios.peers.peer import hold


def pca(
    values: np.ndarray, width: int = 32, kept: float = 0.95, memory: int = 2000, refit: int = 250, warm_up: int = 150
) -> np.ndarray:
    """Values (samples,) to scores 0..1, each from samples up to its own.

    The newest `width` samples are held against the components that explain the share `kept` of the last `memory`
    windows, which are found anew every `refit` samples. An error that is as large as the 99th of a hundred in memory
    scores 0.5; before `warm_up` windows are known, all is normal.
    """
    if width < 2 or warm_up < width or refit < 1 or memory < warm_up or not 0 < kept < 1:
        raise InputError(
            f"components of {width} samples from {warm_up} to {memory} windows, every {refit}, to explain {kept}: "
            "expected at least 2 samples, as many windows or more, and a share between 0 and 1."
        )
    held = hold(values[:, None])[:, 0].astype(np.float64)
    scores = np.zeros(len(held))
    if len(held) < width:
        return scores
    windows = np.lib.stride_tricks.sliding_window_view(held, width)  # row k ends with sample k + width - 1
    for first in range(warm_up, len(windows), refit):
        known = windows[max(0, first - memory) : first]
        mean = known.mean(axis=0)
        values_of, vectors = np.linalg.eigh(np.cov(known.T))
        share = np.cumsum(values_of[::-1]) / max(values_of.sum(), np.finfo(float).tiny)
        components = vectors[:, ::-1][:, : int(np.searchsorted(share, kept)) + 1]
        usual = float(np.quantile(_errors(known, mean, components), 0.99))
        errors = _errors(windows[first : first + refit], mean, components)
        at = first + width - 1
        scores[at : at + len(errors)] = errors / (errors + max(usual, 1e-9 * (1 + np.abs(mean).max())))
    return scores


def _errors(windows: np.ndarray, mean: np.ndarray, components: np.ndarray) -> np.ndarray:
    """(windows,): the length of what the components do not explain."""
    moved = windows - mean
    lengths: np.ndarray = np.linalg.norm(moved - moved @ components @ components.T, axis=1)
    return lengths
