"""What a model without memory is told of an engine: where each sensor stands, and where it is going."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data.cmapss import Engine

Estimate = Callable[[Float32], float]
"""An engine's rows so far (cycles, channels) to the cycles it has left."""


class LifePeer(Protocol):
    """An estimator of remaining life and its settings."""

    @property
    def name(self) -> str:
        """In the table."""

    def fit(self, engines: Sequence[Engine]) -> Estimate:
        """Learn from engines that ran until they failed; choices are made on some of them, left out meanwhile."""


def features(rows: Float32, window: int) -> np.ndarray:
    """Mean and slope of each channel over the newest `window` rows (all while they are fewer), and the cycle count."""
    if len(rows) < 2:
        raise InputError(f"{len(rows)} cycles show no slope: expected at least 2 of an engine.")
    newest = rows[-window:].astype(np.float64)
    time = np.arange(len(newest)) - (len(newest) - 1) / 2
    return np.concatenate((newest.mean(axis=0), time @ newest / (time @ time), [len(rows)]))


def examples(engines: Sequence[Engine], window: int, cap: int, step: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """(examples, features) and (examples,) cycles left, at most `cap`, from the first full window of each engine on."""
    inputs, targets = [], []
    for engine in engines:
        left = engine.remaining().clip(max=cap)
        for cycles in range(min(window, len(engine.values)), len(engine.values) + 1, step):
            inputs.append(features(engine.values[:cycles], window))
            targets.append(left[cycles - 1])
    return np.array(inputs), np.array(targets, np.float64)


def held_out(engines: Sequence[Engine], every: int = 5) -> tuple[list[Engine], list[Engine]]:
    """Engines to learn from, and each `every`-th to choose by: whole engines, for their rows resemble each other."""
    return (
        [engine for at, engine in enumerate(engines) if at % every],
        [engine for at, engine in enumerate(engines) if not at % every],
    )
