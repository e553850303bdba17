"""Everything a build measured, put into the report and held to the budget."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from device_runtime import bundle as bundles
from device_runtime.arithmetic import Float32
from device_runtime.evaluate import FalseAccepts, is_word
from device_runtime.intervals import poisson, wilson
from device_runtime.recordings import Recording, read_audio
from device_runtime.session import Session
from export.parity import Parity
from scenarios import report
from scenarios.benchmarks.compare import Row
from scenarios.clips_heard import words
from scenarios.measure import Measured, StageResult, UnknownWords
from scenarios.model_card import commit
from scenarios.report_parts import at_least, at_most, command, in_words, machine, now, where_bytes_go
from scenarios.training import Trainings
from train.data.dataset import SPLITS, Recordings

SAMPLE_RATE_HZ = 16_000
MOST_EXAMPLES = 6
COMPARISON = "comparison.json"
COMPARED = ("distilled", "distilled with a hint", "labels only")
"""How the students of `python -m scenarios.distillation` were taught."""


def make_report(
    trainings: Trainings,
    bundle: Path,
    stages: list[StageResult],
    measured: Measured,
    proof: Parity,
    folder: Path,
    options: Sequence[str] = (),
) -> tuple[Path, tuple[str, ...]]:
    """Write report.html, report.json and example.wav; return the page and the promises that were missed."""
    scenario, facts = trainings.scenario, measured.evaluation.as_dict()
    promises = _budget(trainings, bundle, stages, measured)
    content = report.Report(
        name=scenario.name,
        title=scenario.title,
        summary=scenario.summary,
        created=now(),
        commit=commit(),
        seed=scenario.seed,
        command=command(scenario, options),
        machine=machine(),
        warnings=scenario.notes,
        notes=(f"{proof.frames} test frames gave the same bits on {', '.join(proof.engines)} and in training.",),
        stages=tuple(row.stage for row in stages),
        comparisons=_comparisons(folder),
        budget=tuple(promises),
        evaluation=_conditions(facts),
        unknown_words=tuple(_unknown_words(name, heard) for name, heard in measured.unknown_words.items()),
        false_accepts=tuple(_false_accepts(name, heard) for name, heard in measured.false_accepts.items()),
        trade_off=_trade_off(measured),
        per_word=_per_word(facts),
        confusion=_confusion(trainings, measured),
        example=_example(trainings, bundle, folder),
        curves={
            name: report.Curve(tuple(h.epoch), tuple(h.train_loss), tuple(h.validation))
            for name, h in zip(_stage_names(trainings.histories), trainings.histories.values(), strict=True)
        },
        sizes=where_bytes_go(bundle),
        engines=tuple(_speed(row) for row in measured.costs if row.exact),
        peers=tuple(_speed(row) for row in measured.costs if not row.exact),
        data=_data(trainings),
    )
    page, _ = report.write(content, folder)
    return page, tuple(in_words(promise) for promise in promises if not promise.kept)


def _stage_names(trainings: Iterable[str]) -> list[str]:
    """The stage that each training made; numbered where a stage has several.

    >>> _stage_names(["teacher-0", "teacher-1", "student-0", "pruned"])
    ['teacher 1', 'teacher 2', 'student', 'pruned']
    """
    stages = [re.sub(r"^(teacher|student)-\d+$", r"\1", name) for name in trainings]
    return [
        stage if stages.count(stage) == 1 else f"{stage} {stages[: i + 1].count(stage)}"
        for i, stage in enumerate(stages)
    ]


def _speed(row: Row) -> report.Speed:
    return report.Speed(
        row.engine, row.step_us_median, row.step_us_p99, row.audio_second_us, row.real_time_factor, row.peak_mb
    )


def _comparisons(folder: Path) -> tuple[report.Comparison, ...]:
    """What `python -m scenarios.distillation` left in the folder, if it was run."""
    if not (folder / COMPARISON).exists():
        return ()
    kept = json.loads((folder / COMPARISON).read_text(encoding="utf-8"))
    return tuple(
        report.Comparison(
            f"student, {name}", tuple(kept[name]["warm"]), kept["split"], f"{kept['epochs']} epochs, warm"
        )
        for name in COMPARED
        if name in kept
    )


def _budget(trainings: Trainings, bundle: Path, stages: list[StageResult], measured: Measured) -> list[report.Promise]:
    budget, facts = trainings.scenario.budget, measured.evaluation.as_dict()
    opened, accuracy = bundles.read(bundle), facts["accuracy"]
    gap = round(max(0.0, facts["accuracy_cold"] - accuracy), 4)  # without what a subtraction of floats adds
    loss = round(max(0.0, stages[-2].in_torch - stages[-1].in_torch), 6)  # by one decision: no other loss is in it
    promises = [
        at_most("size on the device", budget.size_kb, opened.device_bytes / 1000, "KB"),
        at_most("size of the whole folder", budget.folder_kb, opened.size_bytes / 1000, "KB"),
        at_least("accuracy, warm", budget.accuracy, accuracy, "%"),
        at_most("accuracy, warm below cold", budget.warm_gap, gap, "%"),
        at_most("loss by int8, both in torch", budget.int8_loss, loss, "%"),
    ]
    mix = trainings.scenario.mix
    by_people = {source.name for source in (*mix.tests, *mix.negatives) if not _is_synthetic(source)}
    speech = [heard for name, heard in measured.false_accepts.items() if name in by_people]
    if budget.false_accepts_per_hour is not None and speech:
        rate = sum(len(heard.fired) for heard in speech) / sum(heard.hours for heard in speech)
        promises.append(at_most("false accepts", budget.false_accepts_per_hour, rate, "per hour"))
    clips = measured.unknown_words.values()
    if budget.unknown_triggered is not None and clips:
        share = sum(heard.triggered for heard in clips) / sum(heard.clips for heard in clips)
        promises.append(at_most("other words that trigger", budget.unknown_triggered, share, "%"))
    if budget.missed_rate is not None:
        promises.append(at_most("words missed", budget.missed_rate, facts["detection"]["missed_rate"], "%"))
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


def _unknown_words(name: str, heard: UnknownWords) -> report.UnknownWords:
    interval = wilson(heard.triggered, heard.clips)
    return report.UnknownWords(name, heard.clips, heard.triggered, heard.triggered / heard.clips, interval)


def _false_accepts(name: str, heard: FalseAccepts) -> report.FalseAccepts:
    events = len(heard.fired)
    return report.FalseAccepts(name, heard.hours, events, events / heard.hours, poisson(events, heard.hours))


def _trade_off(measured: Measured) -> report.TradeOff | None:
    if not measured.trade_off:
        return None
    choice = measured.trade_off
    points = [report.Operating(*point) for point in choice.points]
    shipped = min(points, key=lambda point: abs(point.threshold))
    name = "all thresholds moved by"
    return report.TradeOff(tuple(points), shipped, choice.clips, choice.hours, "cold test", threshold_name=name)


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
    clips = words(trainings, "test")
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


def _data(trainings: Trainings) -> tuple[report.DataSet, ...]:
    mix = trainings.scenario.mix
    used: dict[Recordings, str] = {
        mix.words: "words",
        **dict.fromkeys(mix.noises, "noise"),
        **dict.fromkeys(mix.spoken, "synthetic words"),
    }
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
        synthetic=_is_synthetic(source),
        used_for=used_for,
        source=source.source,
    )


def _is_synthetic(source: Recordings) -> bool:
    return "synthetic" in source.licence
