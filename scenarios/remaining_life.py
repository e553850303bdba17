"""How many cycles a turbofan engine has left: NASA's C-MAPSS FD001, read cycle by cycle."""

from __future__ import annotations

from scenarios.life.scenario import LifeBudget, LifeScenario
from train.data.cmapss import Cmapss

SCENARIO = LifeScenario(
    name="remaining_life",
    title="Cycles that an engine has left",
    summary=(
        "Fourteen sensors of a turbofan engine, read once a flight: at each, how many flights remain until it fails, "
        "with an 80 % interval. Learned from lives that are made of those of a hundred engines (C-MAPSS FD001)."
    ),
    data=Cmapss(),
    budget=LifeBudget(size_kb=30, rmse=14.0),
)
