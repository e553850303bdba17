"""The methods that compete on spoken words: recipes around one student that differ from each other in one thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from compress.lowrank import LowRank
from compress.method import Method
from compress.prune import Prune
from compress.quantize import Int8
from compress.ranges import LeastError
from compress.ranks import Energy, Fixed, Validated
from compress.scores import Gradient, Movement
from compress.structured import RemoveUnits
from compress.weight_grids import Linear, PowersOfTwo
from scenarios.arabic_commands import TINY
from scenarios.pipeline import TEACHERS
from scenarios.report.series_content import Column
from scenarios.scenario import Scenario
from scenarios.toolbox.contestant import Contestant
from scenarios.toolbox.speech_contest import contest
from scenarios.toolbox.task import Shown
from scenarios.training import Trainings
from train.cells import FastGrnn, Gru, Lstm, MinGru, Sru, Vanilla
from train.data.cache import cache_folder
from train.sizing import sized
from train.student import StudentConfig

__all__ = ["NAME", "SHOWN", "contest", "contestants", "trainings"]

NAME = "arabic_commands"
SHOWN = Shown((Column("warm", 1, "%", bars=True), Column("cold", 1, "%")), "warm accuracy, %", True, 100, worst=70)

EPOCHS, HEALING, QAT = 60, 15, 5
"""Of the float student, of a method that trains on, and of the int8 arithmetic at the end: shorter than what ships, so
that every method can have its three seeds."""

SPARSITY = 0.63

BLOCKS = Prune(sparsity=SPARSITY, epochs=HEALING, block=(8, 1), ramp=0.4)

CELLS = Gru(), MinGru(), Sru(), FastGrnn(), Lstm(), Vanilla()
"""As students of equal int8 weights; those that no engine runs are measured in torch."""

BASE = replace(TINY, schedule=replace(TINY.schedule, epochs=EPOCHS))


def trainings(folder: Path, runs: Path) -> Trainings:
    """Forty Arabic words and their teacher."""
    return Trainings(BASE, folder / "checkpoints", cache_folder() / "features", runs / TEACHERS)


def contestants() -> Iterator[Contestant]:
    """All rows of the table, the plain ones first."""
    yield Contestant("dense", "calibrated", _then(Int8()))
    yield Contestant("dense", "QAT", _then(Int8(epochs=QAT)))
    for channels, projection, hidden in ((16, 32, 56), (16, 24, 40), (16, 16, 24), (6, 12, 12)):
        narrow = replace(BASE.student, channels=channels, projection=projection, hidden=hidden)
        yield Contestant("narrow", f"{hidden} units", replace(_then(Int8()), student=narrow))
    for name, prune in pruned().items():
        yield Contestant("pruned", name, _then(prune, Int8()))
    for name, low_rank in factored().items():
        yield Contestant("low rank", name, _then(low_rank, Int8()))
    for kilobytes in (10, 25):
        for cell in CELLS:
            student = sized(BASE.student, cell, 1000 * kilobytes, len(BASE.mix.labels))
            recipe = replace(_then(*(Int8(),) * cell.deployed), student=student)
            yield Contestant("cells", f"{cell.name}, {kilobytes} KB of weights", recipe)
    for name, int8 in quantized().items():
        yield Contestant("quantized", name, _then(int8))
    for name, methods in composed().items():
        yield Contestant("composed", name, _then(*methods))
    for name, student in searched().items():
        yield Contestant("searched", name, replace(_then(*SEARCHED), student=student))
    yield Contestant("taught", "labels only", replace(_then(Int8()), soft=0.0))
    yield Contestant("taught", "with the teacher's hint", replace(_then(Int8()), hint=1.0))


def pruned() -> dict[str, Method]:
    """The same share of zeros, chosen in different ways; and whole units."""
    return {
        "blocks of 8x1": BLOCKS,
        "blocks of 16x1": replace(BLOCKS, block=(16, 1)),
        "single weights": replace(BLOCKS, block=(1, 1)),
        "90 % of single weights": replace(BLOCKS, block=(1, 1), sparsity=0.9, smallest=512),
        "98 % of single weights": replace(BLOCKS, block=(1, 1), sparsity=0.98, smallest=512),
        "8x1, over the whole model": replace(BLOCKS, scope="model"),
        "8x1, by gradients": replace(BLOCKS, score=Gradient()),
        "8x1, by movement": replace(BLOCKS, score=Movement()),
        "8x1, at once": replace(BLOCKS, ramp=0.0),
        "8x1, more of r and z": replace(BLOCKS, gates=(0.75, 0.69, 0.45)),
        "whole units": RemoveUnits(keep=0.64, epochs=HEALING, rounds=4),
    }


def factored() -> dict[str, Method]:
    """GRU matrices of low rank."""
    return {
        "rank 16": LowRank(Fixed(16), HEALING),
        "rank 16, of the weights alone": LowRank(Fixed(16), HEALING, data_aware=False),
        "90 % of the energy": LowRank(Energy(0.9), HEALING),
        "rank by validation": LowRank(Validated(), HEALING),
    }


def quantized() -> dict[str, Int8]:
    """Weights on other grids than 255 levels a row: all but the first two run on every engine."""
    powers = Int8(epochs=QAT, learning_rate=4e-3, weights=PowersOfTwo())
    return {
        "16 bits, calibrated": Int8(weights=Linear(16)),
        "8 bits without symmetry, calibrated": Int8(weights=Linear(8, range=LeastError(), symmetric=False)),
        "8 bits, a unit a matrix, calibrated": Int8(weights=Linear(8, per="matrix")),
        "8 bits, least error, calibrated": Int8(weights=Linear(8, range=LeastError())),
        "4 bits, calibrated": Int8(weights=Linear(4, range=LeastError())),
        "powers of two, calibrated": Int8(weights=PowersOfTwo()),
        "powers of two, QAT": powers,
        "powers of two, a unit a matrix, QAT": replace(powers, weights=PowersOfTwo(per="matrix")),
        "4 bits, QAT": replace(powers, weights=Linear(4, range=LeastError())),
        "4 bits without symmetry, QAT": replace(powers, weights=Linear(4, range=LeastError(), symmetric=False)),
        "sums of two powers, QAT": replace(powers, weights=PowersOfTwo(terms=2)),
    }


def composed() -> dict[str, tuple[Method, ...]]:
    """One method after another."""
    powers = quantized()["powers of two, QAT"]
    single = replace(BLOCKS, block=(1, 1))
    return {
        "single weights, powers of two": (single, powers),
        "80 % of single weights, powers of two": (replace(single, sparsity=0.8), powers),
        "blocks of 8x1, powers of two": (BLOCKS, powers),
        "rank 16, powers of two": (LowRank(Fixed(16), HEALING), powers),
        "rank 24, half of its weights, powers of two": (
            LowRank(Fixed(24), HEALING),
            replace(single, sparsity=0.5, smallest=512),
            powers,
        ),
    }


SEARCHED = replace(BLOCKS, sparsity=0.65, block=(1, 1)), quantized()["powers of two, QAT"]


def searched() -> dict[str, StudentConfig]:
    """The best that a search began with or found within a budget: always single zeros, then powers of two.

    tinyrnn search scenarios/toolbox/start.py --quick --trials 2 --board pi-zero-2w --budget size_kb=10
    """
    return {
        "within 5 KB": replace(BASE.student, channels=4, projection=16, hidden=24),
        "within 10 KB": replace(BASE.student, cell=Sru()),
        "within 20 KB": replace(BASE.student, channels=20, projection=48, hidden=104),
        "within 50 KB": replace(BASE.student, channels=32, projection=64, hidden=160),
    }


def _then(*methods: Method) -> Scenario:
    return replace(BASE, compress=methods)
