"""From engines that ran until they failed to a bundle that is proved: the page to read first.

    run(SCENARIO, Path("runs"))

Every stage leaves its checkpoint in the run's folder: interrupt the build, start it again, and it goes on where it was.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.markup import escape
from torch import nn

from compress.method import in_turn
from device_runtime.errors import InputError
from device_runtime.manifest import Manifest
from scenarios import bundling
from scenarios.bundling import Result, Traced
from scenarios.life import measure
from scenarios.life.report import make_report
from scenarios.life.scenario import LifeBudget, LifeScenario
from scenarios.life.training import LifeTrainings
from scenarios.model_card import commit
from scenarios.shorter import shorter
from train.loop import Schedule
from train.processes import Processes
from train.remaining_life import HIGH, LABELS, LOW

CYCLE_S = 1.0
"""A flight counts as a second: the clock of an engine are its cycles."""


def run(scenario: LifeScenario, runs: Path, console: Console | None = None, options: Sequence[str] = ()) -> Result:
    """Train, compress, export, prove, measure and report; PromiseError if a bit differs.

    `options` are those of the command line that made this scenario, for the report.
    """
    console = console or Console(stderr=True)
    folder = runs / scenario.name
    trainings = LifeTrainings(scenario, folder / "checkpoints")
    told = f"{len(trainings.engines)} engines, {len(trainings.channels.names)} sensors"
    console.print(f"[bold]{escape(scenario.title)}[/]: {told}", soft_wrap=True)

    made = in_turn(trainings.student(), scenario.compress, trainings)
    models, (last, student) = dict(made), made[-1]
    if Processes().rank > 0:
        sys.exit()  # all of torchrun's processes trained; the first one alone measures and writes
    if not hasattr(student, "trace"):
        raise InputError(f"{scenario.name} ends with {last}, but a bundle holds int8. Put Int8 last.")
    below, above = widths(student, trainings)
    console.print("estimating the test engines")
    stages = measure.stages(trainings, models)

    bundle, unproved = folder / f"{scenario.name}.bundle", folder / f"{scenario.name}.unproved"
    traced: Traced = student  # type: ignore[assignment]  # an Int8Student: it has trace and model
    frames = stream_of_tests(trainings)
    manifest = _manifest(trainings, below, above, _card(trainings, stages))
    bundling.write_bundle(unproved, manifest, traced, scenario.export, frames)
    proof = bundling.prove(unproved, traced, frames)
    console.print(bundling.told(proof))

    console.print("streaming the test engines through the bundle")
    measured = measure.bundle(unproved, trainings)
    bundling.publish(unproved, bundle, _card(trainings, stages, measured))
    report, missed = make_report(trainings, bundle, stages, measured, proof, folder, options)
    return Result(bundle, report, missed)


def stream_of_tests(trainings: LifeTrainings) -> torch.Tensor:
    """All cycles of the test engines, one engine after the other: (cycles, channels)."""
    engines = trainings.scenario.data.test()
    stream = np.concatenate([trainings.channels.normalised(engine) for engine in engines])
    times = -(-bundling.PARITY_FRAMES // len(stream))
    return torch.from_numpy(np.tile(stream, (times, 1)))


def widths(student: nn.Module, trainings: LifeTrainings) -> tuple[float, float]:
    """By how many cycles the interval is widened on either side: conformal, on the engines that were held out."""
    cap, beyond = trainings.scenario.loss.cap, []
    with torch.no_grad():
        for values in trainings.held_out:
            scores = np.sort(student(torch.from_numpy(values)[None])[0].double().numpy() * cap, axis=1).clip(0, cap)
            left = np.arange(len(values) - 1, -1, -1).clip(max=cap)
            asked = np.arange(len(values)) >= 29  # as short as the shortest test engines
            beyond.append(np.stack([scores[:, 0] - left, left - scores[:, -1]])[:, asked & (left < cap)])
    low, high = np.concatenate(beyond, axis=1)
    below, above = float(np.quantile(low, 1 - LOW)), float(np.quantile(high, HIGH))
    return round(max(0.0, below), 2), round(max(0.0, above), 2)


def _manifest(trainings: LifeTrainings, below: float, above: float, card: dict[str, Any]) -> Manifest:
    channels, cap = trainings.channels, trainings.scenario.loss.cap
    return Manifest(
        name=trainings.scenario.name,
        task="remaining_life",
        labels=LABELS,
        frontend={
            "kind": "window",
            "channels": list(channels.names),
            "interval_s": CYCLE_S,
            "segment": 1,
            "mean": list(channels.mean),
            "std": list(channels.std),
            "gaps": "hold",
        },
        decoder={
            "kind": "estimate",
            "name": "remaining_cycles",
            "scale": cap,
            "cap": cap,
            "below": below,
            "above": above,
        },
        card=card,
    )


def _card(
    trainings: LifeTrainings, stages: Sequence[measure.StageResult], measured: measure.Measured | None = None
) -> dict[str, Any]:
    """Data and licence, errors of each stage and of the bundle, seeds and commit, as plain JSON values."""
    scenario, data = trainings.scenario, trainings.scenario.data
    told = ("engine", "units", "rmse", "interval_95", "mae", "nasa_score", "coverage_80")
    return {
        "title": scenario.title,
        "summary": scenario.summary,
        "data": [{"name": data.name, "source": data.source, "licence": data.licence}],
        "stages": [
            {
                "name": row.name,
                "rmse": round(row.rmse, 3),
                "rmse_held_out": round(row.held_out, 3),
                "parameters": row.weights.parameters,
                "nonzeros": row.weights.nonzeros,
                "bytes": row.weights.bytes,
                "split": "test",
            }
            for row in stages
        ],
        **({"evaluation": {key: measured.evaluation.as_dict()[key] for key in told}} if measured else {}),
        "seeds": [scenario.seed + i for i in range(scenario.teachers)],
        "commit": commit(),
    }


def quick(scenario: LifeScenario) -> LifeScenario:
    """The same pipeline, to see that it runs: hardly trained, and no promise but the size."""
    budget = scenario.budget
    return replace(
        scenario,
        name=f"{scenario.name}_quick",
        teachers=1,
        teacher_schedule=Schedule(epochs=1, learning_rate=5e-3),
        schedule=Schedule(epochs=1, learning_rate=5e-3),
        steps_an_epoch=20,
        compress=tuple(shorter(method) for method in scenario.compress),
        budget=LifeBudget(budget.size_kb, folder_kb=budget.folder_kb),
        notes=(*scenario.notes, "A quick build: hardly trained, to show that the pipeline runs; not to be used."),
    )
