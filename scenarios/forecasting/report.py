"""Everything a forecasting build measured, put into the report and held to the budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from device_runtime import bundle as bundles
from export.parity import Parity
from scenarios import report
from scenarios.forecasting.charts import by_step, learning, over_the_data
from scenarios.forecasting.measure import Measured, PeerResult, StageResult
from scenarios.forecasting.training import ForecastTrainings
from scenarios.model_card import commit
from scenarios.report import series_page
from scenarios.report.series_content import Column, Figure, Row, Section, SeriesReport, Table
from scenarios.report.text import kilobytes, number, percent
from scenarios.report_parts import at_least, at_most, command, in_words, machine, now, where_bytes_go
from train.data.dataset import SPLITS

LINEAR = ("linear", "cross-period")
"""How the names of linear peers begin."""


NAIVE = ("last value", "seasonal naive")
"""What costs nothing: a model that does not beat it has no use."""


def make_report(
    trainings: ForecastTrainings,
    bundle: Path,
    stages: list[StageResult],
    measured: Measured,
    proof: Parity,
    folder: Path,
    options: Sequence[str] = (),
) -> tuple[Path, tuple[str, ...]]:
    """Write report.html and report.json; return the page and the promises that were missed."""
    scenario = trainings.scenario
    promises = _budget(trainings, bundle, measured)
    content = SeriesReport(
        name=scenario.name,
        title=scenario.title,
        summary=scenario.summary,
        created=now(),
        commit=commit(),
        seed=scenario.seed,
        command=command(scenario, options),
        machine=machine(),
        warnings=(*scenario.notes, *_where_simple_wins(measured)),
        notes=(f"{proof.frames} test frames gave the same bits on {', '.join(proof.engines)} and in training.",),
        headlines=_headlines(bundle, measured),
        budget=tuple(promises),
        sections=(
            _stages(stages, measured),
            Section(
                "forecasts",
                "Forecasts over the data",
                "The first channel's forecasts as the device told them, one behind the other, with their intervals.",
                charts=over_the_data(trainings, bundle),
            ),
            _peers(measured),
            Section("ahead", "The further ahead, the less sure", charts=by_step(measured.evaluation)),
            Section("learned", "How it learned", charts=learning(trainings.histories)),
            _engines(trainings, measured),
        ),
        sizes=where_bytes_go(bundle),
        data=(_data(trainings),),
    )
    page, _ = report.write(content, folder, series_page.render)
    return page, tuple(in_words(promise) for promise in promises if not promise.kept)


def _budget(trainings: ForecastTrainings, bundle: Path, measured: Measured) -> list[report.Promise]:
    budget, facts = trainings.scenario.budget, measured.evaluation.as_dict()
    opened = bundles.read(bundle)
    promises = [
        at_most("size on the device", budget.size_kb, opened.device_bytes / 1000, "KB"),
        at_most("size of the whole folder", budget.folder_kb, opened.size_bytes / 1000, "KB"),
        at_least("coverage of the interval", budget.coverage[0], facts["coverage_80"], "%"),
        at_most("coverage of the interval", budget.coverage[1], facts["coverage_80"], "%"),
    ]
    if budget.mse is not None:
        promises.append(at_most("mean squared error", budget.mse, facts["mse"], ""))
    if budget.mae is not None:
        promises.append(at_most("mean absolute error", budget.mae, facts["mae"], ""))
    linear = [row for row in measured.peers if row.name.startswith(LINEAR)]
    if linear and not budget.worse_than_linear:
        best = min(linear, key=lambda row: row.mse)
        what = f"squared error above that of {best.name}, beyond chance"
        promises.append(at_most(what, 0.0, max(0.0, best.squared.low), ""))
    return promises


def _where_simple_wins(measured: Measured) -> tuple[str, ...]:
    """What a reader must know before using the bundle at all."""
    better = [row.name for row in measured.peers if row.squared.is_worse or row.absolute.is_worse]
    naive = [row.name for row in measured.peers if row.name in NAIVE and not row.squared.is_better]
    told = []
    if better:
        told.append(f"On these windows {', '.join(better)} is better beyond chance: use that instead.")
    elif naive:
        told.append(
            f"On these windows the bundle is no better than {', '.join(naive)} beyond chance: use that instead."
        )
    return tuple(told)


def _headlines(bundle: Path, measured: Measured) -> tuple[Figure, ...]:
    facts = measured.evaluation.as_dict()
    size, _, unit = kilobytes(bundles.read(bundle).device_bytes).partition("\u202f")
    windows = f"{number(facts['windows'])} windows of the test part, {facts['horizon']} samples ahead"
    fastest = min(measured.costs, key=lambda cost: cost.step_us_median)
    return (
        Figure("Mean squared error", f"{facts['mse']:.3f}", detail=f"in squared deviations; {windows}"),
        Figure("Mean absolute error", f"{facts['mae']:.3f}", detail="in deviations of the training part"),
        Figure("Within the 80 % interval", percent(facts["coverage_80"]).split("\u202f")[0], "%", "of the readings"),
        Figure("On the device", size, unit, f"one step {fastest.step_us_median:.3g} µs, {fastest.engine} engine"),
    )


def _stages(stages: list[StageResult], measured: Measured) -> Section:
    facts = measured.evaluation.as_dict()
    columns = (
        Column("MSE", bars=True),
        Column("MAE", bars=True),
        Column("parameters", 0),
        Column("not zero", 0),
        Column("bytes", 0, bars=True),
        Column("training", 0, "s"),
    )
    rows = [
        Row(
            row.name,
            (row.mse, row.mae, row.weights.parameters, row.weights.nonzeros, row.weights.bytes, row.seconds),
            row.measured_with,
        )
        for row in stages
    ]
    last = stages[-1].weights
    shipped = (facts["mse"], facts["mae"], last.parameters, last.nonzeros, last.bytes, None)
    rows.append(Row("bundle", shipped, f"Session, {facts['engine']} engine", ours=True))
    caption = "Each row is the same task after one more stage: errors of the median on every window of the test part."
    return Section("stages", "From teacher to bundle", tables=(Table(caption, columns, tuple(rows)),))


def _peers(measured: Measured) -> Section:
    facts = measured.evaluation.as_dict()
    columns = (
        Column("MSE", bars=True),
        Column("MAE", bars=True),
        Column("bundle's MSE minus its", 4),
        Column("from", 4),
        Column("to", 4),
    )
    rows = [Row("this bundle", (facts["mse"], facts["mae"], None, None, None), "int8, Session", ours=True)]
    for row in sorted(measured.peers, key=lambda row: row.mse):
        cells = (row.mse, row.mae, row.squared.mean, row.squared.low, row.squared.high)
        rows.append(Row(row.name, cells, _verdict(row)))
    caption = (
        "All on the same windows of the test part. The difference has its 95 % interval from a paired block bootstrap: "
        "an interval that holds zero means that the weeks decide, not the models."
    )
    return Section("peers", "Beside its peers", tables=(Table(caption, columns, tuple(rows)),))


def _verdict(row: PeerResult) -> str:
    if row.squared.is_better:
        return "the bundle is better beyond chance"
    return "better than the bundle beyond chance" if row.squared.is_worse else "no difference beyond chance"


def _engines(trainings: ForecastTrainings, measured: Measured) -> Section:
    config = trainings.scenario.forecaster
    steps = config.segments * len(trainings.series.channels)
    columns = (
        Column("one step, median", 2, "µs", bars=True),
        Column("99th percentile", 2, "µs"),
        Column("steps of a forecast", 2, "ms"),
        Column("peak memory", 1, "MB"),
    )
    rows = tuple(
        Row(cost.engine, (cost.step_us_median, cost.step_us_p99, steps * cost.step_us_median / 1000, cost.peak_mb))
        for cost in measured.costs
    )
    caption = (
        f"Timed in one run. A forecast of all {len(trainings.series.channels)} channels takes {steps} steps; "
        "the front end and the decoder come on top. Peak memory is that of a fresh process."
    )
    return Section("speed", "Speed and memory", tables=(Table(caption, columns, rows),))


def _data(trainings: ForecastTrainings) -> report.DataSet:
    data, series = trainings.scenario.data, trainings.series
    return report.DataSet(
        name=data.name,
        licence=data.licence,
        splits={split: len(series.part(split)) for split in SPLITS},
        synthetic="synthetic" in data.licence,
        used_for=f"{len(series.channels)} channels, a sample every {series.interval_s:g} s",
        source=data.source,
    )
