"""The methods that compete at forecasts: recipes around one small forecaster of transformer load (ETTh1, 96 hours)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from compress.method import Method
from compress.prune import Prune
from compress.quantize import Int8
from scenarios.forecasting.scenario import ForecastScenario
from scenarios.forecasting.training import ForecastTrainings
from scenarios.load_forecast import ETTH1
from scenarios.report.series_content import Column
from scenarios.toolbox.contestant import Contestant
from scenarios.toolbox.forecast_contest import contest
from scenarios.toolbox.task import Shown
from train.data.cache import cache_folder

__all__ = ["NAME", "SHOWN", "contest", "contestants", "trainings"]

NAME = "load_forecast"
SHOWN = Shown((Column("MSE", 4, bars=True), Column("MAE", 4)), "MSE", higher_is_better=False)

BASE = ETTH1
HEALING, QAT = 3, 2
"""Passes of a method that trains on, and of the int8 arithmetic."""


def trainings(folder: Path, runs: Path) -> ForecastTrainings:
    """ETTh1 and its four teachers."""
    return ForecastTrainings(BASE, folder / "checkpoints", cache_folder() / "forecasts")


def contestants() -> Iterator[Contestant]:
    """All rows of the table, the plain ones first."""
    yield Contestant("dense", "calibrated", _then(Int8()))
    yield Contestant("dense", "QAT", _then(Int8(epochs=QAT)))
    blocks = Prune(sparsity=0.5, epochs=HEALING, block=(8, 1), ramp=0.5, learning_rate=2e-3)
    yield Contestant("pruned", "blocks of 8x1", _then(blocks, Int8()))
    yield Contestant("pruned", "single weights", _then(replace(blocks, block=(1, 1)), Int8()))
    yield Contestant("taught", "truth only", replace(_then(Int8()), soft=0.0))
    for hidden in (40, 24):
        narrow = replace(BASE.forecaster, hidden=hidden)
        yield Contestant("narrow", f"{hidden} units", replace(_then(Int8()), forecaster=narrow))


def _then(*methods: Method) -> ForecastScenario:
    return replace(BASE, compress=methods)
