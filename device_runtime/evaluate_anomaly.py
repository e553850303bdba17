"""Anomalies as a device finds them: each series of the Numenta Anomaly Benchmark streamed through a session.

A bundle has one configuration for all files; only the interval of the readings is each file's own, as a user would tell
it. Beside the bundle's threshold, which has seen none of these files, stand the benchmark's own protocol, where one
threshold is chosen on the very corpus, and a threshold for each category that was chosen on the others. Every threshold
is tried with the decoder's own rule of when to repeat an alarm.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime import bundle as bundles
from device_runtime.bundle import Bundle
from device_runtime.decoders import AnomalyDecoder, SeriesDecoder
from device_runtime.decoders.alarms import fires
from device_runtime.errors import InputError
from device_runtime.nab import NabFile, read_nab, read_published
from device_runtime.nab_score import PROFILES, STANDARD, Corpus, Profile, Score
from device_runtime.session import Session

Float64 = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
Progress = Callable[[int, int], None]

THRESHOLDS = tuple(round(4 * 1.03**step, 2) for step in range(92))
"""That are tried: 4 to 59 in steps of 3 %."""


@dataclass(frozen=True)
class Streamed:
    """What a session made of a file."""

    surprises: Float64  # (rows,)
    without_model: Float64  # (rows,)
    """The same decoder's, had the model always predicted the last value."""

    alarms: Rows
    """Those of the session's events."""

    seconds: float


def evaluate(
    folder: Path | str, data: Path | str, engine: str, progress: Progress = lambda done, total: None
) -> dict[str, Any]:
    """Stream all files of a copy of the benchmark through a bundle; the numbers, as plain values for JSON."""
    bundle, files = bundles.read(folder), read_nab(data)
    total = sum(len(file.values) for file in files)
    streamed: list[Streamed] = []
    for file in files:
        streamed.append(stream(bundle, file, engine))
        progress(sum(len(part.surprises) for part in streamed), total)
    threshold, quiet = _settings(Session(bundle, engine).series_decoder)
    alarms, seconds = [part.alarms for part in streamed], sum(part.seconds for part in streamed)
    tried = _Tried.all(files, [part.surprises for part in streamed], quiet)
    without = [part.without_model for part in streamed]
    return {
        "task": bundle.manifest.task,
        "bundle": bundle.manifest.name,
        "bundle_bytes": bundle.size_bytes,
        "device_bytes": bundle.device_bytes,
        "engine": engine,
        "data": Path(data).name,
        "files": len(files),
        "samples": total,
        "windows": sum(len(file.labelled.windows) for file in files),
        "threshold": threshold,
        **_scores(files, alarms),
        "threshold_chosen_on_all_files": tried.on_all_files(),
        "threshold_chosen_on_other_categories": tried.on_other_categories(),
        "last_value_in_place_of_the_model": {
            **_scores(files, [fires(part, threshold, quiet) for part in without]),
            "threshold_chosen_on_all_files": _Tried.all(files, without, quiet).on_all_files(),
        },
        "published": read_published(data),
        "per_category": _per_category(files, alarms),
        "per_file": {file.name: _one_file(file, rows) for file, rows in zip(files, alarms, strict=True)},
        "microseconds_a_sample": round(1e6 * seconds / total, 1),
        "seconds": round(seconds, 1),
    }


def stream(bundle: Bundle, file: NabFile, engine: str) -> Streamed:
    """Push a file sample by sample; the model's part in it is told by a second decoder that is not shown its scores."""
    spacing = float(np.median(np.diff(file.times).astype(np.int64)))
    frontend = {**bundle.manifest.frontend, "interval_s": spacing}
    session = Session(replace(bundle, manifest=replace(bundle.manifest, frontend=frontend)), engine)
    decoder, blind = session.series_decoder, Session(session.bundle, engine).series_decoder
    if not isinstance(decoder, AnomalyDecoder) or not isinstance(blind, AnomalyDecoder):
        raise InputError(f"{bundle.folder} has no decoder of anomalies. Name another bundle")
    values, surprises, without, alarms, seconds = file.values.astype(np.float32), [], [], [], 0.0
    for at in range(len(values)):
        started = time.perf_counter()
        watched = list(session.watch(values[at : at + 1]))
        seconds += time.perf_counter() - started
        for told in watched:
            if told.step is not None:
                surprises.append(decoder.surprise)
                alarms += [at] * bool(told.events)
                blind.push(replace(told.step, scores=np.zeros_like(told.step.scores)))
                without.append(blind.surprise)
    return Streamed(np.array(surprises), np.array(without), np.array(alarms, np.int64), seconds)


