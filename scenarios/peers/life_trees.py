"""Remaining life by gradient-boosted trees on where the sensors stand and where they are going."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from device_runtime.arithmetic import Float32
from scenarios.peers.life import Estimate, examples, features, held_out
from train.data.cmapss import Engine


@dataclass(frozen=True)
class TreeLife:
    """scikit-learn's histogram gradient boosting; engines that are left out stop it."""

    window: int = 30
    cap: int = 125
    rate: float = 0.05
    leaves: int = 15
    iterations: int = 400
    seed: int = 0
    name: str = "boosted trees"

    def fit(self, engines: Sequence[Engine]) -> Estimate:
        """The engines that stopped it are not learned from."""
        learn, choose = held_out(engines)
        model = HistGradientBoostingRegressor(
            learning_rate=self.rate,
            max_iter=self.iterations,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=40,
            early_stopping=True,
            n_iter_no_change=20,
            random_state=self.seed,
        )
        seen, expected = examples(choose, self.window, self.cap)
        model.fit(*examples(learn, self.window, self.cap), X_val=seen, y_val=expected)

        def estimate(rows: Float32) -> float:
            return float(np.clip(model.predict(features(rows, self.window)[None])[0], 0, self.cap))

        return estimate
