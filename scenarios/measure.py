"""What a build measures on the test split: each stage in torch, then the finished bundle through `Session`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from torch import nn

from compress.qat import Int8Student
from compress.report import Stage, Weights, describe
from device_runtime import weights
from device_runtime.arithmetic import Float32
from device_runtime.clips import PREROLL_S, in_a_room
from device_runtime.decoders import Smooth
from device_runtime.evaluate import Evaluation, FalseAccepts, evaluate, false_accepts
from device_runtime.hearing import hearing
from device_runtime.intervals import wilson
from device_runtime.noise import Noises
from device_runtime.recordings import Recording, read_audio
from device_runtime.session import Session
from scenarios.benchmarks.compare import Row, compare
from scenarios.clips_heard import features, words
from scenarios.training import COLD_VECTORS, Trainings
from train import metrics
from train.batches import FeatureSet
from train.material import Mix
from train.teacher import ensemble

MOST_TRADE_OFF_CLIPS = 800
TIMED_STEPS = 300
ONE_WORD_S = 2.0
"""Shorter recordings of a source that says one word at a time are clips; longer ones are continuous speech."""


@dataclass(frozen=True)
class StageResult:
    """One row of the stage table."""

    stage: Stage
    accuracy_cold: float
    in_torch: float
    """Accuracy, warm, by torch's decision: what compares one stage with another, like with like."""


@dataclass(frozen=True)
class UnknownWords:
    """Clips of other words, and how many of them set a word off."""

    clips: int
    triggered: int


@dataclass(frozen=True)
class TradeOff:
    """What moving all thresholds together costs."""

    points: list[tuple[float, float, float]]
    """(offset of all thresholds, share missed, false accepts per hour)."""

    clips: int
    """Words that were heard for it, each from a cold start."""

    hours: float


@dataclass(frozen=True)
class Measured:
    """The finished bundle, listened to."""

    evaluation: Evaluation
    unknown_words: dict[str, UnknownWords]
    """By the name of the source."""

    false_accepts: dict[str, FalseAccepts]
    """In continuous speech, by the name of the source."""

    trade_off: TradeOff | None
    costs: list[Row]
    """Of the bundle's engines, and of float peers with a model of the same sizes."""


def stages(trainings: Trainings, models: dict[str, nn.Module]) -> list[StageResult]:
    """The teacher and every model that was made from it, on the very audio that `tinyrnn evaluate` streams."""
    cold, warm = features(trainings, "test")
    rows = [_teacher_row(trainings, cold, warm)]
    for name, model in models.items():
        right = [streamed(trainings, model, features) for features in (cold, warm)]
        rows.append(_row(trainings, name, weights_of(model), right, len(warm), "torch, clip by clip"))
    return rows


def _teacher_row(trainings: Trainings, cold: FeatureSet, warm: FeatureSet) -> StageResult:
    def right(features: FeatureSet) -> int:
        behind = round(trainings.scenario.decoder.window_ms / 10)  # vectors of quiet, which the teacher never learned
        parts = torch.from_numpy(features.vectors[:, :-behind]).split(400)
        logits = torch.cat([ensemble(trainings.teachers, part.float()) for part in parts])
        words = torch.tensor(trainings.words)
        return int((words[logits[:, words].argmax(dim=1)] == torch.from_numpy(features.labels)).sum())

    size = describe(
        {f"{i}.{k}": p.detach().numpy() for i, t in enumerate(trainings.teachers) for k, p in t.named_parameters()}
    )
    return _row(trainings, "teacher", size, [right(cold), right(warm)], len(warm), "torch, whole clips")


def streamed(trainings: Trainings, model: Callable[[torch.Tensor], torch.Tensor], features: FeatureSet) -> int:
    """How many clips a student decides rightly, by the highest smoothed score within the clip."""
    window = trainings.scenario.window_steps
    logits = metrics.in_batches(model, features, trainings.view)
    scores = metrics.clip_scores(logits, window, trainings.view.steps(COLD_VECTORS) + window)  # and the quiet behind
    return round(metrics.word_accuracy(scores, torch.from_numpy(features.labels), trainings.words) * len(features))


def weights_of(model: nn.Module) -> Weights:
    """Parameters, non-zeros and bytes: int8 weights with float32 scales and biases once it is quantized."""
    if not isinstance(model, Int8Student):
        return describe({name: p.detach().numpy() for name, p in model.named_parameters()})
    return describe(weights.arrays(model.model()))


def _row(trainings: Trainings, name: str, size: Weights, right: Sequence[int], clips: int, how: str) -> StageResult:
    stage = Stage.of(
        name,
        size,
        accuracy=right[1] / clips,
        interval_95=wilson(right[1], clips),
        split="test",
        clips=clips,
        seconds=sum(h.seconds for key, h in trainings.histories.items() if key.startswith(name)),
        measured_with=how,
    )
    return StageResult(stage, right[0] / clips, right[1] / clips)


