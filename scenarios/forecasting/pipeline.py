"""From a sensor log to a bundle that is proved: the page to read first.

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

from compress.method import in_turn
from device_runtime.errors import InputError
from device_runtime.manifest import Manifest
from scenarios import bundling
from scenarios.bundling import Result, Traced
from scenarios.forecasting import measure
from scenarios.forecasting.card import model_card
from scenarios.forecasting.intervals import offsets
from scenarios.forecasting.report import make_report
from scenarios.forecasting.scenario import ForecastBudget, ForecastScenario
from scenarios.forecasting.training import ForecastTrainings
from scenarios.shorter import shorter
from train.data.cache import cache_folder
from train.loop import Schedule
from train.processes import Processes


def run(scenario: ForecastScenario, runs: Path, console: Console | None = None, options: Sequence[str] = ()) -> Result:
    """Train, compress, export, prove, measure and report; PromiseError if a bit differs.

    `options` are those of the command line that made this scenario, for the report.
    """
    console = console or Console(stderr=True)
    folder = runs / scenario.name
    trainings = ForecastTrainings(scenario, folder / "checkpoints", cache_folder() / "forecasts")
    series = trainings.series
    told = f"{len(series):,} samples of {', '.join(series.channels)}"
    console.print(f"[bold]{escape(scenario.title)}[/]: {escape(told)}", soft_wrap=True)

    made = in_turn(trainings.student(scenario.seed), scenario.compress, trainings)
    models, (last, student) = dict(made), made[-1]
    if Processes().rank > 0:
        sys.exit()  # all of torchrun's processes trained; the first one alone measures and writes
    if not hasattr(student, "trace"):
        raise InputError(f"{scenario.name} ends with {last}, but a bundle holds int8. Put Int8 last.")

    console.print("calibrating the intervals on the validation part")
    below, above = offsets(student, trainings.windows("validation"), scenario.intervals.coverage)
    console.print("forecasting every window of the test part")
    stages = measure.stages(trainings, models)

    bundle, unproved = folder / f"{scenario.name}.bundle", folder / f"{scenario.name}.unproved"
    frames = stream_of_tests(trainings, bundling.PARITY_FRAMES)
    words = manifest(trainings, below, above, model_card(trainings, stages))
    traced: Traced = student  # type: ignore[assignment]  # an Int8Forecaster: it has trace and model
    bundling.write_bundle(unproved, words, traced, scenario.export, made_frames(scenario))
    proof = bundling.prove(unproved, traced, frames)
    console.print(bundling.told(proof))

    console.print("streaming the test part through the bundle")
    measured = measure.bundle(unproved, trainings)
    bundling.publish(unproved, bundle, model_card(trainings, stages, measured))
    report, missed = make_report(trainings, bundle, stages, measured, proof, folder, options)
    return Result(bundle, report, missed)


def stream_of_tests(trainings: ForecastTrainings, frames: int) -> torch.Tensor:
    """Segments of test windows one after the other, all channels in turn: (frames, feature_size).

    A short test part is gone through again: the state that it meets is another one then.
    """
    windows = trainings.windows("test")
    needed = -(-frames // windows.config.segments)
    numbers = torch.linspace(0, max(needed, len(windows)) - 1, needed).long() % len(windows)
    return windows[numbers][0].flatten(0, 1)


def made_frames(scenario: ForecastScenario) -> torch.Tensor:
    """Segments of a random walk, (frames, feature_size), for the golden frames: a bundle carries no readings.

    What was measured may be another's, who lets it be read but not passed on.
    """
    config = scenario.forecaster
    random = np.random.default_rng(scenario.seed)
    frames = np.zeros((bundling.GOLDEN_FRAMES, config.feature_size), np.float32)
    walk = random.normal(0, 0.3, (bundling.GOLDEN_FRAMES, config.segment)).ravel().cumsum()
    frames[:, : config.segment] = walk.reshape(-1, config.segment)
    frames[:, config.segment : config.segment + 1] = 1.0  # the first channel's code, where there is one
    return torch.from_numpy(frames)


def manifest(trainings: ForecastTrainings, below: list[float], above: list[float], card: dict[str, Any]) -> Manifest:
    """What the bundle of these trainings tells of itself."""
    scenario, series = trainings.scenario, trainings.series
    config, scale = scenario.forecaster, series.scale()
    return Manifest(
        name=scenario.name,
        task="forecasting",
        labels=tuple(f"p{round(100 * quantile)}" for quantile in config.quantiles),
        frontend={
            "kind": "lookback",
            "channels": list(series.channels),
            "interval_s": series.interval_s,
            "segment": config.segment,
            "segments": config.segments,
            "every": 1,
            "mean": [float(value) for value in scale.mean],
            "std": [float(value) for value in scale.std],
            "level": "last",
            "gaps": "hold",
            "channel_code": bool(config.codes),
        },
        decoder={
            "kind": "forecast",
            "positions": config.positions,
            "coverage": scenario.intervals.coverage,
            "below": below,
            "above": above,
            "rate": scenario.intervals.rate,
            "near": scenario.intervals.near,
        },
        card=card,
    )


def quick(scenario: ForecastScenario) -> ForecastScenario:
    """The same pipeline, to see that it runs: hardly trained, and no promise but the size."""
    budget = scenario.budget
    return replace(
        scenario,
        name=f"{scenario.name}_quick",
        teachers=1,
        teacher_schedule=Schedule(epochs=1, learning_rate=2e-3),
        schedule=Schedule(epochs=1, learning_rate=4e-3),
        share=min(scenario.share, 0.1),
        compress=tuple(shorter(method) for method in scenario.compress),
        budget=ForecastBudget(budget.size_kb, coverage=(0.0, 1.0), folder_kb=budget.folder_kb),
        notes=(*scenario.notes, "A quick build: hardly trained, to show that the pipeline runs; not to be used."),
    )
