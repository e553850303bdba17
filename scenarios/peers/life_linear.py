"""Remaining life as a weighted sum of where the sensors stand and where they are going."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from device_runtime.arithmetic import Float32
from scenarios.peers.life import Estimate, examples, features, held_out
from train.data.cmapss import Engine


@dataclass(frozen=True)
class LinearLife:
    """Ridge regression; engines that are left out choose its strength."""

    window: int = 30
    cap: int = 125
    """An engine that is new says nothing of its end: more cycles than these count as these."""

    strengths: tuple[float, ...] = (0.1, 1.0, 10.0, 100.0, 1000.0)
    name: str = "linear model"

    def fit(self, engines: Sequence[Engine]) -> Estimate:
        """Once for each strength, then once more on all engines."""
        learn, choose = held_out(engines)
        inputs, targets = examples(learn, self.window, self.cap)
        seen, expected = examples(choose, self.window, self.cap)
        model = min(
            (make_pipeline(StandardScaler(), Ridge(strength)).fit(inputs, targets) for strength in self.strengths),
            key=lambda fitted: float(np.mean((fitted.predict(seen) - expected) ** 2)),
        )
        model.fit(*examples(engines, self.window, self.cap))

        def estimate(rows: Float32) -> float:
            return float(np.clip(model.predict(features(rows, self.window)[None])[0], 0, self.cap))

        return estimate
