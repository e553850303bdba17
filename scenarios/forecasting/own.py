"""The forecaster of a user's own log: a scenario's recipe in the shape that the log's clock and length allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from device_runtime.errors import InputError
from scenarios.forecasting.scenario import ForecastBudget, ForecastScenario
from scenarios.peers.cross_period import CrossPeriod
from scenarios.peers.last_value import LastValue
from scenarios.peers.linear_map import LinearMap
from scenarios.peers.seasonal import Seasonal
from train.data.own_csv import OwnCsv
from train.data.series import Series
from train.forecaster import ForecasterConfig
from train.ridge import Ridge

DAY_S = 86_400
SEGMENTS = 14
"""Two weeks of days, where the log is long enough."""

LONGEST_SEGMENT = 48
LINEAR_TEACHERS = (Ridge(), Ridge(level_segments=1), Ridge(by_phase=True))
"""For longer horizons: the weight that validation data gives them grows from .02 at 192 hours to .60 at 720 (ETTh1).

So the recipes for 96 do without.
"""

SHORTEST_LOG = 8
"""Look-backs with a horizon that the whole log must hold: a fifth of it is the test part."""


def for_log(scenario: ForecastScenario, path: Path) -> ForecastScenario:
    """The same recipe for the log in a CSV file; InputError where it is too short to learn from."""
    data = OwnCsv(path)
    series = data.series()
    student = shape(series, scenario.forecaster.hidden)
    period = student.segment * _parts(series)
    return replace(
        scenario,
        name=f"{scenario.name}_{''.join(c if c.isalnum() else '_' for c in path.stem)}",
        title=f"Forecasts of {path.stem}",
        summary=(
            f"{', '.join(series.channels)}, forecast {student.horizon} samples ahead from the last "
            f"{student.look_back}, with 80 % intervals that adapt on the device."
        ),
        typed=scenario.typed or scenario.name,
        data=data,
        budget=ForecastBudget(size_kb=60, coverage=(0.7, 0.9), worse_than_linear=True),
        peers=(LastValue(), Seasonal(period), LinearMap(), CrossPeriod((student.segment,))),
        forecaster=student,
        teacher=tuple(replace(student, hidden=teacher.hidden, linear=teacher.linear) for teacher in scenario.teacher),
        unit="",
        notes=(),
    )


def to_horizon(scenario: ForecastScenario, horizon: int) -> ForecastScenario:
    """The same recipe for so many samples ahead, a multiple of its segment; of its promises the size alone is kept."""
    budget, segment = scenario.budget, scenario.forecaster.segment
    if horizon < segment or horizon % segment:
        raise InputError(
            f"--horizon got {horizon}, expected a multiple of {segment} of at least {segment}, the samples that "
            f"{scenario.name} forecasts at a time: for example {2 * segment}."
        )
    return replace(
        scenario,
        name=f"{scenario.name}_{horizon}",
        title=f"{scenario.title.split(',')[0]}, {horizon} samples ahead",
        typed=scenario.typed or scenario.name,
        budget=ForecastBudget(size_kb=2 * budget.size_kb, coverage=budget.coverage, folder_kb=budget.folder_kb),
        forecaster=replace(scenario.forecaster, horizon=horizon),
        teacher=tuple(replace(teacher, horizon=horizon) for teacher in scenario.teacher),
        maps=LINEAR_TEACHERS,
    )


def shape(series: Series, hidden: int) -> ForecasterConfig:
    """Segments of a day or an even part of it, where a day has a round number of samples; else of 24 samples.

    The look-back is two weeks, or as much as an eighth of the log allows; the horizon two segments.
    """
    day = DAY_S / series.interval_s
    segment = round(day / _parts(series)) if _has_days(series) else 24
    segments = min(SEGMENTS * _parts(series), len(series) // (SHORTEST_LOG * segment) - 2)
    if segments < 2:
        needed = SHORTEST_LOG * segment * 4
        raise InputError(
            f"{series.name} has {len(series)} samples, every {series.interval_s:g} s: too few to learn from. "
            f"Give a log of at least {needed}."
        )
    return ForecasterConfig(segment=segment, segments=segments, horizon=2 * segment, hidden=hidden)


def _has_days(series: Series) -> bool:
    day = DAY_S / series.interval_s
    return day >= 4 and abs(day - round(day)) < 1e-6 and round(day) % _parts(series) == 0


def _parts(series: Series) -> int:
    """Into how many segments a day is cut."""
    day = round(DAY_S / series.interval_s)
    return next((parts for parts in range(1, day + 1) if day % parts == 0 and day // parts <= LONGEST_SEGMENT), 1)
