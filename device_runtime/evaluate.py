"""Accuracy as a device has it: every clip is streamed through a session, cold, warm and in noise.

A front end adapts to what it hears, so a clip from silence (cold) is not what a device lives in. Warm, the headline,
has the last 0.7 s of another clip before it, which says another word. Scores count where the smoothing window lies
inside the clip, or in the moment of quiet behind it. The decision on a clip that says a word is the word with the
highest smoothed score; a clip that says none of them is decided rightly when no word fires at the thresholds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.clips import PREROLL_S, in_a_room, with_prerolls
from device_runtime.errors import InputError
from device_runtime.intervals import poisson, wilson
from device_runtime.listener import fired, hear
from device_runtime.noise import BABBLE_CLIPS, Noises, add_noise
from device_runtime.recordings import Recording, read_audio
from device_runtime.session import Session
from device_runtime.sources import file_chunks

SNR_DB = 10.0
UNKNOWN = "_unknown_"
NOTHING = "(nothing)"

Progress = Callable[[int, int], None]
"""Told how much of how much is done."""


@dataclass(frozen=True)
class Clip:
    """One recording, what it is, and the highest smoothed score of each label in each condition, (labels,)."""

    recording: Recording
    truth: str
    """Its label in the bundle: a word, or `_unknown_`."""

    cold: Float32
    warm: Float32
    noisy: Float32 | None
    fired: Mapping[str, tuple[str, ...]]
    """Labels that fired at the session's thresholds, by condition."""


@dataclass(frozen=True)
class Evaluation:
    """What streaming a set of clips showed; `as_dict` has the numbers."""

    labels: tuple[str, ...]
    clips: list[Clip]
    seconds: float
    facts: dict[str, Any] = field(default_factory=dict)
    """What was measured: task, engine, thresholds, noises."""

    def decisions(self, condition: str) -> list[str]:
        """What a device would take each clip for: "cold", "warm" or "noisy".

        The word with the highest smoothed score where a word is said; elsewhere the first word that fired, or what the
        clip is if none did.
        """
        words = [i for i, label in enumerate(self.labels) if is_word(label)]
        return [
            self._best(getattr(clip, condition), words) if is_word(clip.truth) else self._heard(clip, condition)
            for clip in self.clips
        ]

    def _best(self, peaks: Float32, candidates: Sequence[int]) -> str:
        # all are zero when no step was made at all: the clip in its room is shorter than a frame
        return self.labels[max(candidates, key=peaks.__getitem__)] if peaks.any() else NOTHING

    def _heard(self, clip: Clip, condition: str) -> str:
        return next((label for label in clip.fired[condition] if is_word(label)), clip.truth)

    def right(self, condition: str) -> int:
        """How many decisions are right."""
        return sum(d == clip.truth for d, clip in zip(self.decisions(condition), self.clips, strict=True))

    def _right_unknown_allowed(self) -> int:
        """Stricter: by the highest score alone, where `_unknown_` is an answer like a word, to any clip."""
        answers = [i for i, label in enumerate(self.labels) if is_word(label) or label == UNKNOWN]
        return sum(self._best(clip.warm, answers) == clip.truth for clip in self.clips)

    def as_dict(self) -> dict[str, Any]:
        """All numbers, as plain values for JSON."""
        total, noise = len(self.clips), self.clips[0].noisy is not None
        words = [clip for clip in self.clips if is_word(clip.truth)]
        return {
            **self.facts,
            "clips": total,
            "speakers": len({clip.recording.speaker for clip in self.clips} - {""}),
            "accuracy": _share(self.right("warm"), total),
            "interval_95": _rounded(wilson(self.right("warm"), total)),
            "accuracy_cold": _share(self.right("cold"), total),
            "interval_95_cold": _rounded(wilson(self.right("cold"), total)),
            "accuracy_noise_10db": _share(self.right("noisy"), total) if noise else None,
            "interval_95_noise_10db": _rounded(wilson(self.right("noisy"), total)) if noise else None,
            "accuracy_unknown_allowed": _share(self._right_unknown_allowed(), total),
            "detection": self._detection(words),
            "per_label": self._per_label(),
            "seconds": round(self.seconds, 1),
        }

    def _detection(self, words: Sequence[Clip]) -> dict[str, Any]:
        """At the thresholds: a word is missed when it did not fire, and wrong words are counted beside."""
        clips = [clip for clip in words if clip.truth in self.facts["thresholds"]]
        missed = sum(clip.truth not in clip.fired["warm"] for clip in clips)
        wrong = sum(any(label != clip.truth for label in clip.fired["warm"]) for clip in clips)
        return {
            "clips": len(clips),
            "missed_rate": _share(missed, len(clips)),
            "interval_95": _rounded(wilson(missed, len(clips))),
            "wrong_rate": _share(wrong, len(clips)),
        }

    def _per_label(self) -> dict[str, Any]:
        answers = list(zip(self.clips, self.decisions("warm"), strict=True))
        per_label = {}
        for label in self.labels:
            decided = Counter(decision for clip, decision in answers if clip.truth == label)
            if decided:
                right = decided.pop(label, 0)
                clips = right + decided.total()
                per_label[label] = {
                    "clips": clips,
                    "accuracy": _share(right, clips),
                    "missed_as": dict(decided.most_common()),
                }
        return per_label


