"""Tomorrow is like today: the last period over and over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data.series import Series
from train.forecast_metrics import Forecaster


@dataclass(frozen=True)
class Seasonal:
    """The sample of the same phase in the last period of the look-back."""

    period: int
    """In samples: 24 for a day by the hour."""

    name: str = "seasonal naive"

    def fit(self, series: Series, look_back: int, horizon: int) -> Forecaster:
        """Nothing is learned."""
        if look_back < self.period:
            raise InputError(f"a look-back of {look_back} holds no period of {self.period}. Choose a longer look-back.")
        phase = np.arange(horizon) % self.period - self.period

        def forecast(inputs: Float32) -> Float32:
            return inputs[:, phase]

        return forecast
