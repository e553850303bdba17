"""What a table asks of a peer: learn from a series, then forecast windows of it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from device_runtime.arithmetic import Float32
from train.data.series import Series
from train.forecast_metrics import Forecaster


class Peer(Protocol):
    """A forecaster and its settings."""

    @property
    def name(self) -> str:
        """In the table."""

    def fit(self, series: Series, look_back: int, horizon: int) -> Forecaster:
        """Learn from the training part and choose by the validation part; the test part is not looked at.

        The series is standardised and without gaps.
        """


def hold(values: Float32) -> Float32:
    """Each missing value becomes the channel's last known one, and 0, the mean, before there is any."""
    known = np.isfinite(values)
    last = np.maximum.accumulate(np.where(known, np.arange(len(values))[:, None], -1), axis=0)
    held: Float32 = np.where(last >= 0, np.take_along_axis(values, last.clip(0), axis=0), np.float32(0))
    return held
