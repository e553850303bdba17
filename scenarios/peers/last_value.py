"""Tomorrow is like now: what any forecaster of a random walk has to beat, and cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device_runtime.arithmetic import Float32
from train.data.series import Series
from train.forecast_metrics import Forecaster


@dataclass(frozen=True)
class LastValue:
    """The last sample, for the whole horizon."""

    name: str = "last value"

    def fit(self, series: Series, look_back: int, horizon: int) -> Forecaster:
        """Nothing is learned."""

        def forecast(inputs: Float32) -> Float32:
            return np.repeat(inputs[:, -1:], horizon, axis=1)

        return forecast
