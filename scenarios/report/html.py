"""report.html of a scenario that hears words, drawn from the values of report.json and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from compress.report import Stage
from scenarios.report import figures
from scenarios.report.canvas import DASHES, NAMES, SERIES
from scenarios.report.confusion_figure import confusion
from scenarios.report.content import Evaluation, Report
from scenarios.report.example_figure import colours_of, example
from scenarios.report.text import FILTERS, THIN, interval, kilobytes, microseconds, number, percent, seconds

HERE = Path(__file__).parent
WEIGHTS = "model.npz"
"""The file whose size counts: the weights, which each engine has in one form or another."""


def render(values: dict[str, Any]) -> str:
    """One self-contained page: style, figures and a few lines of script inside, nothing to load."""
    report = Report.from_dict(values)
    return (
        environment()
        .get_template("speech.html")
        .render(
            report=report,
            style=style(),
            headlines=headlines(report),
            stage_scale=Scale.over(report.stages, (seed for row in report.comparisons for seed in row.accuracies)),
            heard_scale=Scale.over(report.evaluation),
            confused=most_confused(report),
            worst_share=max((word.missed / word.clips for word in report.per_word if word.clips), default=1.0),
            figures=drawings(report),
            stage_keys=[key(name, k) for k, name in enumerate(report.curves)],
            example_keys=example_keys(report),
        )
    )


def environment() -> Environment:
    """Where the templates are, and how they write numbers."""
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,  # labels come from file names
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made


def style() -> Markup:
    """The style sheet, for inside the page."""
    return Markup((HERE / "style.css").read_text())


@dataclass(frozen=True)
class Headline:
    """A number for the top of the page."""

    what: str
    value: str
    unit: str
    detail: str

    @classmethod
    def of(cls, what: str, amount: str, detail: str) -> Headline:
        """A headline from a number with its unit: "46.9 KB"."""
        value, _, unit = amount.partition(THIN)
        return cls(what, value, unit, detail)


def headlines(report: Report) -> list[Headline]:
    """What a reader wants to know first, as far as this report knows it."""
    found = []
    best = report.evaluation[0] if report.evaluation else None
    last = report.stages[-1] if report.stages else None
    if shown := best or last:
        detail = f"{number(shown.clips)} {shown.split} clips"
        if shown.interval_95:
            detail = f"95{THIN}% interval {interval(shown.interval_95)}; {detail}"
        if best:
            detail += f", {best.condition}"
        found.append(Headline.of("Accuracy", percent(shown.accuracy), detail))
    if last:
        packed = report.sizes.files.get(WEIGHTS) if report.sizes else None
        detail = f"{number(last.parameters)} parameters, {percent(last.sparsity)} of them zero"
        if packed:
            detail = f"{WEIGHTS}, {kilobytes(last.bytes)} unpacked; {detail}"
        found.append(Headline.of("On the device", kilobytes(packed or last.bytes), detail))
    if report.engines:
        fastest = min(report.engines, key=lambda engine: engine.step_us_median)
        detail = f"median, {fastest.engine} engine; {percent(fastest.real_time_factor)} of one core in real time"
        found.append(Headline.of("One step", microseconds(fastest.step_us_median), detail))
    if report.false_accepts:
        stream = report.false_accepts[0]
        detail = f"{stream.false_accepts} in {seconds(3600 * stream.hours)} of {stream.name}"
        if stream.interval_95:
            detail += f"; 95 % interval {stream.interval_95[0]:.2g}–{stream.interval_95[1]:.2g}"
        found.append(Headline("False accepts", f"{stream.false_accepts_per_hour:.2f}", "per hour", detail))
    return found


@dataclass(frozen=True)
class Scale:
    """The common scale of the accuracy dots of a section, so that its rows can be compared by eye."""

    low: float
    high: float

    @classmethod
    def over(cls, rows: Iterable[Stage | Evaluation], more: Iterable[float] = ()) -> Scale:
        """From just below the lowest interval to just above the highest."""
        shown = [*more, *(bound for row in rows for bound in (*(row.interval_95 or ()), row.accuracy))]
        low, high = min(shown, default=0.0), max(shown, default=1.0)
        margin = max(0.002, 0.06 * (high - low))
        return cls(max(0.0, low - margin), min(1.0, high + margin))

    def at(self, accuracy: float) -> str:
        """Where a value lies, as a CSS percentage."""
        return f"{100 * (accuracy - self.low) / (self.high - self.low):.1f}%"


def most_confused(report: Report, rows: int = 10) -> list[tuple[str, str, int, int]]:
    """(said, heard, how often, of how many clips), the most frequent mistakes first."""
    if not report.confusion:
        return []
    labels = report.confusion.labels
    pairs = [
        (labels[said], labels[heard], count, sum(counts))
        for said, counts in enumerate(report.confusion.matrix)
        for heard, count in enumerate(counts)
        if count and said != heard
    ]
    pairs.sort(key=lambda pair: -pair[2])
    repeated = [pair for pair in pairs if pair[2] > 1]  # what happened once is chance, unless nothing else happened
    return (repeated or pairs)[:rows]


@dataclass(frozen=True)
class Key:
    """A line of a figure's legend."""

    name: str
    colour: str
    dash: str
    mark: str = ""
    """What stands for its points; nothing where it is a line."""


def key(name: str, k: int) -> Key:
    """The legend of the k-th series."""
    return Key(name, NAMES[k % len(SERIES) + len(NAMES) - len(SERIES)], DASHES[k % len(DASHES)])


def example_keys(report: Report) -> list[Key]:
    """The legend of the example: one line for each label with a colour."""
    if not report.example:
        return []
    shown = colours_of(report.example)
    return [Key(label, key(label, k).colour, DASHES[k // len(SERIES) % len(DASHES)]) for k, label in enumerate(shown)]


def drawings(report: Report) -> dict[str, Markup]:
    """The figures that this report has numbers for."""
    drawn = {}
    if figures.has_numbers(report.curves):
        drawn["curves"] = wide_and_narrow(lambda width: figures.curves(report.curves, width))
    if choice := report.trade_off:
        drawn["trade_off"] = wide_and_narrow(lambda width: figures.trade_off(choice, width))
    if table := report.confusion:
        drawn["confusion"] = Markup(confusion(table))
    if recording := report.example:
        drawn["example"] = wide_and_narrow(lambda width: example(recording, width))
    return drawn


def wide_and_narrow(draw: Callable[[int], str]) -> Markup:
    """A wide and a narrow drawing; the style sheet shows the one that fits."""
    wide, narrow = draw(figures.WIDE), draw(figures.NARROW)
    return Markup(f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>')
