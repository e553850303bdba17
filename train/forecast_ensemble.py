"""Several forecasters as one teacher: the mean of GRUs, or each by the weight that validation data gives it.

Forecasters of different kinds err in different ways. Weights of at least 0 that sum to 1 and make the squared error on
validation windows smallest (Bates & Granger 1969; stacked regressions, Breiman 1996) say how far each kind is to be
heard: where the horizon is short GRUs alone, where it is long nearly none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from train.forecast_windows import ForecastWindows
from train.forecaster import Forecaster, by_quantile
from train.precision import mixed
from train.ridge import MOST_TO_CHOOSE, LinearTeacher, some

SWEEPS = 20_000
BATCH = 1024


@dataclass(frozen=True)
class Ensemble:
    """Forecasters, and perhaps linear maps, that answer with one voice."""

    forecasters: Sequence[Forecaster]
    maps: Sequence[LinearTeacher] = ()
    weights: tuple[float, ...] = ()
    """Of the forecasters, then of the maps; none: all forecasters count the same."""

    def lines(self, windows: ForecastWindows, numbers: torch.Tensor) -> torch.Tensor:
        """Quantiles of these windows: (len(numbers), quantiles, horizon).

        A map says one line. Its weight moves the median; how far the other quantiles are from it the GRUs say.
        """
        each = self._each(windows, numbers)
        lines = torch.stack(each).mean(dim=0)
        if not self.weights:
            return lines
        median = windows.config.median
        points = torch.stack([*(one[:, median] for one in each), *self._mapped(windows, numbers)])
        weights = torch.tensor(self.weights)[:, None, None]
        return lines + ((weights * points).sum(dim=0) - lines[:, median])[:, None]

    def weighed(self, windows: ForecastWindows) -> Ensemble:
        """The same with weights that fit these windows best, which no member has been trained on."""
        median, products = windows.config.median, torch.zeros(())
        chosen = some(windows, MOST_TO_CHOOSE)
        for numbers in chosen.split(BATCH):
            points = [one[:, median] for one in self._each(windows, numbers)] + self._mapped(windows, numbers)
            missed = (torch.stack(points) - windows[numbers][1]).nan_to_num().flatten(1).double()
            products = products + missed @ missed.T / len(chosen)
        return replace(self, weights=tuple(best_weights(products).tolist()))

    def _each(self, windows: ForecastWindows, numbers: torch.Tensor) -> list[torch.Tensor]:
        """Each GRU sees the windows in its own way: its segments may be longer, it may be told the channel."""
        views = [(forecaster, replace(windows, config=forecaster.config)) for forecaster in self.forecasters]
        with torch.no_grad(), mixed(True):
            return [by_quantile(forecaster(view[numbers][0]).float(), view.config) for forecaster, view in views]

    def _mapped(self, windows: ForecastWindows, numbers: torch.Tensor) -> list[torch.Tensor]:
        frames = windows[numbers][0]
        return [one(frames) for one in self.maps]


def best_weights(products: torch.Tensor) -> torch.Tensor:
    """Of members whose errors have these mean products (members, members): the mean's squared error is smallest.

    Without the sum of 1 the same minimum, of w S w / 2 - sum(w) over w of at least 0, lies on the same ray; it is found
    one coordinate after the other.
    """
    scaled = products / products.diagonal().mean()
    weights = torch.full((len(scaled),), 1.0 / len(scaled), dtype=scaled.dtype)
    for _ in range(SWEEPS):
        before = weights.clone()
        for i in range(len(scaled)):
            rest = scaled[i] @ weights - scaled[i, i] * weights[i]
            weights[i] = ((1 - rest) / scaled[i, i]).clamp(min=0)
        if (weights - before).abs().max() < 1e-9:
            break
    return weights / weights.sum()
