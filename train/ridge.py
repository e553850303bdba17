"""Linear maps from the look-back to the horizon, in closed form: teachers that cannot learn a few weeks by heart.

A year of readings holds half a dozen windows of a month and a month ahead that share no sample, and a GRU learns them
by heart; a ridge regression (Hoerl & Kennard 1970) does not. Two shapes: every sample of the look-back counts for every
sample ahead (NLinear, Zeng et al. 2022, arXiv:2205.13504), or each phase of a segment only for the same phase, with one
small matrix for all phases (SparseTSF, Lin et al. 2024, arXiv:2405.00946).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from train.forecast_windows import ForecastWindows

MOST_WINDOWS = 65536
"""Neighbours are nearly the same window: more of them tell little more."""

MOST_TO_CHOOSE = 8192
BATCH = 4096


@dataclass(frozen=True)
class LinearTeacher:
    """One map: what a window is above its last value, times this, is what comes above its last value."""

    weight: torch.Tensor  # (look_back, horizon)

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """(batch, segments, feature_size), samples first, to (batch, horizon)."""
        samples = len(self.weight) // frames.shape[1]
        ahead: torch.Tensor = frames[:, :, :samples].flatten(1) @ self.weight
        return ahead


@dataclass(frozen=True)
class Ridge:
    """How one is fitted, on all channels together; validation chooses the strength."""

    level_segments: int = 0
    """A window is measured from the mean of so many last segments; 0: from its last value."""

    by_phase: bool = False
    """Whether each phase of a segment is forecast from its own phase alone."""

    strengths: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
    """Of the regularisation, in mean variances of an input."""

    def fit(self, training: ForecastWindows, validation: ForecastWindows) -> LinearTeacher:
        """By one eigendecomposition. Gaps hold the last reading, in what is forecast as well."""
        inner, outer = self._moments(replace(training, missing=None))
        values, vectors = torch.linalg.eigh(inner)
        turned, scale = vectors.T @ outer, values.mean()
        weights = (turned / (values.clamp(min=0) + strength * scale)[:, None] for strength in self.strengths)
        made = [self._whole((vectors @ weight).float(), training.config.segment) for weight in weights]
        frames, targets = validation[some(validation, MOST_TO_CHOOSE)][:2]
        return min(made, key=lambda one: float((one(frames) - targets).square().nanmean()))

    def _moments(self, windows: ForecastWindows) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs with inputs and with targets, summed over windows (and phases): float64."""
        config = windows.config
        parts = config.segments if self.by_phase else config.look_back
        ahead = config.positions if self.by_phase else config.horizon
        inner, outer = torch.zeros(parts, parts).double(), torch.zeros(parts, ahead).double()
        for numbers in some(windows, MOST_WINDOWS).split(BATCH):
            frames, targets = windows[numbers][:2]
            x, y = frames[:, :, : config.segment], targets.unflatten(1, (config.positions, config.segment))
            level = (x.flatten(1) @ self._level(config.look_back, config.segment))[:, None, None]
            x, y = x - level, y - level
            if self.by_phase:
                x, y = x.transpose(1, 2).flatten(0, 1), y.transpose(1, 2).flatten(0, 1)
            x, y = x.flatten(1), y.flatten(1)
            inner += x.T @ x
            outer += x.T @ y
        return inner, outer

    def _whole(self, weight: torch.Tensor, segment: int) -> LinearTeacher:
        """With the level taken off before and put back behind."""
        if self.by_phase:
            weight = torch.kron(weight, torch.eye(segment))
        share = self._level(len(weight), segment)
        return LinearTeacher(weight + share[:, None] * (1 - weight.sum(dim=0)))

    def _level(self, look_back: int, segment: int) -> torch.Tensor:
        """What each sample counts in the level of a window that is above its last value already."""
        share = torch.zeros(look_back)
        if samples := self.level_segments * segment:
            share[-samples:] = 1 / samples
        return share


def some(windows: ForecastWindows, most: int) -> torch.Tensor:
    """Numbers of at most so many windows, evenly spread."""
    return torch.arange(0, len(windows), max(1, -(-len(windows) // most)))
