"""A random walk, which nobody can forecast: is the report honest enough to say so?"""

from __future__ import annotations

from compress.quantize import Int8
from scenarios.forecasting.scenario import ForecastBudget, ForecastScenario
from scenarios.load_forecast import teachers
from scenarios.peers.last_value import LastValue
from scenarios.peers.linear_map import LinearMap
from train.data.prices import RandomWalk
from train.forecaster import ForecasterConfig
from train.loop import Schedule

MONTH = ForecasterConfig(segment=5, segments=12, horizon=20, hidden=24)

SCENARIO = ForecastScenario(
    name="prices",
    title="Prices of a random walk, four weeks ahead",
    summary=(
        "Five thousand daily prices, each yesterday's times a factor that depends on nothing. The last price is the "
        "best forecast there is; whatever does better on the test part was lucky, or has seen the future."
    ),
    data=RandomWalk(),
    budget=ForecastBudget(size_kb=25, coverage=(0.7, 0.9), worse_than_linear=True),
    peers=(LastValue(), LinearMap()),
    forecaster=MONTH,
    teacher=teachers(MONTH, 32),
    teachers=2,
    teacher_schedule=Schedule(epochs=8, learning_rate=3e-3, weight_decay=0.0),
    schedule=Schedule(epochs=8, learning_rate=3e-3, weight_decay=0.0),
    batch_size=64,
    compress=(Int8(),),
    notes=(
        "The series is made, and has no pattern: this scenario shows what a report says when nothing can be learned.",
    ),
)
