"""One matrix from the look-back to the horizon, for all channels, in closed form.

NLinear (Zeng et al., arXiv:2205.13504) is this map on what the window is above its last value, trained by gradients; a
ridge regression is its best fit at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device_runtime.arithmetic import Float32
from train.data.series import Series, Windows
from train.forecast_metrics import Forecaster, forecast_errors

ROWS = 8192


@dataclass(frozen=True)
class LinearMap:
    """Ridge regression from (window - last value) to (horizon - last value)."""

    strengths: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0)
    """Of the regularisation, in mean variances of an input; validation chooses."""

    name: str = "linear map (ridge)"

    def fit(self, series: Series, look_back: int, horizon: int) -> Forecaster:
        """By one eigendecomposition; each strength costs no more than a forecast of the validation windows."""
        inner, outer = _moments(series.windows("train", look_back, horizon))
        values, vectors = np.linalg.eigh(inner[:-1, :-1])
        turned = vectors.T @ outer[:-1]
        validation = series.windows("validation", look_back, horizon)
        scale = float(values.mean())
        maps = [
            _Map((vectors @ (turned / (values.clip(0) + strength * scale)[:, None])).astype(np.float32))
            for strength in self.strengths
        ]
        return min(maps, key=lambda forecast: forecast_errors(forecast, validation).mse)


@dataclass(frozen=True)
class _Map:
    weight: Float32  # (look_back - 1, horizon)

    def __call__(self, inputs: Float32) -> Float32:
        last = inputs[:, -1:]
        moved = (inputs - last)[:, :-1].swapaxes(1, 2)
        return (moved @ self.weight).swapaxes(1, 2).astype(np.float32) + last


def _moments(windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Inputs with inputs (look_back, look_back) and with targets (look_back, horizon), all above the last value."""
    look_back, horizon = windows.inputs.shape[1], windows.targets.shape[1]
    inner, outer = np.zeros((look_back, look_back)), np.zeros((look_back, horizon))
    for at in range(0, len(windows), ROWS):
        for channel in range(windows.inputs.shape[2]):
            inputs = windows.inputs[at : at + ROWS, :, channel]
            last = inputs[:, -1:]
            moved = inputs - last
            inner += moved.T @ moved
            outer += moved.T @ (windows.targets[at : at + ROWS, :, channel] - last)
    return inner, outer
