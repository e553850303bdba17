"""Exponential smoothing: a level, a damped trend and a season, each a running mean (Holt 1957, Winters 1960).

statsmodels fits the smoothing factors of each channel once, to the end of its training part; fitting them anew in each
of thousands of windows would take days. With these factors every window is then smoothed from its own first sample
to its last: nothing is left out, and no window knows another.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data.series import Series
from train.forecast_metrics import Forecaster, forecast_errors


@dataclass(frozen=True)
class Factors:
    """How fast each running mean follows: (channels,) each, 0..1."""

    level: np.ndarray
    trend: np.ndarray
    season: np.ndarray
    damping: np.ndarray
    """Of the trend a step ahead; 0 where there is no trend."""


@dataclass(frozen=True)
class Smoothing:
    """Additive Holt-Winters; validation chooses with or without a damped trend."""

    period: int
    """In samples: 24 for a day by the hour."""

    fit_periods: int = 28
    """How much of the end of the training part statsmodels sees."""

    name: str = "exponential smoothing"

    def fit(self, series: Series, look_back: int, horizon: int) -> Forecaster:
        """Two fits a channel."""
        if look_back < 2 * self.period:
            raise InputError(f"a look-back of {look_back} holds no two periods of {self.period}. Choose a longer one.")
        recent = series.part("train")[-self.fit_periods * self.period :]
        validation = series.windows("validation", look_back, horizon).every(8)
        fits = [HoltWinters(self._factors(recent, damped), self.period, horizon) for damped in (False, True)]
        return min(fits, key=lambda fit: forecast_errors(fit, validation).mse)

    def _factors(self, recent: Float32, damped: bool) -> Factors:
        from statsmodels.tsa.holtwinters import ExponentialSmoothing

        found = []
        for channel in recent.T.astype(np.float64):
            model = ExponentialSmoothing(
                channel,
                trend="add" if damped else None,
                damped_trend=damped,
                seasonal="add",
                seasonal_periods=self.period,
                initialization_method="heuristic",
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a factor at its bound, which is a fit like any other
                params = model.fit().params
            found.append(
                [
                    params["smoothing_level"],
                    params["smoothing_trend"] if damped else 0.0,
                    params["smoothing_seasonal"],
                    params["damping_trend"] if damped else 0.0,
                ]
            )
        return Factors(*np.nan_to_num(np.array(found).T))


@dataclass(frozen=True)
class HoltWinters:
    """Smooths each window from a first guess of its two first periods on."""

    factors: Factors
    period: int
    horizon: int

    def __call__(self, inputs: Float32) -> Float32:
        """(windows, look_back, channels) to (windows, horizon, channels)."""
        rows = inputs.astype(np.float64).swapaxes(0, 1)  # (look_back, windows, channels)
        factors, period = self.factors, self.period
        level = rows[:period].mean(axis=0)
        trend = np.where(factors.damping > 0, (rows[period : 2 * period].mean(axis=0) - level) / period, 0.0)
        season = rows[:period] - level
        for at, row in enumerate(rows):
            phase = at % period
            expected = level + factors.damping * trend
            before, level = level, factors.level * (row - season[phase]) + (1 - factors.level) * expected
            trend = factors.trend * (level - before) + (1 - factors.trend) * factors.damping * trend
            season[phase] += factors.season * (row - expected - season[phase])
        ahead = np.arange(self.horizon)
        reach = np.cumsum(factors.damping ** (ahead[:, None] + 1.0), axis=0)  # (horizon, channels)
        forecasts = level + reach[:, None] * trend + season[(len(rows) + ahead) % period]
        given: Float32 = forecasts.swapaxes(0, 1).astype(np.float32)
        return given
