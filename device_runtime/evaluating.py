"""What `tinyrnn evaluate` measures: a task in the manifest becomes an evaluation here and nowhere else.

To add one: a module with a function from the arguments to the numbers, another from these to a text, and a line below.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime import (
    anomaly_summary,
    evaluate_anomaly,
    evaluate_forecast,
    evaluate_life,
    forecast_summary,
    summary,
)
from device_runtime.bundle import read_manifest
from device_runtime.errors import InputError
from device_runtime.evaluate import evaluate, false_accepts
from device_runtime.noise import Noises
from device_runtime.progress import progress
from device_runtime.recordings import Recording, audio_files, list_recordings
from device_runtime.session import Session
from device_runtime.sources import can_decode

SHARED_NOISE = "speech/speech_commands_v0.02/_background_noise_"
"""Below TINYRNN_DATA: noise to evaluate in when the data brings none."""


@dataclass(frozen=True)
class Evaluation:
    """How the bundles of one task are measured."""

    measure: Callable[[argparse.Namespace], dict[str, Any]]
    """What the command was given, to the numbers that `--json` prints."""

    summary: Callable[[Mapping[str, Any]], str]
    """The numbers as a person reads them."""

    arguments: tuple[str, ...] = ()
    """Options, beside DATA, `--split` and `--engine`, that mean something to it."""


OPTIONAL: dict[str, Any] = {"noise": None, "negatives": None, "limit": None, "threshold": []}
"""What each of these options is when it was not given."""


def measured(args: argparse.Namespace) -> tuple[dict[str, Any], str]:
    """The numbers of a bundle on data, and what they say."""
    task = read_manifest(Path(args.bundle)).task
    if task not in EVALUATIONS:
        raise InputError(f"evaluate measures {', '.join(EVALUATIONS)}, but {args.bundle} is for {task}")
    evaluation = EVALUATIONS[task]
    for name, default in OPTIONAL.items():
        if getattr(args, name) != default and name not in evaluation.arguments:
            raise InputError(f"--{name} means nothing to {args.bundle}, which is for {task}. Leave it out")
    numbers = evaluation.measure(args)
    return numbers, evaluation.summary(numbers)


def _words(args: argparse.Namespace) -> dict[str, Any]:
    if args.data is None and args.negatives is None:
        raise InputError("nothing to evaluate: name a folder of labelled recordings, or --negatives DIR")
    session = Session.open(args.bundle, args.engine, dict(args.threshold))
    numbers: dict[str, Any] = {}
    if args.data is not None:
        recordings = chosen(list_recordings(args.data), args)
        numbers |= evaluate(session, recordings, _noises(args, session), args.seed, progress("clips")).as_dict()
    if args.negatives is not None:
        negatives = false_accepts(session, audio_files(args.negatives), progress("negatives")).as_dict()
        # those that no number on clips is named like stand at the top as well
        numbers = {**negatives, **numbers, "negatives": negatives}
    return numbers


def _forecasts(args: argparse.Namespace) -> dict[str, Any]:
    if args.data is None:
        raise InputError("nothing to evaluate: name a CSV file of readings")
    shown = progress("windows")
    return evaluate_forecast.evaluate_file(args.bundle, args.data, args.split, args.engine, shown).as_dict()


def _anomalies(args: argparse.Namespace) -> dict[str, Any]:
    if args.data is None:
        raise InputError("nothing to evaluate: name a copy of the Numenta Anomaly Benchmark")
    if args.split not in ("test", "all"):
        raise InputError(
            f"the Numenta Anomaly Benchmark has no split {args.split}: all its files are scored. Leave it out"
        )
    return evaluate_anomaly.evaluate(args.bundle, args.data, args.engine, progress("samples"))


def _lives(args: argparse.Namespace) -> dict[str, Any]:
    if args.data is None:
        raise InputError("nothing to evaluate: name a folder of C-MAPSS")
    shown = progress("engines")
    return evaluate_life.evaluate_folder(args.bundle, args.data, args.split, args.engine, shown).as_dict()


EVALUATIONS = {
    "keyword_spotting": Evaluation(_words, summary.summary, ("noise", "negatives", "limit", "threshold")),
    "forecasting": Evaluation(_forecasts, forecast_summary.summary),
    "anomaly": Evaluation(_anomalies, anomaly_summary.summary),
    "remaining_life": Evaluation(_lives, evaluate_life.summary),
}
"""By task."""


def chosen(recordings: Sequence[Recording], args: argparse.Namespace) -> list[Recording]:
    """Those of the split, at most `--limit` of them."""
    found = [recording for recording in recordings if args.split in (recording.split, "all")]
    if not found:
        there = sorted({recording.split for recording in recordings})
        raise InputError(f"{args.data} has no recordings in the split {args.split}; it has: {', '.join(there)}")
    if args.limit is None or args.limit >= len(found):
        return found
    if args.limit < 1:
        raise InputError(f"--limit must be at least 1, got {args.limit}")
    return [found[i] for i in sorted(np.random.default_rng(args.seed).permutation(len(found))[: args.limit])]


def _noises(args: argparse.Namespace, session: Session) -> Noises:
    shared = Path(os.environ.get("TINYRNN_DATA", "")) / SHARED_NOISE
    if args.noise is None:  # whatever lies at hand and can be read here
        near = [Path(args.data) / "_background_noise_", shared]
        folders = [folder for folder in near if folder.is_dir() and all(map(can_decode, audio_files(folder)))]
    else:
        folders = [Path(args.noise)]
        audio_files(args.noise)  # says so if there is no such folder, or no recording in it
    heard = session.bundle.manifest.noises_heard
    noises = Noises.choose(folders, int(session.frontend.sample_rate_hz), heard)
    if args.noise is not None and not noises.recordings:
        raise InputError(f"{args.noise} has no noise that training has not heard. Name a folder of other recordings")
    return noises
