"""How far the interval first reaches beyond the outer quantiles: conformal, on validation windows.

Split conformal prediction for quantiles (Romano, Patterson, Candès 2019, arXiv:1905.03222), for each channel and
segment ahead. From there on the device adapts by itself (`device_runtime.decoders.forecast`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from train.forecast_windows import ForecastWindows
from train.forecaster import by_quantile

DIGITS = 4
"""Of an offset, in deviations of the channel."""


def offsets(model: nn.Module, windows: ForecastWindows, coverage: float) -> tuple[list[float], list[float]]:
    """(below, above), each channel by channel, segment by segment: what half of the misses must lie beyond."""
    config, channels = windows.config, len(windows.values)
    miss = (1 - coverage) / 2
    below, above = [], []
    with torch.no_grad():
        for batch in windows.in_turn():
            lines = by_quantile(model(batch[0]), config)  # (batch, quantiles, horizon)
            below.append(lines[:, 0] - batch[1])
            above.append(batch[1] - lines[:, -1])
    found = []
    for beyond in (below, above):
        by_position = torch.cat(beyond).unflatten(1, (config.positions, config.segment))
        scores = by_position.unflatten(0, (channels, -1)).transpose(1, 2).flatten(2)  # (channels, positions, ..)
        offset = np.nanquantile(scores.numpy(), 1 - miss, axis=2)
        found.append([round(float(value), DIGITS) for value in offset.ravel()])
    return found[0], found[1]
