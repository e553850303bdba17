"""Gradient-boosted trees on lags: what many who forecast for a living reach for first.

One model for all steps of the horizon and all channels: each row asks for one sample ahead, by how far ahead it is, by
the samples of its own phase in earlier periods, and by the newest ones; all above the mean of the window, for a tree
cannot reach beyond what it has seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data.series import Series, Windows
from train.forecast_metrics import Forecaster

NEWEST = (1, 2, 3, 4, 6, 8, 12, 18)
"""Samples before the end of the window."""

ROWS = 4096


@dataclass(frozen=True)
class Trees:
    """scikit-learn's histogram gradient boosting; validation stops it."""

    period: int
    """In samples: 24 for a day by the hour."""

    rows: int = 200_000
    """Drawn from all (window, step, channel) of the training part: more took longer and changed the third digit."""

    iterations: int = 150
    rate: float = 0.08
    leaves: int = 31
    seed: int = 0
    name: str = "boosted trees"

    def fit(self, series: Series, look_back: int, horizon: int) -> Forecaster:
        """On squared errors, as the other peers but one."""
        if look_back < self.period:
            raise InputError(f"a look-back of {look_back} holds no period of {self.period}. Choose a longer look-back.")
        generator = np.random.default_rng(self.seed)
        lags = Lags(self.period, horizon)
        model = HistGradientBoostingRegressor(
            learning_rate=self.rate,
            max_iter=self.iterations,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=200,
            categorical_features=[0],
            early_stopping=True,
            n_iter_no_change=15,
            random_state=self.seed,
        )
        inputs, targets = lags.drawn(series.windows("train", look_back, horizon), self.rows, generator)
        seen, expected = lags.drawn(series.windows("validation", look_back, horizon), self.rows // 4, generator)
        model.fit(inputs, targets, X_val=seen, y_val=expected)

        def forecast(windows: Float32) -> Float32:
            given = np.empty((len(windows), horizon, windows.shape[2]), np.float32)
            for channel in range(windows.shape[2]):
                rows = windows[:, :, channel]
                level = rows.mean(axis=1, keepdims=True)
                given[:, :, channel] = model.predict(lags.every(rows, channel)).reshape(len(windows), horizon) + level
            return given

        return forecast


@dataclass(frozen=True)
class Lags:
    """The features of a sample ahead."""

    period: int
    horizon: int

    def drawn(self, windows: Windows, rows: int, generator: np.random.Generator) -> tuple[Float32, Float32]:
        """Features and targets of `rows` (window, step, channel), each above its window's mean."""
        count, horizon, channels = windows.targets.shape
        at, step, channel = (generator.integers(high, size=rows) for high in (count, horizon, channels))
        features, targets = [], []
        for start in range(0, rows, ROWS):
            part = slice(start, start + ROWS)
            samples = windows.inputs[at[part], :, channel[part]]
            features.append(self.of(samples, np.arange(len(samples)), step[part], channel[part]))
            targets.append(windows.targets[at[part], step[part], channel[part]] - samples.mean(axis=1))
        return np.concatenate(features), np.concatenate(targets)

    def every(self, samples: Float32, channel: int) -> Float32:
        """Features of all steps of windows of one channel: (windows * horizon, features)."""
        row = np.repeat(np.arange(len(samples)), self.horizon)
        return self.of(samples, row, np.tile(np.arange(self.horizon), len(samples)), np.full(len(row), channel))

    def of(self, samples: Float32, row: np.ndarray, step: np.ndarray, channel: np.ndarray) -> Float32:
        """Windows (windows, look_back); which of them, which step and channel is asked for: (rows, features)."""
        look_back = samples.shape[1]
        moved = samples - samples.mean(axis=1, keepdims=True)
        periods = min(look_back // self.period, 7)
        phase = look_back - self.period + step % self.period  # the newest sample of the same phase
        same = [moved[row, phase - self.period * back] for back in range(periods)]
        newest = [moved[row, -back] for back in NEWEST if back <= look_back]
        means = [moved[:, -self.period * back :].mean(axis=1)[row] for back in (1, periods)]
        columns = [channel, step, *same, *newest, *means, moved.std(axis=1)[row], np.mean(same, axis=0)]
        return np.stack(columns, axis=1, dtype=np.float32, casting="unsafe")
