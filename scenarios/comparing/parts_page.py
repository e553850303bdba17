"""What parts and hidden units are worth, as sections of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from device_runtime.arithmetic import Model, Sru
from scenarios.comparing.changes import FIRST, SECOND
from scenarios.report.series_content import Chart, Column, Line, Row, Section, Table

OF = {FIRST: "A", SECOND: "B"}


def parts_section(
    apart: str,
    rows: Mapping[tuple[str, str], Sequence[tuple[str, float, float]]],
    moved: Mapping[str, float],
    unit: str,
    model: Model,
) -> Section:
    """Bars for each part; `rows` hold (part, with the change, lost) of each model and way to change it.

    `model` is one of the two, which have the same layers where parts fit.
    """
    exactly = (
        "relative to the largest state of its SRU"
        if any(isinstance(layer, Sru) for layer in model.layers)
        else "exactly"
    )
    swapped = f"One part of each model was replaced by the other model's, {exactly}, and the rest left as it is."
    alone = (
        f"No part of one model fits into the other: {apart}. Instead one part of each was rounded, without training, "
        "and the rest left as it is."
    )
    return Section(
        "parts",
        "Which parts matter",
        text=alone if apart else f"{swapped} Moved: how far the weights of A lie from those of B, as a share of A's.",
        tables=tuple(_table(of, how, found, moved, unit) for (of, how), found in rows.items()),
    )


def _table(
    of: str, how: str, found: Sequence[tuple[str, float, float]], moved: Mapping[str, float], unit: str
) -> Table:
    digits = 1 if unit == "%" else 4
    columns = [Column("With it", digits, unit), Column("Lost", digits + 1, unit, bars=True)]
    if moved:
        columns.append(Column("Moved", 2))
    rows = tuple(Row(part, (result, lost, *([moved[part]] if moved else []))) for part, result, lost in found)
    return Table(f"{OF[of]} with one part {how}.", tuple(columns), rows)


def units_section(lost: Mapping[str, Sequence[float]], what: str, caption: str) -> Section:
    """A curve for each model: what is lost with each unit silenced, the most important unit first."""
    lines = tuple(
        Line(f"{OF[of]}, {len(values)} units", tuple(float(i + 1) for i in range(len(values))), tuple(_sorted(values)))
        for of, values in lost.items()
        if values
    )
    chart = Chart(caption=caption, x_name="hidden units, the most important first", y_name=what, lines=lines, level=0.0)
    return Section("units", "Which hidden units matter", charts=(chart,))


def _sorted(values: Sequence[float]) -> list[float]:
    return sorted((round(value, 6) for value in values), reverse=True)
