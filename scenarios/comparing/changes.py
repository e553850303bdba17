"""Models with one thing changed: a part taken from the other model, a part rounded, or a hidden unit silenced."""

from __future__ import annotations

from dataclasses import dataclass

from device_runtime.arithmetic import Model
from device_runtime.bundle import Bundle
from scenarios.comparing.parts import difference, parts
from scenarios.comparing.rounding import GRIDS, rounded
from scenarios.comparing.silence import silenced, units
from scenarios.comparing.transplant import transplant

FIRST, SECOND = "first", "second"
SWAPPED, SILENCED = "the other's", "silenced"


@dataclass(frozen=True)
class Change:
    """One of the two models with one thing changed."""

    of: str
    """FIRST or SECOND."""

    part: str
    how: str
    """SWAPPED, SILENCED, or the grid that the part was rounded to."""

    model: Model


def of_parts(first: Model, second: Model, apart: str) -> list[Change]:
    """Each part of each model changed by itself: taken from the other, or rounded where the two are `apart`."""
    return _roundings(first, second) if apart else _swaps(first, second)


def apart(first: Bundle, second: Bundle) -> str:
    """Why no part of one model fits into the other; empty where all do."""
    a, b = first.manifest, second.manifest
    if {**a.frontend, "every": 0} != {**b.frontend, "every": 0}:
        return "their frames are made differently"
    if a.labels != b.labels:
        return "their labels come in different orders"
    return difference(first.model, second.model)


def _swaps(first: Model, second: Model) -> list[Change]:
    both = [part for part in parts(first) if part in parts(second)]
    pairs = ((FIRST, second, first), (SECOND, first, second))
    return [Change(of, p.name, SWAPPED, transplant(p, giver, taker)) for p in both for of, giver, taker in pairs]


def _roundings(first: Model, second: Model) -> list[Change]:
    return [
        Change(of, part.name, how, rounded(part, model, grid))
        for of, model in ((FIRST, first), (SECOND, second))
        for part in parts(model)
        for how, grid in GRIDS.items()
    ]


def of_units(first: Model, second: Model) -> list[Change]:
    """Each hidden unit of each model silenced by itself."""
    return [
        Change(of, unit.name, SILENCED, silenced(unit, model))
        for of, model in ((FIRST, first), (SECOND, second))
        for unit in units(model)
    ]
