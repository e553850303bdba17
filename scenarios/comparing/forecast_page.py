"""The report of a comparison of bundles that forecast: errors, windows that changed, parts and hidden units."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from device_runtime.bundle import Bundle
from device_runtime.events import Forecast
from device_runtime.session import Session
from device_runtime.times import moment
from scenarios.comparing.changes import FIRST, SECOND
from scenarios.comparing.forecasts import ForecastComparison
from scenarios.comparing.parts_page import parts_section, units_section
from scenarios.model_card import commit
from scenarios.report.series_content import Chart, Column, Figure, Line, Row, Section, SeriesReport, Table
from scenarios.report_parts import machine, now

SHOWN = 3
"""So many windows are drawn."""


def content(found: ForecastComparison, seed: int, command: str) -> SeriesReport:
    """Everything that report.json holds."""
    names = [bundle.manifest.name for bundle in found.bundles]
    numbers = found.as_dict()
    squared = found.squared
    return SeriesReport(
        name=f"{names[0]}.{names[1]}.compared",
        title=f"{names[0]} and {names[1]}",
        summary=(
            f"A is {names[0]}, B is {names[1]}. Both forecast the same {numbers['windows']} windows of "
            f"{numbers['data']} ({numbers['split']})."
        ),
        created=now(),
        commit=commit(),
        seed=seed,
        command=command,
        machine=machine(),
        notes=(
            "Errors are of readings in standard deviations. Intervals: whole blocks of neighbouring windows, drawn "
            f"5,000 times; the windows make {squared.blocks:.1f} blocks.",
            f"Parts and units: one window of {found.every}, in the exact int8 arithmetic.",
        ),
        headlines=(
            Figure(
                "Change of squared error",
                f"{squared.mean:+.4f}",
                "",
                f"95 % interval {squared.low:+.4f} to {squared.high:+.4f}",
            ),
            Figure("Windows better", str(numbers["windows_better"]), "", f"of {numbers['windows']}"),
            Figure("Windows worse", str(numbers["windows_worse"]), "", f"of {numbers['windows']}"),
        ),
        sections=(
            Section("all", "What changed in all", tables=(_table("channel", found), _table("horizon", found))),
            Section("windows", "Which windows changed", charts=(_over_time(found), *_examples(found))),
            _parts(found),
            _units(found),
        ),
    )


def _table(axis: str, found: ForecastComparison) -> Table:
    columns = (Column("A", 4), Column("B", 4, bars=True), Column("B less A", 4))
    rows = tuple(Row(name, (before, after, after - before)) for name, before, after in found.by(axis))
    ahead = {"channel": "Mean squared error by channel.", "horizon": "Mean squared error by samples ahead."}
    return Table(ahead[axis], columns, rows)


def _over_time(found: ForecastComparison) -> Chart:
    before, after = (evaluation.model.by_window[:, 0] for evaluation in found.evaluations)
    times = tuple(found.target_s(at) for at in range(len(before)))
    thin = max(1, len(before) // 1000)
    gaps = [None if np.isnan(gap) else round(float(gap), 5) for gap in (after - before)[::thin]]
    return Chart(
        caption="Squared error of B less that of A, by when the forecast window begins; above zero A is better.",
        x_name="time",
        y_name="B less A",
        lines=(Line("B less A", times[::thin], tuple(gaps)),),
        x_is_time=True,
        level=0.0,
    )


def _examples(found: ForecastComparison) -> Iterator[Chart]:
    """The windows that changed most, each in the channel that changed most."""
    kept: list[int] = []
    horizon = int(found.evaluations[0].facts["horizon"])
    for window, _, _ in found.changed_most():
        if len(kept) < SHOWN and all(abs(window - other) >= horizon for other in kept):  # neighbours tell the same
            kept.append(window)
            yield _example(found, window)


def _example(found: ForecastComparison, window: int) -> Chart:
    first = found.log.first + window
    sensors = Session(found.bundles[0], "reference").sensors
    actual = found.log.rows[first : first + int(found.evaluations[0].facts["horizon"])]
    told = [_forecast(bundle, found, first) for bundle in found.bundles]
    errors = [((median - actual) / sensors.std) ** 2 for median in told]
    at = int(np.argmax(np.abs(np.nansum(errors[1] - errors[0], axis=0))))  # a channel that was not read counts nothing
    start_s = found.target_s(window)
    times = tuple(start_s + k * sensors.interval_s for k in range(len(actual)))
    lines = [Line(letter, times, _plain(median[:, at])) for letter, median in zip("AB", told, strict=True)]
    return Chart(
        caption=(
            f"{sensors.names[at]} from {moment(start_s)}: the window's squared error over all channels goes from "
            f"{found.evaluations[0].model.by_window[window, 0]:.3f} to "
            f"{found.evaluations[1].model.by_window[window, 0]:.3f}."
        ),
        x_name="time",
        y_name=sensors.names[at],
        lines=(*lines, Line("measured", times, _plain(actual[:, at]), quiet=True)),
        x_is_time=True,
    )


def _forecast(bundle: Bundle, found: ForecastComparison, first: int) -> np.ndarray:
    """The medians that the bundle tells right before row `first`, (horizon, channels)."""
    session = Session(bundle, "reference", every=1)
    events = session.push(found.log.rows[first - session.sensors.longest : first])
    told = {event.channel: event.median for event in events if isinstance(event, Forecast)}
    horizon = int(found.evaluations[0].facts["horizon"])
    missing = np.full(horizon, np.nan)
    return np.stack([np.array(told.get(name, missing)) for name in session.sensors.names], axis=1)


def _plain(values: np.ndarray) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(f"{value:.5g}") for value in values)


def _parts(found: ForecastComparison) -> Section:
    rows: dict[tuple[str, str], list[tuple[str, float, float]]] = {}
    for result in found.parts:
        rows.setdefault((result.of, result.how), []).append((result.part, result.mse, result.mse - result.own))
    return parts_section(found.apart, rows, found.moved, "", found.bundles[0].model)


def _units(found: ForecastComparison) -> Section:
    lost = {of: [unit.mse - unit.own for unit in found.units if unit.of == of] for of in (FIRST, SECOND)}
    caption = (
        "How much the mean squared error grows when the state of one unit is kept at zero. Below zero the model does "
        "better without the unit."
    )
    return units_section(lost, "squared error added", caption)
