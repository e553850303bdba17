"""The charts of a forecaster's report: forecasts over the data, errors and coverage by step ahead, learning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from device_runtime.evaluate_forecast import ForecastEvaluation
from device_runtime.events import Forecast
from device_runtime.session import Session
from scenarios.forecasting.training import ForecastTrainings
from scenarios.report.series_content import Band, Chart, Line
from train.loop import History

MOST_SHOWN = 6
"""Forecasts in a row on a chart."""

DIGITS = 5


def over_the_data(trainings: ForecastTrainings, bundle: Path) -> tuple[Chart, ...]:
    """From the middle of the test part: for the first and the last channel, each forecast as the one before ends."""
    series, config = trainings.series, trainings.scenario.forecaster
    first, last = trainings.splits.span("test")
    every = min(config.horizon, config.look_back)
    shown = max(1, min(MOST_SHOWN, (last - first) // every - 1))
    start = first + (last - first - shown * every) // 2
    session = Session.open(bundle, every=every)
    stream = series.values[start - config.look_back : start + (shown - 1) * every]
    told = [event for event in session.push(stream) if isinstance(event, Forecast)]
    seconds = series.times.astype("datetime64[s]").astype(np.int64)
    here = slice(start - config.horizon, min(start + shown * every, last))
    read = dict(zip(series.channels, series.values[here].T, strict=True))
    charts = []
    for name in dict.fromkeys((series.channels[0], series.channels[-1])):
        mine = [event for event in told if event.channel == name]
        x, median, low, high = [], [], [], []
        for number, event in enumerate(mine):
            x += [float(t) for t in seconds[start + number * every : start + (number + 1) * every]]
            median += [*event.median[:every]]
            low += [*event.low[:every]]
            high += [*event.high[:every]]
        charts.append(
            Chart(
                caption=f"{name}: what was measured, and {len(mine)} forecasts, each of {every} samples as it begins.",
                x_name="time",
                y_name=f"{name}, {trainings.scenario.unit}".rstrip(", "),
                lines=(
                    Line("measured", tuple(map(float, seconds[here])), _rounded(read[name]), quiet=True),
                    Line("median", tuple(x), _rounded(median)),
                ),
                bands=(Band("median", tuple(x), _rounded(low), _rounded(high)),),
                x_is_time=True,
            )
        )
    return tuple(charts)


def by_step(found: ForecastEvaluation) -> tuple[Chart, ...]:
    """Mean absolute error and coverage at each sample ahead."""
    ahead = tuple(float(step + 1) for step in range(len(found.model.count)))
    count = found.model.count.sum(axis=1)
    errors = {"this bundle": found.model, **{name.replace("_", " "): peer for name, peer in found.peers.items()}}
    error = Chart(
        caption="Mean absolute error over all windows and channels, in deviations of the training part.",
        x_name="samples ahead",
        y_name="mean absolute error",
        lines=tuple(Line(name, ahead, _rounded(e.absolute.sum(axis=1) / count)) for name, e in errors.items()),
        y_low=0.0,
    )
    covered = Chart(
        caption="Share of the readings within the interval; dashed, what it promises.",
        x_name="samples ahead",
        y_name="coverage",
        lines=(Line("all channels", ahead, _rounded(found.covered.sum(axis=1) / count)),),
        level=found.coverage,
        y_low=0.5,
        y_high=1.0,
    )
    return error, covered


def learning(histories: Mapping[str, History]) -> tuple[Chart, ...]:
    """Validation error of each training over its epochs."""
    lines = tuple(
        Line(name, tuple(map(float, history.epoch)), tuple(history.validation)) for name, history in histories.items()
    )
    caption = "Mean absolute error on validation windows; the epoch with the smallest is kept."
    return (Chart(caption, "epoch", "validation error", lines),)


def _rounded(values: np.ndarray | Sequence[float]) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else round(float(value), DIGITS) for value in values)
