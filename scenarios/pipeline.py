"""From recordings to a bundle that is proved: the page to read first.

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

from compress.deployed import refuse_other_cells
from compress.method import in_turn
from compress.qat import Int8Student
from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.manifest import Manifest
from device_runtime.recordings import read_audio
from scenarios import bundling, measure
from scenarios.bundling import Result
from scenarios.model_card import model_card
from scenarios.reporting import make_report
from scenarios.scenario import Budget, Scenario
from scenarios.shorter import shorter
from scenarios.thresholds import choose_thresholds
from scenarios.training import Trainings
from scenarios.untrained import untrained
from train.data.cache import cache_folder
from train.features import feature_vectors
from train.loop import Schedule
from train.processes import Processes

TEACHERS = "teachers"
"""The folder in `runs` for the checkpoints of all teachers: each is named by a digest of what it learned from."""


def run(scenario: Scenario, runs: Path, console: Console | None = None, options: Sequence[str] = ()) -> Result:
    """Train, compress, export, prove, measure and report; PromiseError if a bit differs.

    `options` are those of the command line that made this scenario, for the report.
    """
    console = console or Console(stderr=True)
    folder = runs / scenario.name
    look_for_data(scenario)
    refuse_other_cells(scenario.student)
    untrained(scenario)  # what cannot be made is refused now, not after an hour of training
    trainings = Trainings(scenario, folder / "checkpoints", cache_folder() / "features", runs / TEACHERS)
    console.print(f"[bold]{escape(scenario.title)}[/]: {escape(', '.join(trainings.labels))}", soft_wrap=True)
    # heard now: a bar within the bar of a training would leave empty lines in a log
    learned, validated = (sum(map(len, copies)) for copies in (trainings.copies, trainings.validation_copies))
    console.print(f"{learned:,} clips heard to learn from, {validated:,} to validate on")

    made = in_turn(trainings.student(scenario.seed), scenario.compress, trainings)
    models, (last, student) = dict(made), made[-1]
    if Processes().rank > 0:
        sys.exit()  # all of torchrun's processes trained; the first one alone measures and writes
    if not isinstance(student, Int8Student):
        raise InputError(f"{scenario.name} ends with {last}, but a bundle holds int8. Put Int8 last.")

    console.print("choosing thresholds on the validation split")
    thresholds = choose_thresholds(student, trainings)
    console.print("listening to the test split")
    stages = measure.stages(trainings, models)

    audio = stream_of_tests(trainings, bundling.PARITY_FRAMES)
    frames = trainings.view(torch.from_numpy(feature_vectors(audio))[None])[0]
    bundle, unproved = folder / f"{scenario.name}.bundle", folder / f"{scenario.name}.unproved"
    card = model_card(trainings, stages)
    bundling.write_bundle(unproved, manifest(trainings, thresholds, card), student, scenario.export, frames)
    proof = bundling.prove(unproved, student, frames)
    console.print(bundling.told(proof))

    console.print("streaming the test split through the bundle")
    measured = measure.bundle(unproved, trainings)
    stages[-1] = measure.shipped(stages[-1], measured)
    bundling.publish(unproved, bundle, model_card(trainings, stages, measured))
    report, missed = make_report(trainings, bundle, stages, measured, proof, folder, options)
    return Result(bundle, report, missed)


def look_for_data(scenario: Scenario) -> None:
    """Ask for every data set now: a folder that is missing must not show after an hour of training."""
    for source in (*scenario.mix.sources, *scenario.mix.tests):
        source.recordings("test")


def stream_of_tests(trainings: Trainings, frames: int) -> Float32:
    """Test recordings one after the other, long enough for so many frames."""
    recordings = trainings.scenario.mix.words.recordings("test")
    order = np.random.default_rng(trainings.scenario.seed).permutation(len(recordings))
    needed = (frames + 10) * trainings.view.stride * 160
    parts: list[Float32] = []
    while sum(part.size for part in parts) < needed:
        parts.append(read_audio(recordings[order[len(parts) % len(order)]].path))
    return np.concatenate(parts)[:needed]


def manifest(trainings: Trainings, thresholds: dict[str, float], card: dict[str, Any]) -> Manifest:
    """What the bundle of these trainings tells of itself."""
    scenario = trainings.scenario
    decoder = scenario.decoder
    return Manifest(
        name=scenario.name,
        task="keyword_spotting",
        labels=trainings.labels,
        frontend={
            "kind": "speech",
            "sample_rate_hz": 16_000,
            "window_ms": 30,
            "hop_ms": 10,
            "bands": scenario.student.bands,
            "stack": scenario.student.stack,
            "stride": scenario.student.stride,
        },
        decoder={
            "kind": "smooth",
            "window_ms": decoder.window_ms,
            "thresholds": thresholds,
            "release": decoder.release,
            "refractory_ms": decoder.refractory_ms,
        },
        card=card,
    )


def quick(scenario: Scenario) -> Scenario:
    """The same pipeline, to see that it runs: short trainings on all of the data, and no promise of accuracy."""
    short = replace(scenario.schedule, epochs=3, validate_every=1)
    methods = tuple(shorter(method) for method in scenario.compress)
    return replace(
        scenario,
        name=f"{scenario.name}_quick",
        teacher_schedule=Schedule(epochs=1, learning_rate=3e-3),
        schedule=short,
        compress=methods,
        budget=Budget(
            scenario.budget.size_kb, accuracy=0.0, int8_loss=1.0, folder_kb=scenario.budget.folder_kb, warm_gap=1.0
        ),
        notes=(*scenario.notes, "A quick build: hardly trained, to show that the pipeline runs; not to be used."),
    )