def shipped(row: StageResult, measured: Measured) -> StageResult:
    """The row of the bundle itself: not what torch decided, but what a device does."""
    facts = measured.evaluation.as_dict()
    stage = replace(
        row.stage,
        accuracy=facts["accuracy"],
        interval_95=tuple(facts["interval_95"]),
        clips=facts["clips"],
        measured_with="Session, warm",
    )
    return replace(row, stage=stage, accuracy_cold=facts["accuracy_cold"])


def bundle(path: Path, trainings: Trainings) -> Measured:
    """Accuracy, false accepts, the trade-off between misses and false accepts, and what each engine costs."""
    session = Session.open(path)
    heard = session.bundle.manifest.card.get("noises_heard", [])
    noises = [r for source in trainings.scenario.mix.noises for r in source.recordings("test")]
    folders = sorted({r.path.parent for r in noises})
    found = Noises.choose(folders, 16_000, heard)
    evaluation = evaluate(session, words(trainings, "test"), found)
    clips, continuous = negative_speech(trainings.scenario.mix)
    stream = [path for paths in continuous.values() for path in paths]
    return Measured(
        evaluation,
        unknown_words={name: unknown_words(session, paths) for name, paths in clips.items()},
        false_accepts={name: false_accepts(session, paths) for name, paths in continuous.items()},
        trade_off=trade_off(session, words(trainings, "test"), stream),
        costs=compare(path, TIMED_STEPS),
    )


def negative_speech(mix: Mix) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
    """Test speech without the words, by other people than in training: clips of one word, and continuous speech.

    Sources that a mix calls `unknown` or `tests` say one word at a time, but for their longer recordings.
    """
    clips: dict[str, list[Path]] = {}
    continuous: dict[str, list[Path]] = {}
    for source in dict.fromkeys((*mix.tests, *mix.negatives)):
        word_by_word = source in mix.tests or source in mix.unknown
        for recording in source.recordings("test"):
            one_word = word_by_word and soundfile.info(recording.path).duration < ONE_WORD_S
            (clips if one_word else continuous).setdefault(source.name, []).append(recording.path)
    return clips, continuous


def unknown_words(session: Session, paths: Sequence[Path]) -> UnknownWords:
    """Each clip on its own in a room, after the end of the one before: does any word fire in it, or right behind?"""
    rate = int(session.frontend.sample_rate_hz)
    behind = int(session.decoder.window_s * rate)
    triggered = 0
    before = read_audio(paths[-1], rate)
    for path in paths:
        clip = read_audio(path, rate)
        session.reset()
        session.push(before[-int(PREROLL_S * rate) :])
        session.decoder.end_refractory()  # the clips are one after the other only here
        triggered += bool(session.push(in_a_room(clip, rate, behind)))
        before = clip
    return UnknownWords(len(paths), triggered)


def trade_off(session: Session, words: Sequence[Recording], negatives: Sequence[Path]) -> TradeOff | None:
    """Misses and false accepts as all thresholds move together; None without continuous speech.

    Each recording goes through front end and engine once; only the decoder runs again for each setting.
    """
    if not negatives:
        return None
    some = words[:: max(1, len(words) // MOST_TRADE_OFF_CLIPS)]
    behind = int(session.decoder.window_s * 16_000)
    clips = [(r.label, _heard(session, in_a_room(read_audio(r.path), 16_000, behind))) for r in some]
    stream = np.concatenate([read_audio(path) for path in negatives])
    noise = _heard(session, stream)
    hours = len(stream) / 16_000 / 3600
    points = []
    for offset in np.round(np.arange(-0.5, 0.5, 0.05), 2):
        moved = {word: float(np.clip(at + offset, 0.02, 0.995)) for word, at in session.thresholds.items()}
        missed = sum(label not in _fired(session, moved, heard) for label, heard in clips if label in moved)
        points.append((float(offset), missed / len(clips), len(_fired(session, moved, noise)) / hours))
    return TradeOff(points, len(clips), hours)


def _heard(session: Session, audio: Float32) -> tuple[list[float], Float32]:
    """Times and raw scores of each step of a recording from a cold start."""
    session.reset()
    times_s, scores = hearing(session.frontend, session.engine, session.bundle.model.initial_state()).push(audio)
    return list(times_s), scores


def _fired(session: Session, thresholds: dict[str, float], heard: tuple[list[float], Float32]) -> list[str]:
    times_s, scores = heard
    settings: dict[str, Any] = {k: v for k, v in session.bundle.manifest.decoder.items() if k != "kind"}
    decoder = Smooth(session.labels, **{**settings, "thresholds": thresholds}, frame_s=session.frontend.frame_s)
    return [event.label for events in decoder.push(scores, times_s).events for event in events]
