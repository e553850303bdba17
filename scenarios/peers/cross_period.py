"""SparseTSF (Lin et al., arXiv:2405.00946): each phase of a period is forecast from the same phase of earlier periods.

One small matrix for all phases and channels, after a smoothing over neighbours: a few hundred numbers, and one of the
best cheap forecasters. Trained on the absolute error, which serves both measures better than the squared one.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data.series import Series, Windows
from train.forecast_metrics import Forecaster, forecast_errors


@dataclass(frozen=True)
class CrossPeriod:
    """A cross-period linear map; validation chooses its period and its epoch.

    Of the look-back, the newest whole periods are used.
    """

    periods: tuple[int, ...]
    """In samples, to choose from: a day, and parts of it that repeat less strictly but more often."""

    epochs: int = 20
    patience: int = 3
    windows_per_epoch: int = 8192
    """Neighbours differ by one sample: an epoch over all of them tells little more."""

    batch: int = 256
    rate: float = 0.02
    seed: int = 0
    name: str = "cross-period linear (SparseTSF)"

    def fit(self, series: Series, look_back: int, horizon: int) -> Forecaster:
        """Adam; from the fourth epoch on each has 0.8 of the rate before, as in SparseTSF's own training."""
        training = series.windows("train", look_back, horizon)
        validation = series.windows("validation", look_back, horizon).every(8)
        fits = [self._fit(period, training, validation) for period in self.periods if period <= look_back]
        if not fits:
            raise InputError(
                f"a look-back of {look_back} holds no period of {self.periods}. Choose a longer look-back."
            )
        return min(fits, key=lambda fit: fit[0])[1]

    def _fit(self, period: int, training: Windows, validation: Windows) -> tuple[float, Forecaster]:
        torch.manual_seed(self.seed)
        generator = np.random.default_rng(self.seed)
        model = SparseMap(training.inputs.shape[1], training.targets.shape[1], period)
        optimizer = torch.optim.Adam(model.parameters(), self.rate)
        best, best_state, waited = float("inf"), copy.deepcopy(model.state_dict()), 0
        for epoch in range(self.epochs):
            for group in optimizer.param_groups:
                group["lr"] = self.rate * 0.8 ** max(0, epoch - 2)
            order = generator.permutation(len(training))[: self.windows_per_epoch]
            for at in range(0, len(order), self.batch):
                chosen = order[at : at + self.batch]
                inputs, targets = (torch.from_numpy(part[chosen]) for part in (training.inputs, training.targets))
                optimizer.zero_grad()
                (model(inputs) - targets).abs().mean().backward()
                optimizer.step()
            score = forecast_errors(model.forecast, validation)
            if score.mse + score.mae < best:
                best, best_state, waited = score.mse + score.mae, copy.deepcopy(model.state_dict()), 0
            elif (waited := waited + 1) > self.patience:
                break
        model.load_state_dict(best_state)
        return best, model.forecast


class SparseMap(nn.Module):
    """(windows, look_back, channels) to (windows, horizon, channels), each channel by itself."""

    def __init__(self, look_back: int, horizon: int, period: int):
        super().__init__()
        self.period, self.horizon = period, horizon
        self.used = look_back // period * period
        self.smooth = nn.Conv1d(1, 1, 2 * (period // 2) + 1, bias=False).weight  # (1, 1, neighbours)
        self.across = nn.Linear(self.used // period, -(-horizon // period), bias=False).weight

    def matrix(self) -> torch.Tensor:
        """Smoothing and map as one: (horizon, used). Smoothing this is cheaper than smoothing every window."""
        same_phase = torch.eye(self.period)[:, None, :]
        across = (self.across[:, None, :, None] * same_phase).reshape(-1, self.used)[: self.horizon]
        smoothed = functional.conv_transpose1d(across[:, None], self.smooth, padding=self.period // 2)
        return across + smoothed[:, 0]

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Around the mean of the window."""
        windows, look_back, channels = inputs.shape
        rows = inputs.transpose(1, 2).reshape(windows * channels, look_back)  # one large product, not many small ones
        level = rows.mean(dim=1, keepdim=True)
        ahead = functional.linear((rows - level)[:, -self.used :], self.matrix()) + level
        return ahead.reshape(windows, channels, self.horizon).transpose(1, 2)

    def forecast(self, inputs: Float32) -> Float32:
        """Of NumPy arrays, without gradients."""
        with torch.no_grad():
            given: Float32 = self(torch.from_numpy(np.array(inputs))).numpy()
        return given
