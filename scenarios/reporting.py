"""Everything a build measured, put into the report and held to the budget."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import soundfile

from device_runtime import bundle as bundles
from device_runtime.arithmetic import Dense, Float32
from device_runtime.card import sizes
from device_runtime.evaluate import FalseAccepts, is_word
from device_runtime.intervals import poisson, wilson
from device_runtime.recordings import Recording, read_audio
from device_runtime.session import Session
from export.parity import Parity
from scenarios import report
from scenarios.measure import Measured, StageResult, test_words
from scenarios.model_card import commit
from scenarios.scenario import Scenario
from scenarios.training import Trainings
from train.data.dataset import SPLITS, Recordings

SAMPLE_RATE_HZ = 16_000
MOST_EXAMPLES = 6
COMPARISON = "comparison.json"


def make_report(
    trainings: Trainings, bundle: Path, stages: list[StageResult], measured: Measured, proof: Parity, folder: Path
) -> tuple[Path, tuple[str, ...]]:
    """Write report.html, report.json and example.wav; return the page and the promises that were missed."""
    scenario, facts = trainings.scenario, measured.evaluation.as_dict()
    promises = _budget(trainings, bundle, stages, measured)
    content = report.Report(
        name=scenario.name,
        title=scenario.title,
        summary=scenario.summary,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        commit=commit(),
        seed=scenario.seed,
        command=_command(scenario),
        machine=f"{platform.machine()}, {os.cpu_count()} cores, one thread, {platform.system()}",
        warnings=scenario.notes,
        notes=(f"{proof.frames} test frames gave the same bits on {', '.join(proof.engines)} and in training.",),
        stages=tuple(row.stage for row in stages),
        comparisons=_comparisons(folder),
        budget=tuple(promises),
        evaluation=_conditions(facts),
        unknown_words=tuple(_unknown_words(name, heard) for name, heard in measured.false_accepts.items()),
        false_accepts=tuple(_false_accepts(name, heard) for name, heard in measured.false_accepts.items()),
        trade_off=_trade_off(measured),
        per_word=_per_word(facts),
        confusion=_confusion(trainings, measured),
        example=_example(trainings, bundle, folder),
        curves={
            name: report.Curve(tuple(h.epoch), tuple(h.train_loss), tuple(h.validation_accuracy))
            for name, h in trainings.histories.items()
        },
        sizes=_sizes(bundle),
        engines=tuple(report.Speed(**asdict(cost)) for cost in measured.costs),
        data=_data(trainings),
    )
    page, _ = report.write(content, folder)
    return page, tuple(_in_words(promise) for promise in promises if not promise.kept)


def _in_words(promise: report.Promise) -> str:
    """One line, both numbers in one unit; as many digits as it takes to tell them apart.

    >>> _in_words(report.Promise("accuracy, warm", 0.955, 0.94123, "%", kept=False, at_most=False))
    'accuracy, warm: promised at least 95.5 %, measured 94.1 %'
    >>> _in_words(report.Promise("loss by int8", 0.003, 0.0034, "%", kept=False))
    'loss by int8: promised at most 0.3 %, measured 0.34 %'
    """
    times = 100 if promise.unit == "%" else 1
    promised, measured = times * promise.promised, times * promise.measured
    digits = next((n for n in range(1, 6) if round(measured, n) != round(promised, n)), 6)
    bound = "at most" if promise.at_most else "at least"
    return (
        f"{promise.what}: promised {bound} {promised:g} {promise.unit}, "
        f"measured {round(measured, digits):g} {promise.unit}"
    )


def _command(scenario: Scenario) -> str:
    """What to type to build it again."""
    name = scenario.name.removesuffix("_quick")
    return f"tinyrnn build {name} --seed {scenario.seed}{' --quick' * (name != scenario.name)}"


def _comparisons(folder: Path) -> tuple[report.Comparison, ...]:
    """What `python -m scenarios.compare` left in the folder, if it was run."""
    if not (folder / COMPARISON).exists():
        return ()
    kept = json.loads((folder / COMPARISON).read_text(encoding="utf-8"))
    return tuple(
        report.Comparison(
            f"student, {name}", tuple(kept[name]["warm"]), kept["split"], f"{kept['epochs']} epochs, warm"
        )
        for name in ("distilled", "labels only")
    )


def _budget(trainings: Trainings, bundle: Path, stages: list[StageResult], measured: Measured) -> list[report.Promise]:
    budget, facts = trainings.scenario.budget, measured.evaluation.as_dict()
    size_kb = bundles.read(bundle).device_bytes / 1000
    before, int8 = stages[-2].stage.accuracy, stages[-1].stage.accuracy
    loss = max(0.0, before - int8)
    promises = [
        report.Promise("size on the device", budget.size_kb, size_kb, "KB", size_kb <= budget.size_kb),
        report.Promise(
            "accuracy, warm", budget.accuracy, facts["accuracy"], "%", facts["accuracy"] >= budget.accuracy, False
        ),
        report.Promise("loss by int8", budget.int8_loss, loss, "%", loss <= budget.int8_loss),
    ]
    if budget.false_accepts_per_hour is not None and measured.false_accepts:
        hours = sum(f.hours for f in measured.false_accepts.values())
        rate = sum(len(f.fired) for f in measured.false_accepts.values()) / hours
        kept = rate <= budget.false_accepts_per_hour
        promises.append(report.Promise("false accepts", budget.false_accepts_per_hour, rate, "per hour", kept))
    if budget.missed_rate is not None:
        missed = facts["detection"]["missed_rate"]
        promises.append(report.Promise("words missed", budget.missed_rate, missed, "%", missed <= budget.missed_rate))
    return promises


def _conditions(facts: dict) -> tuple[report.Evaluation, ...]:
    rows = (
        ("warm: after 0.7 s of another clip", "accuracy", "interval_95"),
        ("cold: the clip alone", "accuracy_cold", "interval_95_cold"),
        ("10 dB noise, warm", "accuracy_noise_10db", "interval_95_noise_10db"),
    )
    return tuple(
        report.Evaluation(name, facts[key], facts["clips"], tuple(facts[interval]), facts["engine"])
        for name, key, interval in rows
        if facts.get(key) is not None
    )


def _unknown_words(name: str, heard: FalseAccepts) -> report.UnknownWords:
    triggered = len({path for path, _ in heard.fired})
    return report.UnknownWords(name, heard.clips, triggered, triggered / heard.clips, wilson(triggered, heard.clips))


def _false_accepts(name: str, heard: FalseAccepts) -> report.FalseAccepts:
    events = len(heard.fired)
    return report.FalseAccepts(name, heard.hours, events, events / heard.hours, poisson(events, heard.hours))


def _trade_off(measured: Measured) -> report.TradeOff | None:
    if not measured.trade_off:
        return None
    points = [report.Operating(*point) for point in measured.trade_off]
    shipped = min(points, key=lambda point: abs(point.threshold))
    clips = len(measured.evaluation.clips)
    name = "all thresholds moved by"
    return report.TradeOff(tuple(points), shipped, clips, measured.hours, threshold_name=name)


def _per_word(facts: dict) -> tuple[report.Word, ...]:
    return tuple(
        report.Word(label, row["clips"], sum(row["missed_as"].values()), row["missed_as"])
        for label, row in facts["per_label"].items()
    )


def _confusion(trainings: Trainings, measured: Measured) -> report.Confusion:
    answers = list(zip(measured.evaluation.clips, measured.evaluation.decisions("warm"), strict=True))
    counted = Counter((clip.truth, decision) for clip, decision in answers)
    said_or_heard = {label for pair in counted for label in pair}  # a word is taken for a word: no row of zeros
    labels = [label for label in trainings.labels if is_word(label) or label in said_or_heard]
    matrix = tuple(tuple(counted[said, heard] for heard in labels) for said in labels)
    return report.Confusion(tuple(labels), matrix)


def _example(trainings: Trainings, bundle: Path, folder: Path) -> report.Example:
    """A few test clips with pauses, as one recording; kept as example.wav for `tinyrnn run`."""
    random = np.random.default_rng(trainings.scenario.seed)
    clips = test_words(trainings)
    by_label: dict[str, Recording] = {}
    for i in random.permutation(len(clips)):
        by_label.setdefault(clips[i].label, clips[i])
    chosen = [by_label[label] for label in sorted(by_label)][:MOST_EXAMPLES]
    parts: list[Float32] = [_room(random, 1.0)]
    said = []
    for clip in chosen:
        audio = read_audio(clip.path)[:SAMPLE_RATE_HZ]
        start = sum(map(len, parts)) / SAMPLE_RATE_HZ
        said.append(report.Span(clip.label, start, start + len(audio) / SAMPLE_RATE_HZ))
        parts += [audio, _room(random, 0.8)]
    samples = np.concatenate(parts)
    soundfile.write(folder / "example.wav", samples, SAMPLE_RATE_HZ, "PCM_16")
    session = Session.open(bundle)
    steps = list(session.listen(samples))
    low, high = report.envelope(samples)
    spoken = {span.label for span in said}
    shown = [i for i, label in enumerate(session.labels) if label in spoken or not is_word(label)]
    return report.Example(
        title="Test clips with pauses between them",
        duration_s=len(samples) / SAMPLE_RATE_HZ,
        low=low,
        high=high,
        times_s=tuple(round(step.time_s, 3) for step in steps),
        scores={session.labels[i]: tuple(round(float(step.scores[i]), 3) for step in steps) for i in shown},
        events=tuple(report.Heard(e.label, e.time_s, e.score) for step in steps for e in step.events),
        said=tuple(said),
        thresholds={word: at for word, at in session.thresholds.items() if word in spoken},
    )


def _room(random: np.random.Generator, seconds: float) -> Float32:
    return random.normal(0, 3e-4, int(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


def _sizes(bundle: Path) -> report.Sizes:
    opened = bundles.read(bundle)
    parts: dict[str, int] = {}
    for i, layer in enumerate(opened.model.layers):
        if isinstance(layer, Dense):
            parts[f"dense {i + 1}"] = layer.affine.weight.nbytes
        else:
            parts["GRU, inputs"] = parts.get("GRU, inputs", 0) + layer.input.weight.nbytes
            parts["GRU, state"] = parts.get("GRU, state", 0) + layer.state.weight.nbytes
    parts["head"] = opened.model.head.weight.nbytes
    return report.Sizes(parts, sizes(opened))


def _data(trainings: Trainings) -> tuple[report.DataSet, ...]:
    mix = trainings.scenario.mix
    used = {mix.words: "words", **dict.fromkeys(mix.noises, "noise")}
    if mix.spoken:
        used[mix.spoken] = "synthetic words"
    heard = [_data_set(source, used.get(source, "speech without the words"), SPLITS) for source in mix.sources]
    return (
        *heard,
        *(_data_set(source, "speech without the words, for the test alone", ("test",)) for source in mix.tests),
    )


def _data_set(source: Recordings, used_for: str, splits: Sequence[str]) -> report.DataSet:
    return report.DataSet(
        name=source.name,
        licence=source.licence,
        splits={split: len(source.recordings(split)) for split in splits},
        synthetic="synthetic" in source.licence,
        used_for=used_for,
        source=source.source,
    )