def evaluate(
    session: Session,
    recordings: Sequence[Recording],
    noises: Noises | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Evaluation:
    """Stream each recording whose label the bundle knows, or may call unknown: cold, warm, and in noise if given.

    Noises without recordings or voices are given a babble of the very clips.
    """
    started = time.monotonic()
    rate = int(session.frontend.sample_rate_hz)
    known = [(r, truth) for r in recordings if (truth := _truth(r.label, session.labels))]
    if not known:
        heard = sorted({recording.label for recording in recordings})
        raise InputError(
            f"none of these recordings says a word of the bundle: they say {', '.join(heard[:10])}; "
            f"the bundle knows {', '.join(session.labels)}. Name other data or another bundle"
        )
    order = [known[i] for i in np.random.default_rng(seed).permutation(len(known))]
    if noises is not None and not noises.recordings and not noises.voices:
        noises = Noises.generated([read_audio(r.path, rate) for r, _ in order[:BABBLE_CLIPS]])
    clips = []
    for at, (recording, truth, audio, before) in enumerate(with_prerolls(order, rate)):
        answers = {"cold": _hear(session, before[:0], audio), "warm": _hear(session, before, audio)}
        if noises is not None:
            both = np.concatenate([before, audio])
            loud = add_noise(both, noises.stretch(len(both), [seed, at], without=at), SNR_DB, len(before))
            answers["noisy"] = _hear(session, loud[: len(before)], loud[len(before) :])
        peaks: dict[str, Float32] = {condition: peak for condition, (peak, _) in answers.items()}
        events = {condition: labels for condition, (_, labels) in answers.items()}
        clips.append(Clip(recording, truth, peaks["cold"], peaks["warm"], peaks.get("noisy"), events))
        progress(at + 1, len(order))
    return Evaluation(session.labels, clips, time.monotonic() - started, _facts(session, recordings, known, noises))


def _facts(
    session: Session, recordings: Sequence[Recording], known: Sequence[tuple[Recording, str]], noises: Noises | None
) -> dict[str, Any]:
    manifest = session.bundle.manifest
    return {
        "task": manifest.task,
        "bundle": manifest.name,
        "bundle_bytes": session.bundle.size_bytes,
        "device_bytes": session.bundle.device_bytes,
        "engine": session.engine.name,
        "split": "+".join(sorted({recording.split for recording in recordings})),
        "skipped": len(recordings) - len(known),
        "thresholds": session.thresholds,
        "preroll_s": PREROLL_S,
        "noise": noises and {"source": noises.source, "names": list(noises.names), "snr_db": SNR_DB},
    }


def _truth(label: str, labels: Sequence[str]) -> str | None:
    if label in labels:
        return label
    return UNKNOWN if UNKNOWN in labels else None


def is_word(label: str) -> bool:
    """_unknown_ and _silence_ are no words."""
    return not label.startswith("_")


def _hear(session: Session, before: Float32, clip: Float32) -> tuple[Float32, tuple[str, ...]]:
    rate = int(session.frontend.sample_rate_hz)
    window = int(session.decoder.window_s * rate)
    return hear(session, before, in_a_room(clip, rate, window), window)


@dataclass(frozen=True)
class FalseAccepts:
    """What fired on recordings in which no word is said, played as one continuous stream."""

    hours: float
    fired: list[tuple[Path, str]]
    """Each event's file and label."""

    clips: int

    def as_dict(self) -> dict[str, Any]:
        """All numbers, as plain values for JSON."""
        triggered = len({path for path, _ in self.fired})
        return {
            "hours": round(self.hours, 4),
            "false_accepts": len(self.fired),
            "false_accepts_per_hour": round(len(self.fired) / self.hours, 3),
            "interval_95": _rounded(poisson(len(self.fired), self.hours)),
            "clips": self.clips,
            "clips_triggered": triggered,
            "clips_triggered_rate": _share(triggered, self.clips),
            "per_label": dict(Counter(label for _, label in self.fired).most_common()),
        }


def false_accepts(
    session: Session, paths: Sequence[Path], progress: Progress = lambda done, total: None
) -> FalseAccepts:
    """Play files without the words one after the other; every event is a false one."""
    rate, samples = int(session.frontend.sample_rate_hz), 0
    events: list[tuple[Path, str]] = []
    session.reset()
    for done, path in enumerate(paths):
        for chunk in file_chunks(path, rate):
            samples += len(chunk)
            events += [(path, label) for label in fired(session, chunk)]
        progress(done + 1, len(paths))
    return FalseAccepts(samples / rate / 3600, events, len(paths))


def _share(part: int, total: int) -> float | None:
    return round(part / total, 4) if total else None


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(bound, 4) for bound in interval]
