"""The model card in a bundle's manifest: where it comes from and what it was measured at."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from scenarios.measure import StageResult
from scenarios.training import Trainings


def model_card(trainings: Trainings, stages: list[StageResult]) -> dict[str, Any]:
    """Data and licences, metrics of each stage, seeds and commit, as plain JSON values."""
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
        "seeds": [scenario.seed + i for i in range(scenario.teachers)],
        "commit": commit(),
        "noises_heard": sorted({r.path.stem for r in noises}),
    }


def commit() -> str:
    """The checkout's commit, with a + when files differ from it; "unknown" outside a checkout or without git."""
    here = Path(__file__).parent
    try:
        told = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=here, capture_output=True, text=True)
    except OSError:  # no git on this machine
        return "unknown"
    return told.stdout.strip() or "unknown"
