"""The charts of a forecaster's report: forecasts over the data, errors and coverage by step ahead, learning."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from device_runtime.evaluate_forecast import Forecasts

from scenarios.forecasting.training import ForecastTrainings
from scenarios.report.series_content import Band, Chart, Line
from train.loop import History

MOST_SHOWN = 6
"""Forecasts in a row on a chart."""

DIGITS = 5


def over_the_data(trainings: ForecastTrainings, found: Forecasts) -> tuple[Chart, ...]:
    """From the middle of the test part: for the first and the last channel, each forecast as the one before ends."""
    series, horizon = trainings.series, trainings.scenario.forecaster.horizon
    start = series.splits.span("test")[0]  # type: ignore[union-attr]  # trainings always have splits
    windows = found.median.shape[0]
    shown = min(MOST_SHOWN, max(1, windows // horizon))
    first = (windows - shown * horizon) // 2
    seconds = series.times.astype("datetime64[s]").astype(np.int64)
    charts = []
    for channel in dict.fromkeys((0, len(series.channels) - 1)):
        picked = [max(0, first) + k * horizon for k in range(shown)]
        lines = slice(start + picked[0] - horizon, start + picked[-1] + horizon)
        x = tuple(float(t) for t in seconds[lines])
        ahead = tuple(float(t) for window in picked for t in seconds[start + window : start + window + horizon])
        median, low, high = (
            tuple(_rounded(values[window, channel]) for window in picked)
            for values in (found.median, found.low, found.high)
        )
        name = series.channels[channel]
        charts.append(
            Chart(
                caption=f"{name}: what was measured, and {shown} forecasts of {horizon} samples, each told as it begins.",
                x_name="time",
                y_name=f"{name}, {trainings.scenario.unit}".rstrip(", "),
                lines=(
                    Line("measured", x, _rounded(series.values[lines, channel]), quiet=True),
                    Line("median", ahead, sum(median, ())),
                ),
                bands=(Band("median", ahead, sum(low, ()), sum(high, ())),),
                x_is_time=True,
            )
        )
    return tuple(charts)


def by_step(trainings: ForecastTrainings, found: Forecasts) -> tuple[Chart, ...]:
    """Mean absolute error and coverage at each sample ahead."""
    ahead = tuple(float(step + 1) for step in range(trainings.scenario.forecaster.horizon))
    error = Chart(
        caption="Mean absolute error of the median over all windows, in deviations of the training part.",
        x_name="samples ahead",
        y_name="mean absolute error",
        lines=(Line("all channels", ahead, _rounded(found.absolute_by_step.mean(axis=0))),),
        y_low=0.0,
    )
    covered = Chart(
        caption="Share of the readings within the interval; dashed, what it promises.",
        x_name="samples ahead",
        y_name="coverage",
        lines=(Line("all channels", ahead, _rounded(found.coverage_by_step.mean(axis=0))),),
        level=trainings.scenario.intervals.coverage,
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


def _rounded(values: np.ndarray) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else round(float(value), DIGITS) for value in values)