def _settings(decoder: SeriesDecoder) -> tuple[float, int]:
    assert isinstance(decoder, AnomalyDecoder)  # or no file could have been streamed
    return decoder.threshold, decoder.quiet


def _marked(rows: Sequence[Rows], files: Sequence[NabFile]) -> list[Float64]:
    """The alarms of each file as scores, 1 in these rows."""
    marked = [np.zeros(len(file.values)) for file in files]
    for scores, of_file in zip(marked, rows, strict=True):
        scores[of_file] = 1
    return marked


def _scores(files: Sequence[NabFile], rows: Sequence[Rows]) -> dict[str, Any]:
    corpus = Corpus([file.labelled for file in files])
    scores = {profile.name: corpus.score(_marked(rows, files), profile, 0.5) for profile in PROFILES}
    standard = scores[STANDARD.name]
    counts = {"found": standard.found, "missed": standard.missed, "false_alarms": standard.false_alarms}
    return {name: round(score.value, 2) for name, score in scores.items()} | counts


@dataclass(frozen=True)
class _Tried:
    """The alarms of all files at each of the thresholds."""

    files: Sequence[NabFile]
    alarms: dict[float, list[Rows]]

    @classmethod
    def all(cls, files: Sequence[NabFile], surprises: Sequence[Float64], quiet: int) -> _Tried:
        return cls(files, {t: [fires(part, t, quiet) for part in surprises] for t in THRESHOLDS})

    def best(self, profile: Profile, among: Sequence[int]) -> tuple[float, Score]:
        """The threshold that is best on some of the files, and what it reaches there."""
        files = [self.files[i] for i in among]
        corpus = Corpus([file.labelled for file in files])
        scores = [
            (t, corpus.score(_marked([rows[i] for i in among], files), profile, 0.5)) for t, rows in self.alarms.items()
        ]
        return max(scores, key=lambda pair: pair[1].value)

    def on_all_files(self) -> dict[str, Any]:
        """The benchmark's protocol: for each profile the one threshold that is best on the corpus."""
        numbers = {}
        for profile in PROFILES:
            threshold, score = self.best(profile, range(len(self.files)))
            counts = {"found": score.found, "false_alarms": score.false_alarms}
            numbers[profile.name] = {"score": round(score.value, 2), "threshold": threshold, **counts}
        return numbers

    def on_other_categories(self) -> dict[str, Any]:
        """Each category's alarms at the threshold that is best, by the standard profile, on all others."""
        thresholds = {}
        for category in _categories(self.files):
            others = [i for i, file in enumerate(self.files) if file.category != category]
            thresholds[category], _ = self.best(STANDARD, others)
        rows = [self.alarms[thresholds[file.category]][i] for i, file in enumerate(self.files)]
        return {**_scores(self.files, rows), "thresholds": thresholds}


def _categories(files: Sequence[NabFile]) -> list[str]:
    return sorted({file.category for file in files})


def _per_category(files: Sequence[NabFile], alarms: Sequence[Rows]) -> dict[str, Any]:
    """Each category as a corpus of its own, at the bundle's threshold; without windows there is no score."""
    rows = {}
    for category in _categories(files):
        own = [i for i, file in enumerate(files) if file.category == category]
        numbers: dict[str, Any] = {"files": len(own)}
        if any(files[i].labelled.windows for i in own):
            numbers |= _scores([files[i] for i in own], [alarms[i] for i in own])
        else:
            numbers["false_alarms"] = sum(_one_file(files[i], alarms[i])["false_alarms"] for i in own)
        rows[category] = numbers
    return rows


def _one_file(file: NabFile, alarms: Rows) -> dict[str, Any]:
    """Windows found, and the rows of the alarms behind the probation."""
    rows = alarms[alarms >= file.labelled.probation]
    hits = [[first <= row <= last for row in rows] for first, last in file.labelled.windows]
    inside = np.array(hits, bool).any(axis=0) if hits else np.zeros(len(rows), bool)
    return {
        "windows": len(hits),
        "found": sum(map(any, hits)),
        "false_alarms": int((~inside).sum()),
        "alarm_rows": rows.tolist(),
    }
