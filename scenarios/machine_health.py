"""When does a machine behave as it never did: one bundle for any single sensor, tried on the Numenta benchmark."""

from __future__ import annotations

from scenarios.health.scenario import HealthBudget, HealthScenario
from train.data.ett import Ett
from train.predictor import PredictorConfig

SCENARIO = HealthScenario(
    name="machine_health",
    title="Anomalies of any single sensor",
    summary=(
        "A small GRU that has learned how readings usually go on, beside statistics that learn on the stream what is "
        "usual for this very sensor. One bundle and one configuration for temperatures, loads, counts and delays; "
        "tried on all 58 files of the Numenta Anomaly Benchmark, of which it has learned nothing."
    ),
    learned=(Ett("ETTh1"), Ett("ETTh2"), Ett("ETTm1")),
    budget=HealthBudget(size_kb=20, nab=55, folder_kb=100),
    predictor=PredictorConfig(series=500, stretch=144, batch=96, steps_an_epoch=50),
    shown=(
        "realKnownCause/machine_temperature_system_failure.csv",
        "realKnownCause/ambient_temperature_system_failure.csv",
        "realKnownCause/nyc_taxi.csv",
        "realKnownCause/ec2_request_latency_system_failure.csv",
    ),
)
