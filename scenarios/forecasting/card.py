"""The model card in a forecaster's manifest: where it comes from and what it was measured at."""

from __future__ import annotations

from typing import Any

from scenarios.forecasting.measure import Measured, StageResult
from scenarios.forecasting.training import ForecastTrainings
from scenarios.model_card import commit


def model_card(
    trainings: ForecastTrainings, stages: list[StageResult], measured: Measured | None = None
) -> dict[str, Any]:
    """Data and licence, errors of each stage and of the bundle, seeds and commit, as plain JSON values.

    Without `measured` it is provisional: for a bundle that is still to be streamed.
    """
    scenario, splits = trainings.scenario, trainings.splits
    data = scenario.data
    return {
        "title": scenario.title,
        "summary": scenario.summary,
        "data": [{"name": data.name, "source": data.source, "licence": data.licence}],
        "splits": {"validation": splits.validation, "test": splits.test, "end": splits.end},
        "stages": [
            {
                "name": row.name,
                "mse": round(row.mse, 4),
                "mae": round(row.mae, 4),
                "parameters": row.weights.parameters,
                "nonzeros": row.weights.nonzeros,
                "bytes": row.weights.bytes,
                "split": "test",
            }
            for row in stages
        ],
        **({"evaluation": _evaluation(measured)} if measured else {}),
        "seeds": [scenario.seed + i for i in range(max(1, scenario.teachers))],
        "commit": commit(),
    }


def _evaluation(measured: Measured) -> dict[str, Any]:
    facts = measured.evaluation.as_dict()
    told = ("engine", "split", "windows", "horizon", "mse", "mae", "coverage_80")
    return {
        **{key: facts[key] for key in told if facts.get(key) is not None},
        "peers": {row.name: {"mse": round(row.mse, 4), "mae": round(row.mae, 4)} for row in measured.peers},
    }
