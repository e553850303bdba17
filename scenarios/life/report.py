"""Everything a remaining-life build measured, put into the report and held to the budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from device_runtime import bundle as bundles
from device_runtime.evaluate_life import LifeEvaluation
from device_runtime.events import Estimate
from device_runtime.session import Session
from export.parity import Parity
from scenarios import report
from scenarios.life.measure import Measured, StageResult
from scenarios.life.training import LifeTrainings
from scenarios.model_card import commit
from scenarios.report import series_page
from scenarios.report.series_content import Band, Chart, Column, Figure, Line, Row, Section, SeriesReport, Table
from scenarios.report.text import kilobytes, percent
from scenarios.report_parts import at_most, command, in_words, machine, now, where_bytes_go
from train.data.cmapss import CHANNELS

PUBLISHED = Row("LSTM (published)", (14.93, None, None, None), "arXiv 2604.27234, a baseline")
SHOWN = 3
"""Lives that are drawn: of engines that were held out, which nothing was learned from."""


def make_report(
    trainings: LifeTrainings,
    bundle: Path,
    stages: Sequence[StageResult],
    measured: Measured,
    proof: Parity,
    folder: Path,
    options: Sequence[str] = (),
) -> tuple[Path, tuple[str, ...]]:
    """Write report.html and report.json; return the page and the promises that were missed."""
    scenario, facts = trainings.scenario, measured.evaluation.as_dict()
    promises = _budget(trainings, bundle, facts)
    size, _, unit = kilobytes(bundles.read(bundle).device_bytes).partition("\u202f")
    low, high = facts["interval_95"]
    content = SeriesReport(
        name=scenario.name,
        title=scenario.title,
        summary=scenario.summary,
        created=now(),
        commit=commit(),
        seed=scenario.seed,
        command=command(scenario, options),
        machine=machine(),
        warnings=scenario.notes,
        notes=(f"{proof.frames} test cycles gave the same bits on {', '.join(proof.engines)} and in training.",),
        headlines=(
            Figure(
                "Error", f"{facts['rmse']:.2f}", "cycles", f"RMSE of {facts['units']} engines; {low:.1f}–{high:.1f}"
            ),
            Figure("NASA's score", f"{facts['nasa_score']:.0f}", detail="too late costs more than too early"),
            Figure("Within the 80 % interval", percent(facts["coverage_80"]).split("\u202f")[0], "%", "of the engines"),
            Figure("On the device", size, unit),
        ),
        budget=tuple(promises),
        sections=(
            _stages(stages, facts),
            Section("lives", "Whole lives, cycle by cycle", charts=_lives(trainings, bundle)),
            _peers(measured, facts),
            Section("engines", "Truth and estimate", charts=(_engines(measured.evaluation),)),
            Section("learned", "How it learned", charts=(_learning(trainings),)),
            _costs(measured),
        ),
        sizes=where_bytes_go(bundle),
        data=(_data(trainings),),
    )
    page, _ = report.write(content, folder, series_page.render)
    return page, tuple(in_words(promise) for promise in promises if not promise.kept)


def _budget(trainings: LifeTrainings, bundle: Path, facts: dict) -> list[report.Promise]:
    budget, opened = trainings.scenario.budget, bundles.read(bundle)
    promises = [
        at_most("size on the device", budget.size_kb, opened.device_bytes / 1000, "KB"),
        at_most("size of the whole folder", budget.folder_kb, opened.size_bytes / 1000, "KB"),
    ]
    if budget.rmse is not None:
        promises.append(at_most("root mean square error", budget.rmse, facts["rmse"], "cycles"))
    return promises


def _stages(stages: Sequence[StageResult], facts: dict) -> Section:
    sizes = Column("parameters", 0), Column("bytes", 0, bars=True), Column("training", 0, "s")
    columns = (Column("RMSE, test", 2, bars=True), Column("RMSE, held out", 2), *sizes)
    rows = [
        Row(row.name, (row.rmse, row.held_out, row.weights.parameters, row.weights.bytes, row.seconds or None), "torch")
        for row in stages
    ]
    last = stages[-1].weights
    cells = (facts["rmse"], None, last.parameters, last.bytes, None)
    rows.append(Row("bundle", cells, f"Session, {facts['engine']} engine", ours=True))
    caption = (
        "Each row is the same task after one more stage. Test: the last estimate of each test engine. Held out: all "
        "cycles of the training engines by which epochs were chosen."
    )
    return Section("stages", "From teachers to bundle", tables=(Table(caption, columns, tuple(rows)),))


def _lives(trainings: LifeTrainings, bundle: Path) -> tuple[Chart, ...]:
    """Truth and estimate over the whole lives of some engines that were held out."""
    session = Session.open(bundle)
    columns = [CHANNELS.index(name) for name in trainings.channels.names]
    charts = []
    for engine in trainings.scenario.data.train()[:: trainings.scenario.teachers][:SHOWN]:
        session.reset()
        told = [event for event in session.push(engine.values[:, columns]) if isinstance(event, Estimate)]
        cycles = tuple(float(cycle + 1) for cycle in range(len(told)))
        truth = engine.remaining().clip(max=trainings.scenario.loss.cap)
        charts.append(
            Chart(
                caption=f"Engine {engine.number} from its first cycle to its failure.",
                x_name="cycle",
                y_name="cycles left",
                lines=(
                    Line("truth, at most the cap", cycles, tuple(map(float, truth)), quiet=True),
                    Line("estimate", cycles, tuple(round(event.value, 2) for event in told)),
                ),
                bands=(
                    Band(
                        "estimate",
                        cycles,
                        tuple(round(event.low, 2) for event in told),
                        tuple(round(event.high, 2) for event in told),
                    ),
                ),
                y_low=0.0,
            )
        )
    return tuple(charts)


def _peers(measured: Measured, facts: dict) -> Section:
    columns = (Column("RMSE", 2, bars=True), Column("from", 2), Column("to", 2), Column("NASA's score", 0))
    ours = Row("this bundle", (facts["rmse"], *facts["interval_95"], facts["nasa_score"]), "int8, Session", ours=True)
    rows = [
        Row(row.name, (row.rmse, *row.interval_95, row.nasa_score))
        for row in sorted(measured.peers, key=lambda row: row.rmse)
    ]
    caption = "The last estimate of each test engine, in cycles, with a 95 % interval by a bootstrap over engines."
    return Section("peers", "Beside its peers", tables=(Table(caption, columns, (ours, *rows, PUBLISHED)),))


def _engines(found: LifeEvaluation) -> Chart:
    order = np.argsort(found.truth, kind="stable")
    x = tuple(float(place + 1) for place in range(len(order)))

    def rounded(values: np.ndarray) -> tuple[float, ...]:
        return tuple(round(float(value), 2) for value in values[order])

    return Chart(
        caption="The test engines, from the one that is nearest to its end.",
        x_name="engine, by cycles left",
        y_name="cycles left",
        lines=(
            Line("truth, at most the cap", x, rounded(found.truth), True),
            Line("estimate", x, rounded(found.estimate)),
        ),
        bands=(Band("estimate", x, rounded(found.low), rounded(found.high)),),
        y_low=0.0,
    )


def _learning(trainings: LifeTrainings) -> Chart:
    lines = tuple(
        Line(name, tuple(map(float, history.epoch)), tuple(history.validation))
        for name, history in trainings.histories.items()
    )
    return Chart("RMSE on the engines that were held out; the best epoch is kept.", "epoch", "RMSE, cycles", lines)


def _costs(measured: Measured) -> Section:
    timed = Column("one step, median", 2, "µs", bars=True), Column("99th percentile", 2, "µs")
    rows = tuple(Row(cost.engine, (cost.step_us_median, cost.step_us_p99, cost.peak_mb)) for cost in measured.costs)
    caption = "Timed in one run: the model alone. Peak memory is that of a fresh process."
    return Section(
        "speed", "Speed and memory", tables=(Table(caption, (*timed, Column("peak memory", 1, "MB")), rows),)
    )


def _data(trainings: LifeTrainings) -> report.DataSet:
    data = trainings.scenario.data
    counts = {"train": len(trainings.learned), "validation": len(trainings.held_out), "test": len(data.test())}
    return report.DataSet(data.name, data.licence, counts, used_for="engines", source=data.source)
