"""What the report of a sensor scenario says: tables and charts in sections, beside what every report has.

Forecasts, anomalies and remaining life are judged by different numbers, so the sections are put together by whoever
measured. Every number is in report.json, and the page is drawn from it alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scenarios.report import plain
from scenarios.report.content import DataSet, Promise, Series, Sizes


@dataclass(frozen=True)
class SeriesReport:
    """Everything that one build of a sensor scenario found out."""

    name: str
    title: str
    summary: str
    """One paragraph: what was built, from what, for whom."""
    created: str
    """ISO date or date and time."""
    commit: str
    seed: int
    command: str = ""
    """What to type to make this report again."""
    machine: str = ""
    """Where times and memory were measured: processor, threads, operating system."""
    warnings: tuple[str, ...] = ()
    """What a reader must know before believing the numbers; shown at the top."""
    notes: tuple[str, ...] = ()
    headlines: tuple[Figure, ...] = ()
    budget: tuple[Promise, ...] = ()
    sections: tuple[Section, ...] = ()
    """In the order of the questions that a reader asks."""
    sizes: Sizes | None = None
    data: tuple[DataSet, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        values: dict[str, Any] = plain.to_plain(self)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SeriesReport:
        """The report that `as_dict` wrote; InputError names the value that does not fit."""
        return plain.from_plain(cls, values)


@dataclass(frozen=True)
class Figure:
    """A number for the top of the page."""

    what: str
    value: str
    unit: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Section:
    """One question and its answer: a few sentences, tables, charts."""

    id: str
    """Lower case, without spaces: the anchor of links to it."""
    title: str
    text: str = ""
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()


@dataclass(frozen=True)
class Table:
    """Models or conditions in rows, what was measured in columns."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Column:
    """One measure, with how many digits it is told."""

    name: str
    digits: int = 3
    unit: str = ""
    """Behind each number; "%" takes fractions."""
    bars: bool = False
    """Whether the cells are drawn as bars too, for the eye to compare."""


@dataclass(frozen=True)
class Row:
    """One model; None where a number does not apply."""

    name: str
    cells: Series
    note: str = ""
    ours: bool = False
    """What ships: marked, so that it is found among its peers."""


@dataclass(frozen=True)
class Chart:
    """Lines over one axis, with bands, marked moments and shaded spans."""

    caption: str
    x_name: str
    y_name: str
    lines: tuple[Line, ...] = ()
    bands: tuple[Band, ...] = ()
    marks: tuple[Mark, ...] = ()
    spans: tuple[Shade, ...] = ()
    points: tuple[Points, ...] = ()
    x_is_time: bool = False
    """x counts seconds since 1970 UTC, and is shown as dates."""
    level: float | None = None
    """A value worth a dashed line: a threshold, a promised coverage."""
    x_is_log: bool = False
    """Whether equal distances along x are equal ratios."""
    y_low: float | None = None
    y_high: float | None = None


@dataclass(frozen=True)
class Line:
    """A series of points; None in y is a gap."""

    name: str
    x: tuple[float, ...]
    y: Series
    quiet: bool = False
    """Drawn thin and grey: what was measured, behind what was forecast."""


@dataclass(frozen=True)
class Band:
    """The range between two lines, such as an interval."""

    name: str
    x: tuple[float, ...]
    low: Series
    high: Series


@dataclass(frozen=True)
class Mark:
    """A moment: an event."""

    x: float
    name: str
    y: float | None = None
    """Where on the line it is; without it, a line over the whole height."""


@dataclass(frozen=True)
class Shade:
    """A stretch of time: a labelled anomaly, a gap."""

    name: str
    start: float
    end: float


@dataclass(frozen=True)
class Points:
    """Things of one kind, each by itself: a mark of their own, and a name at each."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    titles: tuple[str, ...] = ()
    """What each point is called when it is pointed at."""
