"""report.html of a sensor scenario, drawn from the values of its report.json and from nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from markupsafe import Markup

from scenarios.report.canvas import NAMES, SERIES
from scenarios.report.chart_figure import MARKERS, chart, marker
from scenarios.report.html import Key, environment, key, style, wide_and_narrow
from scenarios.report.series_content import Chart, Column, SeriesReport, Table
from scenarios.report.text import THIN, number, percent


def render(values: dict[str, Any]) -> str:
    """One self-contained page: style and figures inside, nothing to load."""
    report = SeriesReport.from_dict(values)
    drawn: dict[str, list[Markup]] = {}
    for section in report.sections:
        drawn[section.id] = [
            wide_and_narrow(lambda width, c=content, n=f"{section.id}{i}": chart(c, n, width))  # type: ignore[misc]
            for i, content in enumerate(section.charts)
        ]
    return (
        environment()
        .get_template("series.html")
        .render(
            report=report,
            style=style(),
            headlines=report.headlines,
            drawn=drawn,
            keys=keys,
            shades=shades,
            cell=cell,
            most=most,
        )
    )


def keys(content: Chart) -> list[Key]:
    """The legend of a chart: its lines, what was measured last and grey."""
    loud = [line.name for line in content.lines if not line.quiet]
    quiet = [line.name for line in content.lines if line.quiet]
    names = [*loud, *(band.name for band in content.bands if band.name not in loud)]
    points = [
        replace(key(group.name, k), mark=MARKERS[marker(k)]) for k, group in enumerate(content.points, start=len(loud))
    ]
    return [*(key(name, k) for k, name in enumerate(names)), *points, *(Key(name, "muted", "") for name in quiet)]


def shades(content: Chart) -> list[Key]:
    """The legend of the shaded stretches of a chart."""
    names = dict.fromkeys(span.name for span in content.spans)
    return [Key(name, NAMES[(3 + k) % len(SERIES) + len(NAMES) - len(SERIES)], "") for k, name in enumerate(names)]


def cell(value: float | None, column: Column) -> str:
    """A number as its column tells it; a dash where there is none."""
    if value is None:
        return "–"
    if column.unit == "%":
        return percent(value, column.digits)
    told = number(value) if abs(value) >= 10_000 else f"{value:.{column.digits}f}"
    return f"{told}{THIN}{column.unit}".rstrip(THIN)


def most(table: Table, at: int) -> float:
    """The largest number of a column, which has the longest bar."""
    return max((row.cells[at] or 0.0 for row in table.rows), default=0.0)
