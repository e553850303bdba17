"""Readings of the benchmark with the surprise that they were to the bundle, the alarms, and what people had marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from device_runtime import bundle as bundles
from device_runtime.evaluate_anomaly import stream
from device_runtime.nab import NabFile, read_nab
from scenarios.health.scenario import HealthScenario
from scenarios.report.series_content import Chart, Line, Mark, Shade

MOST_POINTS = 1200
"""On a line: more are not seen."""

MARKED = "marked by people"


def surprises(bundle: Path, scenario: HealthScenario) -> tuple[Chart, ...]:
    """Two charts for each file that the scenario shows."""
    opened = bundles.read(bundle)
    files = {file.name: file for file in read_nab(scenario.benchmark.folder)}
    charts: list[Chart] = []
    for name in scenario.shown:
        file = files[name]
        found = stream(opened, file, "reference")
        charts += _charts(file, found.surprises, found.alarms, scenario.threshold)
    return tuple(charts)


def _charts(file: NabFile, surprise: np.ndarray, alarms: np.ndarray, threshold: float) -> list[Chart]:
    seconds = file.times.astype("datetime64[s]").astype(np.int64).astype(float)
    marked = tuple(Shade(MARKED, seconds[first], seconds[last]) for first, last in file.labelled.windows)
    events = tuple(Mark(seconds[row], f"alarm, surprise {surprise[row]:.1f}") for row in alarms)
    readings = Chart(
        caption=f"{file.name}: the readings; a line is an alarm.",
        x_name="time",
        y_name="reading",
        lines=(Line("readings", *_thinned(seconds, file.values), quiet=True),),
        marks=events,
        spans=marked,
        x_is_time=True,
    )
    surprised = Chart(
        caption="The surprise, -ln of a chance; dashed, the threshold that ships.",
        x_name="time",
        y_name="surprise",
        lines=(Line("surprise", *_thinned(seconds, surprise)),),
        spans=marked,
        x_is_time=True,
        level=threshold,
        y_low=0.0,
    )
    return [readings, surprised]


def _thinned(x: np.ndarray, y: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The lowest and the highest of each of many slices, in their order: peaks stay."""
    slices = np.array_split(np.arange(len(x)), max(1, min(MOST_POINTS // 2, len(x) // 2)))
    rows = [int(row) for part in slices for row in sorted({part[y[part].argmin()], part[y[part].argmax()]})]
    return tuple(x[rows].tolist()), tuple(np.round(y[rows], 5).tolist())
