"""Forecasts with intervals: transformer load and oil temperature, and the sensor log that comes with a package."""

from __future__ import annotations

from compress.quantize import Int8
from scenarios.forecasting.scenario import ForecastBudget, ForecastScenario
from scenarios.peers.cross_period import CrossPeriod
from scenarios.peers.last_value import LastValue
from scenarios.peers.linear_map import LinearMap
from scenarios.peers.seasonal import Seasonal
from scenarios.peers.smoothing import Smoothing
from scenarios.peers.trees import Trees
from train.data.ett import Ett
from train.data.water_flow import WaterFlow
from train.forecaster import ForecasterConfig
from train.loop import Schedule


def peers(day: int, periods: tuple[int, ...]) -> tuple:
    """The peers of a series with so many samples in a day."""
    return (LastValue(), Seasonal(day), LinearMap(), CrossPeriod(periods), Smoothing(day), Trees(day))


SCENARIO = ForecastScenario(
    name="load_forecast",
    title="Water flow, two days ahead",
    summary=(
        "Hourly flow through a branch of a water main, forecast for the next 48 hours with 80 % intervals. The series "
        "is short and comes with a package, so that this builds on any machine without a download."
    ),
    data=WaterFlow(),
    budget=ForecastBudget(size_kb=25, coverage=(0.70, 0.90)),
    peers=(LastValue(), Seasonal(24), LinearMap(), CrossPeriod((24,)), Smoothing(24)),
    forecaster=ForecasterConfig(segment=24, segments=7, horizon=48, hidden=32),
    teacher=ForecasterConfig(segment=24, segments=7, horizon=48, hidden=64),
    teachers=3,
    teacher_schedule=Schedule(epochs=20, learning_rate=3e-3),
    schedule=Schedule(epochs=30, learning_rate=4e-3),
    batch_size=64,
    compress=(Int8(),),
    unit="l/s",
    notes=("Two months of one sensor: a demonstration of the pipeline, not of forecasting.",),
)
