"""Does distillation help? The same student on the same clips, taught by the teacher (with a hint) or by labels alone.

    python -m scenarios.distillation arabic_commands_small --seeds 3 --epochs 40

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

from device_runtime.errors import InputError
from scenarios import measure
from scenarios.build import find
from scenarios.clips_heard import features
from scenarios.pipeline import TEACHERS
from scenarios.reporting import COMPARED, COMPARISON
from scenarios.scenario import Scenario
from scenarios.training import Trainings
from train.data.cache import cache_folder


def compare(trainings: Trainings, seeds: int) -> dict[str, Any]:
    """Accuracies of each seed, warm and cold, with the teacher, with its hint too, and without."""
    cold, warm = features(trainings, "test")
    rows: dict[str, Any] = {"epochs": trainings.scenario.schedule.epochs, "clips": len(warm), "split": "test"}
    losses = (trainings.soft_loss, trainings.hint_loss, trainings.hard_loss)
    for name, loss in zip(COMPARED, losses, strict=True):
        slug = name.replace(" ", "-")
        students = [trainings.student(trainings.scenario.seed + i, loss, slug) for i in range(seeds)]
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
    parser.add_argument("--hint", type=float, default=1.0, help="weight of the hint, where the scenario gives none")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    scenario = find(args.scenario)
    if not isinstance(scenario, Scenario):
        raise InputError(f"{scenario.name} hears no words: there is nothing here to compare. Name a speech scenario.")
    folder = args.runs / scenario.name
    if args.epochs:
        scenario = replace(scenario, schedule=replace(scenario.schedule, epochs=args.epochs))
    scenario = replace(scenario, hint=scenario.hint or args.hint)
    trainings = Trainings(scenario, folder / "compare", cache_folder() / "features", args.runs / TEACHERS)
    rows = compare(trainings, args.seeds)
    (folder / COMPARISON).write_text(json.dumps(rows, indent=1) + "\n")
    for name in COMPARED:
        for condition, values in rows[name].items():
            each = ", ".join(f"{100 * value:.2f}" for value in values)
            print(f"{name:21s} {condition:5s} {100 * mean(values):.2f} %  ({each})")


if __name__ == "__main__":
    main()
