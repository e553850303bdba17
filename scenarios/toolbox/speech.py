"""The methods that compete on spoken words: recipes around one student that differ from each other in one thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from compress.method import Method
from compress.prune import Prune
from compress.quantize import Int8
from scenarios.arabic_commands import SMALL
from scenarios.pipeline import TEACHERS
from scenarios.report.series_content import Column
from scenarios.scenario import Scenario
from scenarios.toolbox.contestant import Contestant
from scenarios.toolbox.speech_contest import contest
from scenarios.toolbox.task import Shown
from scenarios.training import Trainings
from train.data.cache import cache_folder

__all__ = ["NAME", "SHOWN", "contest", "contestants", "trainings"]

NAME = "arabic_commands"
SHOWN = Shown((Column("warm", 1, "%", bars=True), Column("cold", 1, "%")), "warm accuracy, %", True, times=100)

EPOCHS, HEALING, QAT = 60, 15, 5
"""Of the float student, of a method that trains on, and of the int8 arithmetic at the end: shorter than what ships, so
that every method can have its three seeds."""

SPARSITY = 0.63

BASE = replace(SMALL, schedule=replace(SMALL.schedule, epochs=EPOCHS))


def trainings(folder: Path, runs: Path) -> Trainings:
    """Forty Arabic words and their teacher."""
    return Trainings(BASE, folder / "checkpoints", cache_folder() / "features", runs / TEACHERS)


def contestants() -> Iterator[Contestant]:
    """All rows of the table, the plain ones first."""
    yield Contestant("dense", "calibrated", _then(Int8()))
    yield Contestant("dense", "QAT", _then(Int8(epochs=QAT)))
    yield from pruned()
    yield from distilled()


def pruned() -> Iterator[Contestant]:
    """The same share of zeros, chosen in different ways."""
    blocks = Prune(sparsity=SPARSITY, epochs=HEALING, block=(8, 1), ramp=0.4)
    ways = {
        "blocks of 8x1": blocks,
        "blocks of 16x1": replace(blocks, block=(16, 1)),
        "single weights": replace(blocks, block=(1, 1)),
    }
    for name, prune in ways.items():
        yield Contestant("pruned", name, _then(prune, Int8()))


def distilled() -> Iterator[Contestant]:
    """The dense student again, taught in other ways."""
    yield Contestant("taught", "labels only", replace(_then(Int8()), soft=0.0))
    yield Contestant("taught", "with the teacher's hint", replace(_then(Int8()), hint=1.0))


def _then(*methods: Method) -> Scenario:
    return replace(BASE, compress=methods)
