"""How far forecasts are from what came: by window, step and channel, and how often a band held it.

The same numbers for a teacher, a student and every peer; what a bundle scores is measured by `device_runtime.evaluate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data.series import Windows

Forecaster = Callable[[Float32], Float32]
"""Inputs (windows, look_back, channels) to forecasts (windows, horizon, channels)."""


@dataclass(frozen=True)
class ForecastErrors:
    """Squared and absolute errors; a target that was not measured (NaN) counts nowhere."""

    squared: np.ndarray  # (windows, channels) float64, mean over the horizon; NaN where no target is known
    absolute: np.ndarray  # (windows, channels)
    squared_by_step: np.ndarray  # (horizon, channels), mean over the windows
    absolute_by_step: np.ndarray  # (horizon, channels)
    known: np.ndarray  # (windows, channels) how many of the horizon's targets are known

    @property
    def mse(self) -> float:
        """Over all windows, steps and channels."""
        return self._mean(self.squared)

    @property
    def mae(self) -> float:
        """Over all windows, steps and channels."""
        return self._mean(self.absolute)

    def _mean(self, by_window: np.ndarray) -> float:
        return float(np.nansum(by_window * self.known) / self.known.sum())


def forecast_errors(forecast: Forecaster, windows: Windows, batch: int = 512) -> ForecastErrors:
    """Of every window, `batch` of them at a time."""
    count, horizon, channels = windows.targets.shape
    by_window = np.full((2, count, channels), np.nan)
    by_step = np.zeros((2, horizon, channels))
    known = np.zeros((count, channels), np.int64)
    known_by_step = np.zeros((horizon, channels), np.int64)
    for at in range(0, count, batch):
        here = slice(at, min(at + batch, count))
        targets = windows.targets[here]
        given = forecast(windows.inputs[here])
        if given.shape != targets.shape:
            raise InputError(f"a forecast has the shape {given.shape}, expected {targets.shape}.")
        if not np.isfinite(given).all():
            raise InputError("a forecast is no finite number. Fill the gaps of the inputs first.")
        there = np.isfinite(targets)
        errors = np.where(there, given.astype(np.float64) - targets, 0.0)
        known[here] = there.sum(axis=1)
        known_by_step += there.sum(axis=0)
        for sums, steps, each in zip(by_window, by_step, (errors**2, np.abs(errors)), strict=True):
            steps += each.sum(axis=0)
            np.divide(each.sum(axis=1), known[here], out=sums[here], where=known[here] > 0)
    by_step = np.divide(by_step, known_by_step, out=np.full_like(by_step, np.nan), where=known_by_step > 0)
    return ForecastErrors(by_window[0], by_window[1], by_step[0], by_step[1], known)


def coverage(low: Float32, high: Float32, targets: Float32, axis: tuple[int, ...] | None = None) -> np.ndarray:
    """Share of the known targets within the band, both ends in it; over `axis`, else over everything."""
    known = np.isfinite(targets)
    inside = known & (low <= targets) & (targets <= high)
    counts: np.ndarray = np.asarray(known.sum(axis=axis), np.float64)
    return np.divide(inside.sum(axis=axis), counts, out=np.full_like(counts, np.nan), where=counts > 0)
