"""Forecasts with intervals: transformer load and oil temperature, and the sensor log that comes with a package."""

from __future__ import annotations

from dataclasses import replace

from compress.quantize import Int8
from scenarios.forecasting.scenario import ForecastBudget, ForecastScenario
from scenarios.peers.cross_period import CrossPeriod
from scenarios.peers.last_value import LastValue
from scenarios.peers.linear_map import LinearMap
from scenarios.peers.peer import Peer
from scenarios.peers.seasonal import Seasonal
from scenarios.peers.smoothing import Smoothing
from scenarios.peers.trees import Trees
from train.data.ett import Ett
from train.data.water_flow import WaterFlow
from train.forecast_augment import AS_MEASURED, Swing
from train.forecaster import ForecasterConfig
from train.loop import Schedule


def peers(day: int, *periods: int) -> tuple[Peer, ...]:
    """The peers of a series with so many samples in a day."""
    return (LastValue(), Seasonal(day), LinearMap(), CrossPeriod(periods or (day,)), Smoothing(day), Trees(day))


def teachers(student: ForecasterConfig, hidden: int) -> tuple[ForecasterConfig, ...]:
    """Wider than the student, without the linear map and with it."""
    return tuple(replace(student, hidden=hidden, linear=linear) for linear in (False, True))


HOURLY = ForecasterConfig(segment=24, segments=30, horizon=96, hidden=56)
QUARTER_HOURLY = ForecasterConfig(segment=48, segments=15, horizon=96, hidden=56)
SHORT = ForecasterConfig(segment=24, segments=7, horizon=48, hidden=32)

ETTH1 = ForecastScenario(
    name="load_forecast_etth1",
    title="Transformer load and oil temperature, four days ahead by the hour",
    summary=(
        "Six loads of a power transformer and the temperature of its oil (ETTh1), forecast for the next 96 hours from "
        "the last 30 days, with 80 % intervals that adapt on the device. For an engineer who must know a day ahead "
        "whether a transformer will be overloaded."
    ),
    data=Ett("ETTh1"),
    budget=ForecastBudget(size_kb=30, mse=0.358, mae=0.385),
    peers=peers(24),
    forecaster=HOURLY,
    teacher=teachers(HOURLY, 64),
    teacher_schedule=Schedule(epochs=6, learning_rate=4e-3, weight_decay=0.0, validate_every=2),
    schedule=Schedule(epochs=8, learning_rate=4e-3, weight_decay=0.0, validate_every=2),
    share=0.5,
    swing=AS_MEASURED,  # chosen on validation data, as all of this: by the hour there is little to swing
    soft=1.0,
    compress=(Int8(),),
)

ETTH2 = replace(
    ETTH1,
    name="load_forecast_etth2",
    title="Another transformer, four days ahead by the hour",
    summary="The recipe of load_forecast_etth1 on ETTh2, which nothing was chosen on: does the design hold elsewhere?",
    data=Ett("ETTh2"),
    budget=ForecastBudget(size_kb=30),
)

ETTM1 = replace(
    ETTH1,
    name="load_forecast_ettm1",
    title="Transformer load and oil temperature, a day ahead by 15 minutes",
    summary=(
        "Six loads of a power transformer and the temperature of its oil (ETTm1), forecast for the next 24 hours in "
        "steps of 15 minutes from the last 7.5 days, with 80 % intervals that adapt on the device."
    ),
    data=Ett("ETTm1"),
    budget=ForecastBudget(size_kb=36, mse=0.290, mae=0.341),
    peers=(LastValue(), Seasonal(96), LinearMap(), CrossPeriod((96, 4))),
    forecaster=QUARTER_HOURLY,
    teacher=teachers(QUARTER_HOURLY, 64),
    teacher_schedule=Schedule(epochs=5, learning_rate=4e-3, weight_decay=0.0, validate_every=2),
    schedule=Schedule(epochs=6, learning_rate=4e-3, weight_decay=0.0, validate_every=2),
    share=0.4,
    swing=Swing(),
)

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
    forecaster=SHORT,
    teacher=teachers(SHORT, 64),
    teacher_schedule=Schedule(epochs=20, learning_rate=3e-3, weight_decay=0.0),
    schedule=Schedule(epochs=30, learning_rate=4e-3, weight_decay=0.0),
    batch_size=64,
    soft=0.7,
    compress=(Int8(),),
    unit="l/s",
    notes=("Two months of one sensor: a demonstration of the pipeline, not of forecasting.",),
)
