"""The methods that compete at forecasts: recipes around one small forecaster of transformer load (ETTh1, 96 hours)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from compress.lowrank import LowRank
from compress.method import Method
from compress.prune import Prune
from compress.quantize import Int8
from compress.ranges import LeastError
from compress.ranks import Energy, Fixed
from compress.structured import RemoveUnits
from compress.weight_grids import Linear, PowersOfTwo
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
    for hidden in (40, 24):
        narrow = replace(BASE.forecaster, hidden=hidden)
        yield Contestant("narrow", f"{hidden} units", replace(_then(Int8()), forecaster=narrow))
    for group, methods in compressed().items():
        for name, in_turn in methods.items():
            yield Contestant(group, name, _then(*in_turn))
    yield Contestant("taught", "truth only", replace(_then(Int8()), soft=0.0))


def compressed() -> dict[str, dict[str, tuple[Method, ...]]]:
    """Methods by their group, each as a recipe's tuple."""
    blocks = Prune(sparsity=0.5, epochs=HEALING, block=(8, 1), ramp=0.5, learning_rate=2e-3)
    single = replace(blocks, block=(1, 1))
    powers = Int8(epochs=QAT, weights=PowersOfTwo())
    low_rank = LowRank(Fixed(16), HEALING)
    return {
        "pruned": {
            "blocks of 8x1": (blocks, Int8()),
            "single weights": (single, Int8()),
            "whole units": (RemoveUnits(keep=0.7, epochs=HEALING, learning_rate=2e-3), Int8()),
        },
        "low rank": {"rank 16": (low_rank, Int8()), "90 % of the energy": (LowRank(Energy(0.9), HEALING), Int8())},
        "quantized": {
            "4 bits, calibrated": (Int8(weights=Linear(4, range=LeastError())),),
            "powers of two, calibrated": (Int8(weights=PowersOfTwo()),),
            "powers of two, QAT": (powers,),
        },
        "composed": {
            "single weights, powers of two": (single, powers),
            "rank 16, powers of two": (low_rank, powers),
        },
    }


def _then(*methods: Method) -> ForecastScenario:
    return replace(BASE, compress=methods)
