"""Which channels of an engine say something, and how they are normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data.cmapss import CHANNELS, Engine

FEW_VALUES = 2
"""A sensor that takes no more values than these in all engines is a switch or stuck."""


@dataclass(frozen=True)
class LifeChannels:
    """The sensors that a model of remaining life reads."""

    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, engines: Sequence[Engine]) -> LifeChannels:
        """Of engines to train on: sensors that move, over all their cycles. With one mode, settings are noise."""
        if not engines:
            raise InputError("there are no engines to train on. Expected at least one that ran until it failed.")
        rows = np.concatenate([engine.values for engine in engines]).astype(np.float64)
        moving = [
            at
            for at, name in enumerate(CHANNELS)
            if name.startswith("sensor_") and len(np.unique(rows[:, at])) > FEW_VALUES
        ]
        if not moving:
            raise InputError("no sensor of these engines ever changes. Get the files again.")
        kept = rows[:, moving]
        # seven digits: what a manifest holds is what training used
        mean, std = ([float(f"{value:.7g}") for value in values] for values in (kept.mean(axis=0), kept.std(axis=0)))
        return cls(tuple(CHANNELS[at] for at in moving), tuple(mean), tuple(std))

    def normalised(self, engine: Engine) -> Float32:
        """Its readings as the front end of a device makes frames of them: (cycles, channels)."""
        values = engine.values[:, [CHANNELS.index(name) for name in self.names]]
        gain = (1 / np.array(self.std)).astype(np.float32)
        scaled: Float32 = (values - np.array(self.mean, np.float32)) * gain
        return scaled
