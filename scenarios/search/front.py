"""Which candidates are worth their bytes: the Pareto front of accuracy, bytes and cost, and the one that is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scenarios.search.space import Values


@dataclass(frozen=True)
class Point:
    """One candidate, as far as it was trained."""

    number: int
    values: Values
    accuracy: float
    """On the validation split, 0..1, as epochs are chosen by."""

    size_kb: float
    step_us: float
    second_us: float
    memory_mb: float
    rung: int
    """The last one that it reached."""

    keeps: bool = True
    """Whether its trained bundle keeps the budget."""

    def dominates(self, other: Point) -> bool:
        """At least as good in everything, and better in something."""
        ours = (-self.accuracy, self.size_kb, self.second_us)
        theirs = (-other.accuracy, other.size_kb, other.second_us)
        return ours != theirs and all(a <= b for a, b in zip(ours, theirs, strict=True))


def front(points: Sequence[Point]) -> list[Point]:
    """Those that none dominates, from the smallest."""
    best = [point for point in points if not any(other.dominates(point) for other in points)]
    return sorted(best, key=lambda point: (point.size_kb, -point.accuracy))


def within(points: Sequence[Point]) -> list[Point]:
    """Those whose trained bundles keep the budget."""
    return [point for point in points if point.keeps]


def chosen(points: Sequence[Point]) -> Point | None:
    """The most accurate one within the budget, of equals the smallest, then the fastest; None where there is none."""
    return max(within(points), key=lambda p: (p.accuracy, -p.size_kb, -p.second_us), default=None)


def goes_on(own: Point, others: Sequence[Point], keep: float) -> bool:
    """Whether a candidate is among the better share `keep` of all that reached its rung.

    They are ranked by how many others dominate them, so that a small candidate is not held to what a large one can do:
    successive halving for several objectives (Schmucker et al. 2021, arXiv:2106.12639), asynchronous as in ASHA (Li et
    al. 2020, arXiv:1810.05934): nobody waits until the rung is full, and the first ones always go on.
    """
    everyone = [*others, own]
    beaten = {id(point): sum(other.dominates(point) for other in everyone) for point in everyone}
    better = sum(beaten[id(point)] < beaten[id(own)] for point in others)
    return better < max(1.0, keep * len(everyone))
