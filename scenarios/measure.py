"""What a build measures on the test split: each stage in torch, then the finished bundle through `Session`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from compress.qat import Int8Student
from compress.report import Stage, Weights, describe
from device_runtime import bench, weights
from device_runtime.arithmetic import Float32
from device_runtime.decoders import Smooth
from device_runtime.evaluate import Evaluation, FalseAccepts, evaluate, false_accepts, is_word, with_prerolls
from device_runtime.intervals import wilson
from device_runtime.noise import Noises
from device_runtime.recordings import Recording, read_audio
from device_runtime.session import Session
from scenarios.training import Trainings
from train import metrics
from train.augment import PREROLL
from train.batches import FeatureSet
from train.features import feature_vectors, one_second
from train.teacher import ensemble

MOST_TRADE_OFF_CLIPS = 800


@dataclass(frozen=True)
class StageResult:
    """One row of the stage table."""

    stage: Stage
    accuracy_cold: float


@dataclass(frozen=True)
class Measured:
    """The finished bundle, listened to."""

    evaluation: Evaluation
    false_accepts: dict[str, FalseAccepts]
    """By the name of the negative speech."""

    trade_off: list[tuple[float, float, float]]
    """(offset of all thresholds, share missed, false accepts per hour)."""

    hours: float
    costs: list[bench.Cost]


def test_words(trainings: Trainings) -> list[Recording]:
    """The official test recordings of the words."""
    return [r for r in trainings.scenario.mix.words.recordings("test") if is_word(r.label)]


def stages(trainings: Trainings, models: dict[str, nn.Module]) -> list[StageResult]:
    """The teacher and every model that was made from it, on the very audio that `tinyrnn evaluate` streams."""
    cold, warm = test_features(trainings)
    rows = [_teacher_row(trainings, cold, warm)]
    for name, model in models.items():
        right = [streamed(trainings, model, features) for features in (cold, warm)]
        rows.append(_row(trainings, name, weights_of(model), right, len(warm), "torch, clip by clip"))
    return rows


def test_features(trainings: Trainings) -> tuple[FeatureSet, FeatureSet]:
    """Test clips from a cold start, and after the pre-roll of the evaluation."""
    where = {label: i for i, label in enumerate(trainings.labels)}
    words = test_words(trainings)
    order = np.random.default_rng(0).permutation(len(words))  # as `evaluate` does: the same pre-rolls
    labelled = [(words[i], words[i].label) for i in order]
    cold, warm, labels = [], [], []
    for _, truth, audio, before in with_prerolls(labelled, 16_000):
        clip = one_second(audio)
        cold.append(feature_vectors(clip).astype(np.float16))
        before = np.pad(before, (PREROLL - len(before), 0))  # some recordings are shorter than the pre-roll
        warm.append(feature_vectors(np.concatenate([before, clip])).astype(np.float16))
        labels.append(where[truth])
    said = np.array(labels, np.int64)
    rest = np.zeros(len(said), np.bool_), np.zeros(len(said), np.int64)
    return FeatureSet(np.stack(cold), said, *rest), FeatureSet(np.stack(warm), said, *rest)


def _teacher_row(trainings: Trainings, cold: FeatureSet, warm: FeatureSet) -> StageResult:
    def right(features: FeatureSet) -> int:
        parts = torch.from_numpy(features.vectors).split(400)
        logits = torch.cat([ensemble(trainings.teachers, part.float()) for part in parts])
        words = torch.tensor(trainings.words)
        return int((words[logits[:, words].argmax(dim=1)] == torch.from_numpy(features.labels)).sum())

    size = describe(
        {f"{i}.{k}": p.detach().numpy() for i, t in enumerate(trainings.teachers) for k, p in t.named_parameters()}
    )
    return _row(trainings, "teacher", size, [right(cold), right(warm)], len(warm), "torch, whole clips")


def streamed(trainings: Trainings, model: nn.Module, features: FeatureSet) -> int:
    """How many clips a student decides rightly, by the highest smoothed score within the clip."""
    window = round(trainings.scenario.decoder.window_ms / (10 * trainings.view.stride))
    logits = metrics.in_batches(model, features, trainings.view)
    scores = metrics.clip_scores(logits, window, trainings.hard_loss.clip_steps)
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
    return StageResult(stage, right[0] / clips)


def bundle(path: Path, trainings: Trainings) -> Measured:
    """Accuracy, false accepts, the trade-off between misses and false accepts, and what each engine costs."""
    session = Session.open(path)
    heard = session.bundle.manifest.card.get("noises_heard", [])
    noises = [r for source in trainings.scenario.mix.noises for r in source.recordings("test")]
    folders = sorted({r.path.parent for r in noises})
    found = Noises.choose(folders, 16_000, heard)
    evaluation = evaluate(session, test_words(trainings), found)
    negatives = negative_speech(trainings)
    accepts = {name: false_accepts(session, paths) for name, paths in negatives.items()}
    quiet = [path for paths in negatives.values() for path in paths]
    points, hours = trade_off(session, test_words(trainings), quiet)
    costs = [bench.measure(path, engine) for engine in ("reference", "onnx", "litert")]
    return Measured(evaluation, accepts, points, hours, costs)


def negative_speech(trainings: Trainings) -> dict[str, list[Path]]:
    """Test speech without the words, by other people than in training; empty where a scenario has none."""
    mix = trainings.scenario.mix
    found = {source.name: [r.path for r in source.recordings("test")] for source in (*mix.tests, *mix.negatives)}
    return {name: paths for name, paths in found.items() if paths}


def trade_off(
    session: Session, words: Sequence[Recording], negatives: Sequence[Path]
) -> tuple[list[tuple[float, float, float]], float]:
    """Misses and false accepts as all thresholds move together: (offset, missed, false accepts per hour), and hours.

    Each recording goes through front end and engine once; only the decoder runs again for each setting.
    """
    if not negatives:
        return [], 0.0
    some = words[:: max(1, len(words) // MOST_TRADE_OFF_CLIPS)]
    clips = [(recording.label, list(_scores(session, read_audio(recording.path)))) for recording in some]
    stream = np.concatenate([read_audio(path) for path in negatives])
    noise = list(_scores(session, stream))
    hours = len(stream) / 16_000 / 3600
    points = []
    for offset in np.round(np.arange(-0.5, 0.5, 0.05), 2):
        moved = {word: float(np.clip(at + offset, 0.02, 0.995)) for word, at in session.thresholds.items()}
        missed = sum(label not in _fired(session, moved, scores) for label, scores in clips if label in moved)
        points.append((float(offset), missed / len(clips), len(_fired(session, moved, noise)) / hours))
    return points, hours


def _scores(session: Session, audio: Float32) -> Iterator[tuple[Float32, float]]:
    """Raw scores and times of a recording from a cold start."""
    session.reset()
    state = session.bundle.model.initial_state()
    for frame in session.frontend.push(audio):
        scores, state = session.engine.step(frame.values, state)
        yield scores, frame.time_s


def _fired(session: Session, thresholds: dict[str, float], scores: list[tuple[Float32, float]]) -> list[str]:
    settings: dict[str, Any] = {k: v for k, v in session.bundle.manifest.decoder.items() if k != "kind"}
    decoder = Smooth(session.labels, **{**settings, "thresholds": thresholds}, frame_s=session.frontend.frame_s)
    return [event.label for one, time_s in scores for event in decoder.push(one, time_s)[1]]
