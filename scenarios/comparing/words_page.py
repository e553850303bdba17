"""The report of a comparison of bundles that hear words: flips, labels, parts, hidden units, and clips that flipped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.session import Session, Step
from scenarios.comparing.changes import FIRST, SECOND
from scenarios.comparing.flips import BROKEN, DIRECTIONS, FIXED, OTHER, Flip, counted
from scenarios.comparing.parts_page import parts_section, units_section
from scenarios.comparing.tape import warm_audio
from scenarios.comparing.words import WordsComparison
from scenarios.model_card import commit
from scenarios.report.series_content import (
    Chart,
    Column,
    Figure,
    Line,
    Points,
    Row,
    Section,
    SeriesReport,
    Shade,
    Table,
)
from scenarios.report_parts import machine, now

SHOWN = {BROKEN: 3, FIXED: 2, OTHER: 1}
"""So many clips of each direction are drawn."""

MOST_CONFUSIONS = 20


def content(found: WordsComparison, seed: int, command: str) -> SeriesReport:
    """Everything that report.json holds."""
    names = [session.bundle.manifest.name for session in found.sessions]
    pair = found.paired()
    low, high = pair.interval_95
    directions = counted(found.flips)
    clips = pair.examples
    return SeriesReport(
        name=f"{names[0]}.{names[1]}.compared",
        title=f"{names[0]} and {names[1]}",
        summary=(
            f"A is {names[0]}, B is {names[1]}. Both heard the same {clips} clips, warm, as a device does, and decide "
            f"{len(found.flips)} of them differently."
        ),
        created=now(),
        commit=commit(),
        seed=seed,
        command=command,
        machine=machine(),
        notes=(
            "p: the exact test of McNemar, two-sided; the interval of the difference is Newcombe's (1998, method 10). "
            "Both take clips for independent, although a speaker says many of them.",
            "Parts and units are measured in the exact int8 arithmetic, on the first of the clips, which are in random "
            f"order: {found.part_clips} for parts and {found.unit_clips} for units.",
        ),
        headlines=(
            Figure("Change of accuracy", f"{100 * pair.difference:+.1f}", "points", _from_to(low, high)),
            Figure("Right to wrong", str(directions[BROKEN]), "", f"of {clips} clips"),
            Figure("Wrong to right", str(directions[FIXED]), "", f"and {directions[OTHER]} from wrong to other wrong"),
            Figure("p", f"{pair.p_value:.2g}", "", "that flips went either way by a coin"),
        ),
        sections=(
            Section("all", "What changed in all", tables=(_conditions(found),)),
            Section("flips", "Which labels flipped", charts=_by_label(found), tables=_labels(found)),
            Section("confusions", "Which confusions grew", tables=_confusions(found)),
            _parts(found),
            _units(found),
            Section(
                "clips",
                "Clips that flipped",
                text="Smoothed scores over the end of the clip before, and the clip itself in the shaded stretch.",
                charts=tuple(_examples(found)),
            ),
        ),
    )


def _from_to(low: float, high: float) -> str:
    return f"95 % interval {100 * low:+.1f} to {100 * high:+.1f}"


def _conditions(found: WordsComparison) -> Table:
    rows = []
    for condition in ("warm", "cold"):
        pair = found.paired(condition)
        first, second = pair.both + pair.first, pair.both + pair.second
        flipped = (pair.first, pair.second)
        cells = (first / pair.examples, second / pair.examples, pair.difference, *pair.interval_95, *flipped)
        rows.append(Row(condition, (*cells, pair.p_value)))
    columns = (
        Column("A", 1, "%"),
        Column("B", 1, "%"),
        Column("B less A", 2, "%"),
        Column("at least", 2, "%"),
        Column("at most", 2, "%"),
        Column("A alone right", 0),
        Column("B alone right", 0),
        Column("p", 4),
    )
    return Table("Warm: after another clip, as a device hears it. Cold: from silence.", columns, tuple(rows))


def _by_label(found: WordsComparison) -> tuple[Chart, ...]:
    """A mark for each label: up what was won, down what was lost."""
    changed = sorted((change for change in found.labels if change.flips), key=lambda c: (c.second - c.first, c.label))
    if not changed:
        return ()
    groups = {"won": (FIXED, 1), "lost": (BROKEN, -1)}
    points = tuple(
        Points(
            name,
            tuple(float(at + 1) for at, change in enumerate(changed) if change.flips[direction]),
            tuple(float(sign * change.flips[direction]) for change in changed if change.flips[direction]),
            tuple(f"{c.label}: {c.flips[direction]} {direction}" for c in changed if c.flips[direction]),
        )
        for name, (direction, sign) in groups.items()
    )
    net = Line(
        "won less lost",
        tuple(float(at + 1) for at in range(len(changed))),
        tuple(float(change.second - change.first) for change in changed),
    )
    caption = "Clips that each label won and lost, from the label that lost most. Hover over a mark to see its name."
    chart = Chart(caption, "labels", "clips", lines=(net,), points=tuple(p for p in points if p.x), level=0.0)
    return (chart,)


def _labels(found: WordsComparison) -> tuple[Table, ...]:
    columns = (
        Column("Clips", 0),
        Column("A", 1, "%"),
        Column("B", 1, "%"),
        *(Column(direction[0].upper() + direction[1:], 0, bars=True) for direction in DIRECTIONS),
    )
    changed = sorted((c for c in found.labels if c.flips), key=lambda c: ((c.second - c.first) / c.clips, c.label))
    rows = tuple(
        Row(
            c.label,
            (c.clips, c.first / c.clips, c.second / c.clips, *(c.flips[direction] for direction in DIRECTIONS)),
            ", ".join(f"{other} {before} → {after}" for other, before, after in c.grown[:4]),
        )
        for c in changed
    )
    caption = "Labels with a flip, the most lost first; beneath each what it is taken for more often."
    return (Table(caption, columns, rows),) if rows else ()


def _confusions(found: WordsComparison) -> tuple[Table, ...]:
    grown = found.grown()[:MOST_CONFUSIONS]
    rows = tuple(Row(f"{said} → {other}", (before, after)) for said, other, before, after in grown)
    columns = (Column("A", 0), Column("B", 0, bars=True))
    return (Table("What was said → what it was taken for, in clips.", columns, rows),) if rows else ()


def _parts(found: WordsComparison) -> Section:
    rows: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
    for result in found.parts:
        cells = (result.part, result.accuracy, -result.against.difference)
        rows.setdefault((result.of, result.how), []).append(cells)
    return parts_section(found.apart, rows, found.moved, "%", found.sessions[0].bundle.model)


def _units(found: WordsComparison) -> Section:
    lost = {of: [unit.lost for unit in found.units if unit.of == of] for of in (FIRST, SECOND)}
    caption = (
        "By how much the highest smoothed score of the word that was said falls on average when the state of one unit "
        "is kept at zero. Below zero the model does better without the unit."
    )
    return units_section(lost, "score lost", caption)


def _examples(found: WordsComparison) -> Iterator[Chart]:
    chosen: list[Flip] = []
    for direction, count in SHOWN.items():
        chosen += [flip for flip in found.flips if flip.direction == direction][:count]
    audio = _audio(found.sessions[0], found, [flip.at for flip in chosen])
    for flip in chosen:
        before, heard = audio[flip.at]
        yield _example(flip, found.sessions, before, heard)


def _audio(session: Session, found: WordsComparison, wanted: Sequence[int]) -> dict[int, tuple[Float32, Float32]]:
    kept = {}
    for at, played in enumerate(warm_audio(session, found.evaluations[0])):
        if at in wanted:
            kept[at] = played
        if len(kept) == len(set(wanted)):
            break
    return kept


def _example(flip: Flip, sessions: tuple[Session, Session], before: Float32, heard: Float32) -> Chart:
    """The scores of what was said and of what either model took it for."""
    shown = list(dict.fromkeys([flip.clip.truth, flip.first, flip.second]))
    lines = []
    for letter, session in zip("AB", sessions, strict=True):
        session.reset()
        steps = list(session.listen(np.concatenate([before, heard])))
        labels = [label for label in shown if label in session.labels]
        lines += [_line(letter, label, session, steps) for label in labels]
    rate = int(sessions[0].frontend.sample_rate_hz)
    begin = len(before) / rate
    return Chart(
        caption=f"“{flip.clip.truth}”: A takes it for {flip.first}, B for {flip.second} ({flip.direction}).",
        x_name="seconds",
        y_name="score",
        lines=tuple(lines),
        spans=(Shade("the clip", begin, begin + len(heard) / rate),),
        y_low=0.0,
        y_high=1.0,
    )


def _line(letter: str, label: str, session: Session, steps: Sequence[Step]) -> Line:
    at = session.labels.index(label)
    times = tuple(round(step.time_s, 3) for step in steps)
    return Line(f"{letter}: {label}", times, tuple(round(float(step.scores[at]), 4) for step in steps))
