"""Does distillation help? The same student on the same clips, taught by the teacher or by labels alone.

    python -m scenarios.compare arabic_commands_small --seeds 3 --epochs 40

Float students, judged on the test split by the streaming decision, warm and cold. The result is kept in
runs/SCENARIO/comparison.json, where the scenario's report finds it.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from scenarios import measure
from scenarios.build import find
from scenarios.clips_heard import features
from scenarios.reporting import COMPARISON
from scenarios.training import Trainings
from train.data.cache import cache_folder


def compare(trainings: Trainings, seeds: int) -> dict[str, Any]:
    """Accuracies of each seed, warm and cold, with the teacher and without."""
    cold, warm = features(trainings, "test")
    rows: dict[str, Any] = {"epochs": trainings.scenario.schedule.epochs, "clips": len(warm), "split": "test"}
    for name, taught in (("distilled", True), ("labels only", False)):
        students = [trainings.student(trainings.scenario.seed + i, taught) for i in range(seeds)]
        rows[name] = {
            "warm": [measure.streamed(trainings, student, warm) / len(warm) for student in students],
            "cold": [measure.streamed(trainings, student, cold) / len(cold) for student in students],
        }
    return rows


def main() -> None:
    """Train, compare, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="of each training; else the scenario's")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    scenario = find(args.scenario)
    folder = args.runs / scenario.name
    if args.epochs:
        scenario = replace(scenario, schedule=replace(scenario.schedule, epochs=args.epochs))
    trainings = Trainings(scenario, folder / "compare", cache_folder() / "features", folder / "checkpoints")
    rows = compare(trainings, args.seeds)
    (folder / COMPARISON).write_text(json.dumps(rows, indent=1) + "\n")
    for name in ("distilled", "labels only"):
        for condition, values in rows[name].items():
            each = ", ".join(f"{100 * value:.2f}" for value in values)
            print(f"{name:12s} {condition:5s} {100 * mean(values):.2f} %  ({each})")


if __name__ == "__main__":
    main()
