"""From readings to an alarm that is proved: the page to read first.

    run(SCENARIO, Path("runs"))

The predictor's training leaves its checkpoint in the run's folder: interrupt the build, and it goes on where it was.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from rich.console import Console
from rich.markup import escape

from compress.int8_layers import FloatLayers
from compress.quantize import calibrate
from device_runtime.manifest import Manifest
from device_runtime.nab import read_nab
from scenarios import bundling
from scenarios.bundling import Result
from scenarios.health import measure
from scenarios.health.report import make_report
from scenarios.health.scenario import HealthBudget, HealthScenario
from scenarios.model_card import commit
from train.data.made_series import MadeSeries
from train.loop import Schedule
from train.predictor import LABELS, fit_predictor, frames_of

PIECE = 4096
"""Samples of a real series that are learned from as one."""

INTERVAL_S = 300.0
"""Of a bundle's readings until a user says otherwise: the benchmark's usual one."""


def run(scenario: HealthScenario, runs: Path, console: Console | None = None, options: Sequence[str] = ()) -> Result:
    """Train, quantize, export, prove, measure and report; PromiseError if a bit differs.

    `options` are those of the command line that made this scenario, for the report.
    """
    console = console or Console(stderr=True)
    folder = runs / scenario.name
    files = read_nab(scenario.benchmark.folder)  # asked for now: it must not be missing after the training
    console.print(f"[bold]{escape(scenario.title)}[/]", soft_wrap=True)
    predictor, frames, history = fit_predictor(
        scenario.predictor,
        pieces(scenario),
        scenario.schedule,
        folder / "checkpoints" / f"predictor-{_identity(scenario)}.ckpt",
        scenario.seed,
    )
    int8 = calibrate(cast(FloatLayers, predictor), frames)
    stages = measure.stages({"predictor": predictor, "int8": int8}, frames, history.seconds)

    bundle, unproved = folder / f"{scenario.name}.bundle", folder / f"{scenario.name}.unproved"
    stream = stream_of_tests([file.values for file in files], bundling.PARITY_FRAMES)
    bundling.write_bundle(unproved, _manifest(scenario, _card(scenario, stages)), int8, scenario.export, stream)
    proof = bundling.prove(unproved, int8, stream)
    console.print(bundling.told(proof))

    console.print("streaming the benchmark through the bundle")
    measured = measure.bundle(unproved, scenario, files)
    bundling.publish(unproved, bundle, _card(scenario, stages, measured))
    report, missed = make_report(scenario, bundle, stages, measured, proof, history, folder, options)
    return Result(bundle, report, missed)


def pieces(scenario: HealthScenario) -> Iterator[MadeSeries]:
    """The training parts of the real series, one channel and some thousand samples at a time."""
    for source in scenario.learned:
        series = source.series()
        part = series.part("train") if series.splits else series.values
        for at in range(0, len(part) - PIECE // 4, PIECE):
            for channel in part[at : at + PIECE].T:
                if np.isfinite(channel).all():
                    yield MadeSeries(channel.astype(np.float64), series.interval_s)


def stream_of_tests(series: Sequence[np.ndarray], frames: int) -> torch.Tensor:
    """Frames of the benchmark's files one after the other, (frames, feature_size), from the first again if need be."""
    made: list[np.ndarray] = []
    for values in itertools.cycle(series):
        made.append(frames_of(values, INTERVAL_S))
        if sum(map(len, made)) >= frames:
            break
    return torch.from_numpy(np.concatenate(made)[:frames])


def _identity(scenario: HealthScenario) -> str:
    told = repr((scenario.learned, scenario.predictor, scenario.schedule, scenario.seed))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _manifest(scenario: HealthScenario, card: dict[str, Any]) -> Manifest:
    return Manifest(
        name=scenario.name,
        task="anomaly",
        labels=LABELS,
        frontend={"kind": "adaptive", "interval_s": INTERVAL_S, "channels": ["value"]},
        decoder={"kind": "anomaly", "threshold": scenario.threshold, "quiet": scenario.quiet},
        card=card,
    )


def _card(
    scenario: HealthScenario, stages: Sequence[measure.StageResult], measured: measure.Measured | None = None
) -> dict[str, Any]:
    """Data and licences, errors of each stage, the benchmark's scores, seed and commit, as plain JSON values."""
    made = {"name": "made series", "source": "drawn by rules (train/data/made_series.py)", "licence": "synthetic"}
    learned = [{"name": s.name, "source": s.source, "licence": s.licence} for s in scenario.learned]
    return {
        "title": scenario.title,
        "summary": scenario.summary,
        "data": [*learned, made],
        "stages": [
            {
                "name": row.name,
                "pinball": round(row.pinball, 4),
                "parameters": row.weights.parameters,
                "nonzeros": row.weights.nonzeros,
                "bytes": row.weights.bytes,
                "split": "validation",
            }
            for row in stages
        ],
        **({"evaluation": measured.card()} if measured else {}),
        "seeds": [scenario.seed],
        "commit": commit(),
    }


def quick(scenario: HealthScenario) -> HealthScenario:
    """The same pipeline, to see that it runs: hardly trained, and no promise but the size."""
    budget = scenario.budget
    return replace(
        scenario,
        name=f"{scenario.name}_quick",
        predictor=replace(scenario.predictor, series=40, steps_an_epoch=10),
        schedule=Schedule(epochs=1, learning_rate=6e-3),
        budget=HealthBudget(budget.size_kb, sample_us=1e6, folder_kb=budget.folder_kb),
        notes=(*scenario.notes, "A quick build: hardly trained, to show that the pipeline runs; not to be used."),
    )
