"""What a forecaster is taught: quantiles of what came, and what a teacher said would come; and what it is judged by.

The pinball loss of a quantile is smallest at that quantile (Koenker & Bassett 1978); of the median it is half the
absolute error, which ranks forecasts of sensors better than the square does: single spikes decide less.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from train.forecast_windows import ForecastWindows
from train.forecaster import ForecasterConfig, by_quantile
from train.loop import Batch


@dataclass(frozen=True)
class QuantileLoss:
    """The loss of one batch of (frames, targets[, the teacher's quantiles])."""

    config: ForecasterConfig
    tails: float = 0.5
    """Weight of each quantile but the median, whose weight is 1."""

    square: float = 0.0
    """Weight of the median's squared error beside its absolute one, where both are promised."""

    soft: float = 0.0
    """Share of the loss that comes from the teacher, where there is one; the rest is the truth's."""

    def __call__(self, model: nn.Module, batch: Batch) -> torch.Tensor:
        """Twice the weighted pinball loss: the median's part is its absolute error. What was not measured has none."""
        rows = torch.tensor(self.config.quantiles)[:, None]
        weights = torch.where(rows == 0.5, 1.0, self.tails)
        lines = by_quantile(model(batch[0]).float(), self.config)  # (batch, quantiles, horizon)
        missed = batch[1][:, None] - lines
        pinball = 2 * weights * torch.maximum(rows * missed, (rows - 1) * missed)
        loss = pinball.nanmean() * len(rows)
        if self.square:
            loss = loss + self.square * missed[:, self.config.median].square().nanmean()
        if not self.soft or len(batch) < 3:
            return loss
        told = (weights * (lines - batch[2]).abs()).mean() * len(rows)
        return (1 - self.soft) * loss + self.soft * told


@dataclass(frozen=True)
class Errors:
    """How far the point forecast is off, in the units of the frames."""

    mse: float
    mae: float


def errors(model: nn.Module, windows: ForecastWindows) -> Errors:
    """Mean squared and mean absolute error of the median over all windows, the last batch included."""
    square = absolute = count = 0.0
    with torch.no_grad():
        for batch in windows.in_turn():
            missed = by_quantile(model(batch[0]), windows.config)[:, windows.config.median] - batch[1]
            missed = missed[~missed.isnan()].double()
            square += float(missed.square().sum())
            absolute += float(missed.abs().sum())
            count += missed.numel()
    return Errors(square / count, absolute / count)
