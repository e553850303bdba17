"""The table of methods, for RESULTS.md and as a page with the plot against bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import mean

from scenarios import report
from scenarios.model_card import commit
from scenarios.report import series_page
from scenarios.report.series_content import Chart, Column, Line, Points, Row, Section, SeriesReport, Table
from scenarios.report_parts import machine, now
from scenarios.toolbox.contestant import Outcome
from scenarios.toolbox.task import Shown, Task, formats

COLUMNS = (
    Column("on a device", 1, "KB", bars=True),
    Column("model.native", 1, "KB"),
    Column("non-zeros", 0),
    Column("native step", 2, "us"),
    Column("trained for", 0, "s"),
    Column("seeds", 0),
    Column("differing bits", 0),
)
"""Behind those that the task shows, and the headline's of the lowest and the highest seed."""


@dataclass(frozen=True)
class Mean:
    """One contestant over its seeds."""

    group: str
    name: str
    measured: tuple[float, ...]
    lowest: float
    highest: float
    device_kb: float
    native_kb: float
    nonzeros: float
    step_us: float
    train_s: float
    seeds: int
    differing_bits: int

    @property
    def title(self) -> str:
        """Of its row."""
        return f"{self.group}: {self.name}"

    @property
    def is_bundled(self) -> bool:
        """Else it was measured in torch, and no engine runs it."""
        return self.native_kb > 0

    @property
    def row(self) -> Row:
        """Of the page's table."""
        native, step, bits = (
            value if self.is_bundled else None for value in (self.native_kb, self.step_us, float(self.differing_bits))
        )
        behind = (self.lowest, self.highest, self.device_kb, native, self.nonzeros, step, self.train_s)
        return Row(self.title, (*self.measured, *behind, float(self.seeds), bits))


def means(outcomes: Sequence[Outcome]) -> list[Mean]:
    """Each contestant over its seeds, in the order of the outcomes."""
    return [_mean(list(each)) for _, each in groupby(outcomes, lambda outcome: (outcome.group, outcome.name))]


def _mean(seeds: list[Outcome]) -> Mean:
    headlines = [outcome.headline for outcome in seeds]
    return Mean(
        group=seeds[0].group,
        name=seeds[0].name,
        measured=tuple(mean(outcome.measured[name] for outcome in seeds) for name in seeds[0].measured),
        lowest=min(headlines),
        highest=max(headlines),
        device_kb=mean(outcome.device_bytes for outcome in seeds) / 1000,
        native_kb=mean(outcome.native_bytes for outcome in seeds) / 1000,
        nonzeros=mean(outcome.nonzeros for outcome in seeds),
        step_us=mean(outcome.step_us for outcome in seeds),
        train_s=mean(outcome.train_s for outcome in seeds),
        seeds=len(seeds),
        differing_bits=sum(outcome.differing_bits for outcome in seeds),
    )


def markdown(outcomes: Sequence[Outcome], shown: Shown) -> str:
    """The table as RESULTS.md has it."""
    names = [column.name for column in shown.columns]
    told = list(formats(shown).values())
    head = ["method", *names, f"{names[0]}, lowest-highest", "on a device", "model.native", "non-zeros", "native step"]
    head += ["training", "seeds", "differing bits"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for m in means(outcomes):
        measured = [form.format(value) for form, value in zip(told, m.measured, strict=True)]
        span = f"{told[0].format(m.lowest)}-{told[0].format(m.highest)}"
        told_native = [f"{m.native_kb:.1f} KB", f"{m.step_us:.2f} us", f"{m.differing_bits}"]
        native, step, bits = told_native if m.is_bundled else ("-", "-", "-")
        cells = [m.title, *measured, span, f"{m.device_kb:.1f} KB", native, f"{m.nonzeros:,.0f}"]
        cells += [step, f"{m.train_s:.0f} s", f"{m.seeds}", bits]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def front(outcomes: Sequence[Outcome], shown: Shown) -> Line:
    """The means that none beats in both the headline and bytes."""
    sign = 1 if shown.higher_is_better else -1
    best: list[tuple[float, float]] = []
    for size, value in sorted((m.device_kb, m.measured[0]) for m in _drawn(means(outcomes), shown)):
        if not best or sign * value > sign * best[-1][1]:
            best.append((size, value))
    y = tuple(shown.times * value for _, value in best)
    return Line("none is better and smaller", tuple(size for size, _ in best), y, quiet=True)


def _drawn(table: list[Mean], shown: Shown) -> list[Mean]:
    """All where none is good enough."""
    return [m for m in table if shown.is_drawn(m.measured[0])] or table


def write(outcomes: Sequence[Outcome], task: Task, folder: Path) -> Path:
    """The page with the plot and the table, in `folder`."""
    shown, table = task.SHOWN, means(outcomes)
    told = next(iter(formats(shown).values()))
    drawn = _drawn(table, shown)
    points = []
    for group in dict.fromkeys(m.group for m in drawn):
        own = [m for m in drawn if m.group == group]
        titles = tuple(f"{m.title}: {told.format(m.measured[0])}, {m.device_kb:.1f} KB" for m in own)
        x, y = tuple(m.device_kb for m in own), tuple(shown.times * m.measured[0] for m in own)
        points.append(Points(group, x, y, titles))
    left_out = f" What is worse than {shown.worst:g} is in the table alone." if len(drawn) < len(table) else ""
    plot = Chart(
        f"Mean {shown.axis} over the seeds against bytes on a device; point at a mark for its name.{left_out}",
        "KB on a device",
        shown.axis,
        lines=(front(outcomes, shown),),
        points=tuple(points),
        x_is_log=True,
    )
    spread = tuple(replace(shown.columns[0], name=f"{which} seed", bars=False) for which in ("lowest", "highest"))
    columns = (*shown.columns, *spread, *COLUMNS)
    everything = Table("Means over the seeds.", columns, tuple(m.row for m in table))
    content = SeriesReport(
        name=f"toolbox_{task.NAME}",
        title=f"What each method buys: {task.NAME}",
        summary="Every method to make a model smaller, on the same student, data and teacher, measured on its bundle.",
        created=now(),
        commit=commit(),
        seed=0,
        command=f"python -m scenarios.toolbox {task.NAME}",
        machine=machine(),
        sections=(
            Section("plot", "Against bytes", charts=(plot,)),
            Section("all", "All numbers", tables=(everything,)),
        ),
    )
    return report.write(content, folder, series_page.render)[0]
