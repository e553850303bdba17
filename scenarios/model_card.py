"""The model card in a bundle's manifest: where it comes from and what it was measured at."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from scenarios.measure import Measured, StageResult
from scenarios.training import Trainings


def model_card(trainings: Trainings, stages: list[StageResult], measured: Measured | None = None) -> dict[str, Any]:
    """Data and licences, metrics of each stage and of the bundle, seeds and commit, as plain JSON values.

    Without `measured` it is provisional: for a bundle that is still to be listened to.
    """
    scenario = trainings.scenario
    noises = [r for split in ("train", "validation") for n in scenario.mix.noises for r in n.recordings(split)]
    return {
        "title": scenario.title,
        "summary": scenario.summary,
        "data": [{"name": s.name, "source": s.source, "licence": s.licence} for s in scenario.mix.sources],
        "stages": [
            {
                "name": row.stage.name,
                "accuracy": round(row.stage.accuracy, 4),
                "interval_95": [round(bound, 4) for bound in row.stage.interval_95],
                "accuracy_cold": round(row.accuracy_cold, 4),
                "parameters": row.stage.parameters,
                "nonzeros": row.stage.nonzeros,
                "bytes": row.stage.bytes,
                "sparsity": round(row.stage.sparsity, 4),
                "split": row.stage.split,
                "clips": row.stage.clips,
            }
            for row in stages
        ],
        **({"evaluation": _evaluation(measured)} if measured else {}),
        "seeds": [scenario.seed + i for i in range(len(scenario.teacher_shapes))],
        "commit": commit(),
        "noises_heard": sorted({r.path.stem for r in noises}),
    }


def _evaluation(measured: Measured) -> dict[str, Any]:
    """What the bundle was heard to do; what was not measured is left out."""
    facts = measured.evaluation.as_dict()
    words = ("engine", "split", "clips", "accuracy", "interval_95", "accuracy_cold", "accuracy_noise_10db")
    return {
        **{key: facts[key] for key in words if facts[key] is not None},
        "missed_rate": facts["detection"]["missed_rate"],
        **_by_source("unknown_triggered", {n: h.triggered / h.clips for n, h in measured.unknown_words.items()}),
        **_by_source("false_accepts_per_hour", {n: len(h.fired) / h.hours for n, h in measured.false_accepts.items()}),
    }


def _by_source(key: str, rates: dict[str, float]) -> dict[str, dict[str, float]]:
    return {key: {name: round(rate, 4) for name, rate in rates.items()}} if rates else {}


def commit() -> str:
    """The checkout's commit, with a + when files differ from it; "unknown" outside a checkout or without git."""
    here = Path(__file__).parent
    try:
        told = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=here, capture_output=True, text=True)
    except OSError:  # no git on this machine
        return "unknown"
    return told.stdout.strip() or "unknown"
