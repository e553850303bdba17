"""Several forecasters as one teacher: the mean of GRUs, or each by the weight that validation data gives it.

Forecasters of different kinds err in different ways. Weights of at least 0 that sum to 1 and make the error on
validation windows smallest (Bates & Granger 1969; stacked regressions, Breiman 1996) say how far each kind is to be
heard: where the horizon is short GRUs alone, where it is long the linear maps as much. It is the absolute error, which
teachers, students and their epochs are chosen by, too: squared, a few stormy weeks of the validation part decide alone.
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
ROUNDS = 30
SMALLEST = 1e-3
"""Errors below it count as it, in standard deviations: what is nearly right already must not decide everything."""

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
        median, missed = windows.config.median, []
        for numbers in some(windows, MOST_TO_CHOOSE).split(BATCH):
            points = [one[:, median] for one in self._each(windows, numbers)] + self._mapped(windows, numbers)
            missed.append((torch.stack(points) - windows[numbers][1]).nan_to_num().flatten(1))
        return replace(self, weights=tuple(least_absolute(missed).tolist()))

    def _each(self, windows: ForecastWindows, numbers: torch.Tensor) -> list[torch.Tensor]:
        """Each GRU sees the windows in its own way: its segments may be longer, it may be told the channel."""
        views = [(forecaster, replace(windows, config=forecaster.config)) for forecaster in self.forecasters]
        with torch.no_grad(), mixed(True):
            return [by_quantile(forecaster(view[numbers][0]).float(), view.config) for forecaster, view in views]

    def _mapped(self, windows: ForecastWindows, numbers: torch.Tensor) -> list[torch.Tensor]:
        frames = windows[numbers][0]
        return [one(frames) for one in self.maps]


def least_absolute(missed: Sequence[torch.Tensor]) -> torch.Tensor:
    """Of members with these errors, batches of (members, points): the mean's absolute error is smallest.

    By least squares in which each point counts the less the more the mean misses it, again and again (iteratively
    reweighted least squares, Schlossmacher 1973).
    """
    weights = torch.full((len(missed[0]),), 1.0 / len(missed[0]), dtype=torch.float64)
    for _ in range(ROUNDS):
        products = torch.zeros(())
        for errors in missed:
            counted = errors / (weights.float() @ errors).abs().clamp(min=SMALLEST)
            products = products + counted.double() @ errors.double().T
        before, weights = weights, best_weights(products)
        if (weights - before).abs().max() < 1e-4:
            break
    return weights


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
