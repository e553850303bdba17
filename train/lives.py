"""Lives that engines might have had: a hundred that ran until they failed, varied into as many as training needs.

A model of a hundred engines learns them by heart: by cross-validation it was no better than a linear model. But what
the sensors of an engine show is a smooth path, the same few cycles stretched or cut short, under noise that has no
memory and is as strong in every engine. So each life is taken apart into path and noise, and new ones are made: a path
between those of two engines, faster or slower, under fresh noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.loop import Batch

POWERS = (0, 1, 2, 4, 8)
"""Of the share of its life that an engine has behind it: their sum is its path. Wear grows ever faster."""

POINTS = 129
"""At which a path is kept."""


@dataclass(frozen=True)
class Variation:
    """How far a made life may be from those of the engines."""

    stretch: float = 0.3
    """Standard deviation of the logarithm of how much longer it lasts."""

    mix: float = 0.5
    """The largest share of a second engine in its path and its length."""

    directions: int = 3
    """Of the space of all channels in which paths lie, the strongest in deviations of the noise; the rest is noise."""

    shortest: int = 60
    longest: int = 400
    """Cycles."""


class Lives:
    """Made of whole lives, each (cycles, channels) and normalised, from the first cycle to the last before failure."""

    def __init__(self, engines: Sequence[Float32], variation: Variation = Variation()):
        short = min(len(values) for values in engines) if engines else 0
        if short <= len(POWERS):
            raise InputError(f"a life of {short} cycles has no path to follow: expected more than {len(POWERS)}.")
        self.variation = variation
        fitted = [_path(values) for values in engines]
        freedom = sum(len(values) - len(POWERS) for values in engines)
        noise = np.sqrt(sum(np.square(left).sum(axis=0) for _, left in fitted) / freedom)  # (channels,)
        paths = _denoised(np.stack([path for path, _ in fitted]) / noise, variation.directions) * noise
        self.noise = torch.from_numpy(noise.astype(np.float32))  # (channels,)
        self.paths = torch.from_numpy(paths.astype(np.float32))  # (engines, POINTS, channels)
        self.lengths = torch.tensor([float(len(values)) for values in engines])

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """Frames (count, cycles, channels), the cycles left at each (count, cycles), and 1 where there is one, else 0.

        Lives that end earlier are followed by zeros.
        """
        how = self.variation
        first, second = torch.randint(len(self.paths), (2, count), generator=generator)
        share = how.mix * torch.rand(count, generator=generator)
        factor = torch.exp(how.stretch * torch.randn(count, generator=generator))
        length = torch.lerp(self.lengths[first], self.lengths[second], share) * factor
        length = length.round().clamp(how.shortest, how.longest)[:, None]  # (count, 1)
        cycle = torch.arange(1, int(length.max()) + 1)[None]  # (1, cycles)
        known = cycle <= length
        path = torch.lerp(self.paths[first], self.paths[second], share[:, None, None])
        at = (cycle / length).clamp(max=1) * (POINTS - 1)
        below = at.floor().clamp(max=POINTS - 2).long()
        row = torch.arange(count)[:, None]
        frames = torch.lerp(path[row, below], path[row, below + 1], (at - below)[:, :, None])
        frames = frames + self.noise * torch.randn(frames.shape, generator=generator)
        return frames * known[:, :, None], (length - cycle).clamp(min=0), known.float()


def _path(values: Float32) -> tuple[np.ndarray, np.ndarray]:
    """The smooth path of one engine (POINTS, channels), and what it leaves of the readings (cycles, channels)."""
    done = np.arange(1, len(values) + 1) / len(values)
    powers = done[:, None] ** POWERS
    weights = np.linalg.lstsq(powers, values.astype(np.float64), rcond=None)[0]
    return np.linspace(0, 1, POINTS)[:, None] ** POWERS @ weights, values - powers @ weights


def _denoised(paths: np.ndarray, directions: int) -> np.ndarray:
    """Only what lies in the strongest directions: (engines, POINTS, channels), in deviations of the noise."""
    middle = paths.mean(axis=(0, 1))
    moved = paths - middle
    axes = np.linalg.svd(moved.reshape(-1, moved.shape[-1]), full_matrices=False)[2][:directions]
    return moved @ axes.T @ axes + middle
