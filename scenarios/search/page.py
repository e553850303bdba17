"""The report of a search: the front as a picture and a table, what was chosen, and how the search went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scenarios.model_card import commit
from scenarios.report.content import Promise
from scenarios.report.series_content import Chart, Column, Figure, Line, Points, Row, Section, SeriesReport, Table
from scenarios.report.text import kilobytes, percent
from scenarios.report_parts import at_most, machine, now
from scenarios.search.front import Point, front, within
from scenarios.search.plan import Plan
from scenarios.search.space import Value

COLUMNS = (
    Column("Validation", 1, "%"),
    Column("Size", 1, "KB", bars=True),
    Column("Step", 1, "µs"),
    Column("A second of audio", 0, "µs"),
    Column("Memory", 1, "MB"),
)


@dataclass(frozen=True)
class Went:
    """How the search went, in numbers of candidates."""

    trained: int
    to_the_end: int
    rejected: int
    """By their costs, before any training."""

    failed: int
    """Their training or their worker failed."""


def content(
    plan: Plan, points: Sequence[Point], best: Point, went: Went, built: dict[str, Any], command: str
) -> SeriesReport:
    """Everything that report.json holds; `built` is what the finished bundle was measured at."""
    scenario = plan.recipe
    last = len(plan.rungs.shares) - 1
    full = [point for point in points if point.rung == last]
    stairs = front(within(full))
    return SeriesReport(
        name=f"{scenario.name}.search",
        title=f"{scenario.title}: what fits {plan.board}",
        summary=(
            f"{went.trained} candidates within the budget ({plan.limits}) were trained, {went.to_the_end} of them to "
            f"the end. Rejected for their costs, before any training: {went.rejected}."
        ),
        created=now(),
        commit=commit(),
        seed=scenario.seed,
        command=command,
        machine=machine(),
        warnings=(
            "Candidates are compared on the validation split after short trainings. The accuracy of the chosen bundle, "
            "fully trained, is that on the test split.",
            f"Microseconds are {plan.machine.how}.",
        ),
        notes=(
            "Validation: the share of words recognized, cold and warm, where few clips without a word set one off.",
            "Memory: the most that a fresh process on this machine held to hear a second, above a bare Python.",
            "A candidate goes on to the next rung if it is in the better half by how many others dominate it there.",
        ),
        headlines=(
            Figure("Accuracy", percent(built["accuracy"]), "", "on the test split, warm, the chosen bundle"),
            Figure("On the device", kilobytes(1000 * built["size_kb"]), "", "manifest and model.npz"),
            Figure("One step", f"{built['step_us']:.1f}", "µs", plan.machine.how),
        ),
        budget=promises(plan, built),
        sections=(
            Section("front", "The front", tables=(_table(stairs, best),), charts=(_chart(points, full, stairs, best),)),
            Section("recipes", "Their recipes", tables=(_recipes(stairs),)),
        ),
    )


def promises(plan: Plan, built: dict[str, Any]) -> tuple[Promise, ...]:
    """The budget, held against the finished bundle."""
    units = {"size_kb": "KB", "step_us": "µs", "memory_mb": "MB"}
    return tuple(at_most(name, limit, built[name], units[name]) for name, limit in plan.limits.given.items())


def _table(stairs: Sequence[Point], best: Point) -> Table:
    rows = tuple(Row(f"candidate {point.number}", _cells(point), "", point == best) for point in stairs)
    told = "Within the budget, and beaten by none in accuracy, size and cost at once; from the smallest."
    return Table(told, COLUMNS, rows)


def _cells(point: Point) -> tuple[float, ...]:
    return (point.accuracy, point.size_kb, point.step_us, point.second_us, point.memory_mb)


def _recipes(best: Sequence[Point]) -> Table:
    """Numbers in columns; what is no number stands beneath the name."""
    names = [name for name, value in best[0].values.items() if not isinstance(value, str)]
    rows = tuple(Row(f"candidate {point.number}", _numbers(point, names), _words(point)) for point in best)
    return Table("What each is made of.", tuple(Column(name, _digits(best, name)) for name in names), rows)


def _numbers(point: Point, names: Sequence[str]) -> tuple[float, ...]:
    return tuple(float(point.values[name]) for name in names)


def _words(point: Point) -> str:
    return ", ".join(f"{name} {value}" for name, value in point.values.items() if isinstance(value, str))


def _digits(best: Sequence[Point], name: str) -> int:
    values: list[Value] = [point.values[name] for point in best]
    return 0 if all(isinstance(value, int) for value in values) else 2


def _chart(points: Sequence[Point], full: Sequence[Point], stairs: Sequence[Point], best: Point) -> Chart:
    rising = _rising(stairs)
    groups = {
        "trained to the end": [point for point in within(full) if point != best],
        "over the budget, once trained": [point for point in full if not point.keeps],
        "stopped early": [point for point in points if point not in full],
        "chosen": [best],
    }
    return Chart(
        caption=(
            "Every mark is a candidate as far as it was trained; the line joins the best of their size. Hover over a "
            "mark to see which one it is."
        ),
        x_name="KB on the device",
        y_name="validation accuracy",
        lines=(Line("best of its size", tuple(p.size_kb for p in rising), tuple(p.accuracy for p in rising)),),
        points=tuple(_group(name, group) for name, group in groups.items() if group),
    )


def _group(name: str, group: Sequence[Point]) -> Points:
    return Points(name, tuple(p.size_kb for p in group), tuple(p.accuracy for p in group), tuple(map(_told, group)))


def _rising(stairs: Sequence[Point]) -> list[Point]:
    """Of the front those that no smaller one beats in accuracy: the picture has no third axis."""
    best: list[Point] = []
    for point in stairs:
        if not best or point.accuracy > best[-1].accuracy:
            best.append(point)
    return best


def _told(point: Point) -> str:
    return f"candidate {point.number}: {100 * point.accuracy:.1f} % at {point.size_kb:.1f} KB, rung {point.rung + 1}"
