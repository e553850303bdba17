"""Is one model better than another on the same windows, or did it only have the better weeks?

Neighbouring windows share nearly all of their samples, so that thousands of them are worth a few dozen. Whole blocks of
neighbours are drawn instead (Künsch 1989), around the end to the start (Politis and Romano 1992), and both models are
held against each other on the same blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device_runtime.errors import InputError


@dataclass(frozen=True)
class Difference:
    """How much larger the error of the first model is than the second's; below zero the first is better."""

    mean: float
    low: float
    high: float
    blocks: float
    """How many blocks the windows make: with fewer than about five, the interval is too narrow rather than too wide."""

    @property
    def is_better(self) -> bool:
        """The first model is better beyond the luck of the weeks."""
        return self.high < 0

    @property
    def is_worse(self) -> bool:
        """The first model is worse beyond it."""
        return self.low > 0


def paired_difference(
    first: np.ndarray, second: np.ndarray, block: int, level: float = 0.95, resamples: int = 5000, seed: int = 0
) -> Difference:
    """Of two models' errors on the same windows, in the order of time: (windows,) or (windows, channels).

    `block` is a number of windows at least as large as the horizon, better the look-back: what two windows share.
    """
    if first.shape != second.shape:
        raise InputError(
            f"errors of {first.shape} and {second.shape} windows cannot be paired: expected the same windows."
        )
    gap = np.asarray(first, np.float64) - second
    gap = gap.reshape(len(gap), -1).mean(axis=1)
    if not 1 <= block <= len(gap):
        raise InputError(f"a block of {block} windows does not fit into {len(gap)}. Choose one of 1 to {len(gap)}.")
    if not np.isfinite(gap).all():
        raise InputError("an error is no finite number: leave out windows without a known target, for both models.")
    whole, rest = divmod(len(gap), block)
    generator = np.random.default_rng(seed)
    sums = _block_sums(gap, block)[generator.integers(len(gap), size=(resamples, whole))].sum(axis=1)
    if rest:
        sums += _block_sums(gap, rest)[generator.integers(len(gap), size=resamples)]
    low, high = np.quantile(sums / len(gap), [(1 - level) / 2, (1 + level) / 2])
    return Difference(float(gap.mean()), float(low), float(high), len(gap) / block)


def _block_sums(values: np.ndarray, length: int) -> np.ndarray:
    """Of the `length` values from each position on, around the end: (len(values),)."""
    running = np.concatenate(([0.0], np.cumsum(np.concatenate((values, values[: length - 1])))))
    sums: np.ndarray = running[length:] - running[:-length]
    return sums
