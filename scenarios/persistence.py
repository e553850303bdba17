"""Does anything beat the last value? On a random walk nothing can, and a report must say so.

Each forecaster learns from the logarithm of the prices, where a change counts the same at any price, and is held
against persistence on the same test windows, by blocks of neighbours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from device_runtime.errors import InputError
from scenarios.peers.last_value import LastValue
from scenarios.peers.peer import Peer
from train.bootstrap import Difference, paired_difference
from train.data.series import Series
from train.forecast_metrics import Forecaster, forecast_errors

FEW_BLOCKS = 5
"""With fewer, a bootstrap over blocks of windows is too sure."""


@dataclass(frozen=True)
class Standing:
    """One forecaster beside persistence."""

    name: str
    mse: float
    """On standardised logarithms."""

    ratio: float
    """Of its mean squared error to that of persistence: above 1 it is the worse one."""

    difference: Difference
    """Of the two, window by window."""

    @property
    def verdict(self) -> str:
        """In plain words."""
        size = f"{100 * abs(self.ratio - 1):.1f} % {'larger' if self.ratio >= 1 else 'smaller'}"
        if self.difference.blocks < FEW_BLOCKS:
            return f"squared error {size} than that of persistence, on too few windows to tell from chance"
        if self.difference.is_worse:
            return f"persistence wins: this squared error is {size}, beyond chance"
        if self.difference.is_better:
            return f"beats persistence: this squared error is {size}, beyond chance"
        return f"no better than persistence: this squared error is {size}, within chance"


def in_logarithms(series: Series) -> Series:
    """The same series with the logarithm of each price."""
    if (series.values <= 0).any():
        raise InputError(f"{series.name} has a price of {np.nanmin(series.values):g}; only prices above 0 have a log.")
    return dataclasses.replace(series, values=np.log(series.values.astype(np.float64)).astype(np.float32))


def against_persistence(
    series: Series,
    peers: Sequence[Peer],
    look_back: int,
    horizon: int,
    trained: Mapping[str, Forecaster] | None = None,
) -> list[Standing]:
    """Every peer, and forecasters that were trained on the same standardised logarithms, on all test windows."""
    prepared = in_logarithms(series).standardised()
    windows = prepared.windows("test", look_back, horizon)
    persistence = forecast_errors(LastValue().fit(prepared, look_back, horizon), windows)
    fitted = {peer.name: peer.fit(prepared, look_back, horizon) for peer in peers}
    standings = []
    for name, forecaster in (fitted | dict(trained or {})).items():
        errors = forecast_errors(forecaster, windows)
        difference = paired_difference(errors.squared, persistence.squared, min(look_back + horizon, len(windows)))
        standings.append(Standing(name, errors.mse, errors.mse / persistence.mse, difference))
    return standings
