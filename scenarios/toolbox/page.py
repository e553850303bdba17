"""The table of methods, for RESULTS.md and as a page with the plot of accuracy against bytes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import mean

from scenarios import report
from scenarios.model_card import commit
from scenarios.report import series_page
from scenarios.report.series_content import Chart, Column, Line, Points, Row, Section, SeriesReport, Table
from scenarios.report_parts import machine, now
from scenarios.toolbox.contestant import Outcome

COLUMNS = (
    Column("warm", 1, "%", bars=True),
    Column("lowest seed", 1, "%"),
    Column("highest seed", 1, "%"),
    Column("cold", 1, "%"),
    Column("on a device", 1, "KB", bars=True),
    Column("model.native", 1, "KB"),
    Column("non-zeros", 0),
    Column("native step", 2, "us"),
    Column("trained for", 0, "s"),
    Column("seeds", 0),
)


def rows(outcomes: Sequence[Outcome]) -> list[tuple[str, Row]]:
    """Each contestant's group, and its means over the seeds; its lowest and highest warm accuracy beside."""
    made = []
    for (group, name), each in groupby(outcomes, lambda outcome: (outcome.group, outcome.name)):
        seeds = list(each)
        warm = [outcome.warm for outcome in seeds]
        cells = (
            mean(warm),
            min(warm),
            max(warm),
            mean(outcome.cold for outcome in seeds),
            mean(outcome.device_bytes for outcome in seeds) / 1000,
            mean(outcome.native_bytes for outcome in seeds) / 1000,
            mean(outcome.nonzeros for outcome in seeds),
            mean(outcome.step_us for outcome in seeds),
            mean(outcome.train_s for outcome in seeds),
            float(len(seeds)),
        )
        made.append((group, Row(f"{group}: {name}", cells)))
    return made


def markdown(outcomes: Sequence[Outcome]) -> str:
    """The table as RESULTS.md has it."""
    lines = [
        "| method | warm, mean | lowest-highest | cold | on a device | model.native | non-zeros | native step "
        "| training | seeds | differing bits |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    bits = {
        f"{group}: {name}": sum(outcome.differing_bits for outcome in each)
        for (group, name), each in groupby(outcomes, lambda outcome: (outcome.group, outcome.name))
    }
    for _, row in rows(outcomes):
        warm, low, high, cold, device, native, nonzeros, step, train, seeds = (cell or 0.0 for cell in row.cells)
        lines.append(
            f"| {row.name} | {100 * warm:.1f} % | {100 * low:.1f}-{100 * high:.1f} | {100 * cold:.1f} % | "
            f"{device:.1f} KB | {native:.1f} KB | {nonzeros:,.0f} | {step:.2f} us | {train:.0f} s | {seeds:.0f} | "
            f"{bits[row.name]} |"
        )
    return "\n".join(lines)


def front(outcomes: Sequence[Outcome]) -> Line:
    """The means that none beats in both accuracy and bytes."""
    points = sorted((row.cells[4] or 0.0, row.cells[0] or 0.0) for _, row in rows(outcomes))
    best: list[tuple[float, float]] = []
    for size, accuracy in points:
        if not best or accuracy > best[-1][1]:
            best.append((size, accuracy))
    return Line("none is better and smaller", tuple(x for x, _ in best), tuple(100 * y for _, y in best), quiet=True)


def write(outcomes: Sequence[Outcome], folder: Path) -> Path:
    """The page with the plot and the table, in `folder`."""
    table = rows(outcomes)
    points = []
    for group in dict.fromkeys(group for group, _ in table):
        own = [row for of, row in table if of == group]
        points.append(
            Points(
                group,
                tuple(row.cells[4] or 0.0 for row in own),
                tuple(100 * (row.cells[0] or 0.0) for row in own),
                tuple(f"{row.name}: {100 * (row.cells[0] or 0.0):.1f} %, {row.cells[4]:.1f} KB" for row in own),
            )
        )
    plot = Chart(
        "Mean warm accuracy over the seeds against bytes on a device; point at a mark for its name.",
        "KB on a device",
        "warm accuracy, %",
        lines=(front(outcomes),),
        points=tuple(points),
        x_is_log=True,
    )
    content = SeriesReport(
        name="toolbox",
        title="What each method buys",
        summary="Every method to make a model smaller, on the same student, data and teacher, measured on its bundle.",
        created=now(),
        commit=commit(),
        seed=0,
        command="python -m scenarios.toolbox",
        machine=machine(),
        sections=(
            Section("plot", "Accuracy against bytes", charts=(plot,)),
            Section(
                "all", "All numbers", tables=(Table("Means over the seeds.", COLUMNS, tuple(r for _, r in table)),)
            ),
        ),
    )
    return report.write(content, folder, series_page.render)[0]
