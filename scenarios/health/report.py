"""Everything a machine-health build measured, put into the report and held to the budget."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from device_runtime import bundle as bundles
from device_runtime.nab_score import PROFILES
from export.parity import Parity
from scenarios import report
from scenarios.health.charts import surprises
from scenarios.health.measure import Measured, StageResult
from scenarios.health.scenario import HealthScenario
from scenarios.model_card import commit
from scenarios.report import series_page
from scenarios.report.series_content import Chart, Column, Figure, Line, Row, Section, SeriesReport, Table
from scenarios.report.text import kilobytes
from scenarios.report_parts import at_least, at_most, command, in_words, machine, now, where_bytes_go
from train.loop import History

STANDARD, LOW_FP, LOW_FN = (profile.name for profile in PROFILES)
SCORES = (Column("standard", 1, bars=True), Column("low FP", 1), Column("low FN", 1))


def make_report(
    scenario: HealthScenario,
    bundle: Path,
    stages: Sequence[StageResult],
    measured: Measured,
    proof: Parity,
    history: History,
    folder: Path,
    options: Sequence[str] = (),
) -> tuple[Path, tuple[str, ...]]:
    """Write report.html and report.json; return the page and the promises that were missed."""
    promises = _budget(scenario, bundle, measured)
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
        notes=(f"{proof.frames} frames of the benchmark gave the same bits on {', '.join(proof.engines)}.",),
        headlines=_headlines(bundle, measured),
        budget=tuple(promises),
        sections=(
            _detectors(measured),
            Section(
                "surprise",
                "Readings and surprises",
                "What was read, how surprising it was to the bundle, and where people had marked a failure.",
                charts=surprises(bundle, scenario),
            ),
            _categories(measured),
            _stages(stages),
            Section("learned", "How it learned", charts=(_learning(history),)),
            _engines(measured),
        ),
        sizes=where_bytes_go(bundle),
        data=_data(scenario),
    )
    page, _ = report.write(content, folder, series_page.render)
    return page, tuple(in_words(promise) for promise in promises if not promise.kept)


def _protocol(measured: Measured, profile: str) -> float:
    """By the benchmark's own protocol: the threshold that is best on its files."""
    return float(measured.numbers["threshold_chosen_on_all_files"][profile]["score"])


def _budget(scenario: HealthScenario, bundle: Path, measured: Measured) -> list[report.Promise]:
    budget, opened = scenario.budget, bundles.read(bundle)
    promises = [
        at_most("size on the device", budget.size_kb, opened.device_bytes / 1000, "KB"),
        at_most("size of the whole folder", budget.folder_kb, opened.size_bytes / 1000, "KB"),
        at_most("a sample, reference engine", budget.sample_us, measured.numbers["microseconds_a_sample"], "us"),
    ]
    if budget.nab is not None:
        promises.append(at_least("NAB, standard profile", budget.nab, _protocol(measured, STANDARD), ""))
    return promises


def _headlines(bundle: Path, measured: Measured) -> tuple[Figure, ...]:
    numbers = measured.numbers
    size, _, unit = kilobytes(bundles.read(bundle).device_bytes).partition("\u202f")
    return (
        Figure("NAB, standard", f"{_protocol(measured, STANDARD):.1f}", detail="by its protocol; 100 is perfect"),
        Figure(
            "At the shipped threshold",
            f"{numbers[STANDARD]:.1f}",
            detail=f"{numbers['found']} of {numbers['windows']} found, {numbers['false_alarms']} false alarms",
        ),
        Figure("A sample", f"{numbers['microseconds_a_sample']:.0f}", "µs", "reference engine, all included"),
        Figure("On the device", size, unit, f"one bundle for all {numbers['files']} files"),
    )


def _row(name: str, scores: dict[str, float], note: str = "", ours: bool = False) -> Row:
    return Row(name, tuple(scores.get(profile) for profile in (STANDARD, LOW_FP, LOW_FN)), note, ours)


def _detectors(measured: Measured) -> Section:
    numbers = measured.numbers
    blind = numbers["last_value_in_place_of_the_model"]
    best = {profile: _protocol(measured, profile) for profile in (STANDARD, LOW_FP, LOW_FN)}
    blind_best = {name: part["score"] for name, part in blind["threshold_chosen_on_all_files"].items()}
    rows = [
        _row("this bundle", best, "threshold by the benchmark's protocol", ours=True),
        _row("this bundle", numbers, f"threshold {numbers['threshold']:g}, chosen beforehand", ours=True),
        _row("this bundle", numbers["threshold_chosen_on_other_categories"], "threshold of the other categories"),
        _row("last value in place of the GRU", blind_best, "by the protocol; the rest of the decoder unchanged"),
        *(_row(name, scores, "by the protocol, here") for name, scores in measured.peers.items()),
        *(_row(name, scores, "published") for name, scores in numbers["published"].items()),
    ]
    caption = (
        "Scores of the Numenta Anomaly Benchmark, from 0, which never alarms, to 100. Its protocol chooses one "
        "threshold on the very files that are scored, for each detector and profile; so were published scores made."
    )
    ordered = (*rows[:4], *sorted(rows[4:], key=lambda row: -(row.cells[0] or 0.0)))
    return Section("detectors", "Beside other detectors", tables=(Table(caption, SCORES, ordered),))


def _categories(measured: Measured) -> Section:
    columns = (Column("files", 0), *SCORES, Column("found", 0), Column("missed", 0), Column("false alarms", 0))
    rows = tuple(
        Row(
            name,
            tuple(part.get(key) for key in ("files", STANDARD, LOW_FP, LOW_FN, "found", "missed", "false_alarms")),
        )
        for name, part in measured.numbers["per_category"].items()
    )
    caption = "Each category as a benchmark of its own, at the shipped threshold; where nothing is marked, no score is."
    return Section("categories", "Kind by kind", tables=(Table(caption, columns, rows),))


def _stages(stages: Sequence[StageResult]) -> Section:
    columns = (
        Column("pinball loss", 4, bars=True),
        Column("parameters", 0),
        Column("bytes", 0),
        Column("training", 0, "s"),
    )
    rows = tuple(
        Row(row.name, (row.pinball, row.weights.parameters, row.weights.bytes, row.seconds or None)) for row in stages
    )
    caption = "How well the next reading's quantiles are told on held-out series: lower is better."
    return Section("stages", "From predictor to int8", tables=(Table(caption, columns, rows),))


def _learning(history: History) -> Chart:
    line = Line("predictor", tuple(map(float, history.epoch)), tuple(history.validation))
    return Chart("Loss on held-out series; the epoch with the smallest is kept.", "epoch", "validation loss", (line,))


def _engines(measured: Measured) -> Section:
    columns = (
        Column("one step, median", 2, "µs", bars=True),
        Column("99th percentile", 2, "µs"),
        Column("peak memory", 1, "MB"),
    )
    rows = tuple(Row(cost.engine, (cost.step_us_median, cost.step_us_p99, cost.peak_mb)) for cost in measured.costs)
    caption = "Timed in one run: the model alone. Peak memory is that of a fresh process."
    return Section("speed", "Speed and memory", tables=(Table(caption, columns, rows),))


def _data(scenario: HealthScenario) -> tuple[report.DataSet, ...]:
    made = report.DataSet("made series", "synthetic", {"train": scenario.predictor.series}, True, "rules, by seed")
    learned = [report.DataSet(s.name, s.licence, used_for="training parts", source=s.source) for s in scenario.learned]
    benchmark = scenario.benchmark
    tested = report.DataSet(benchmark.name, benchmark.licence, used_for="test alone", source=benchmark.source)
    return (*learned, made, tested)
