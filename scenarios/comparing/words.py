"""What changed between two bundles that hear words: decisions through the session, parts and units through the tape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.evaluate import Evaluation, evaluate, is_word
from device_runtime.recordings import Recording
from device_runtime.session import Session
from scenarios.comparing import changes, flips
from scenarios.comparing.changes import FIRST, SECOND, Change
from scenarios.comparing.flips import Flip, LabelChange
from scenarios.comparing.paired import Paired
from scenarios.comparing.parts import parts
from scenarios.comparing.tape import Tape
from scenarios.comparing.told import Told
from scenarios.comparing.transplant import moved

PART_CLIPS, UNIT_CLIPS = 600, 200
"""At most so many clips are heard again for each part, and for each hidden unit."""


@dataclass(frozen=True)
class PartResult:
    """What one part of one model is worth."""

    of: str
    part: str
    how: str
    against: Paired
    """The model itself, then with the change, on the same clips."""

    @property
    def accuracy(self) -> float:
        """With the change."""
        return (self.against.both + self.against.second) / self.against.examples

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "of": self.of,
            "part": self.part,
            "how": self.how,
            "accuracy": round(self.accuracy, 4),
            "difference": round(self.against.difference, 4),
            "interval_95": [round(bound, 4) for bound in self.against.interval_95],
        }


@dataclass(frozen=True)
class UnitResult:
    """What one hidden unit of one model is worth."""

    of: str
    unit: str
    lost: float
    """By how much the score of what was said falls when the unit is silenced, on average over clips that say a word."""

    accuracy_lost: float
    changed: float
    """Share of all decisions that become others."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        lost = {"score_lost": round(self.lost, 5), "accuracy_lost": round(self.accuracy_lost, 4)}
        return {"of": self.of, "part": self.unit, **lost, "decisions_changed": round(self.changed, 4)}


@dataclass(frozen=True)
class WordsComparison:
    """All of it; `as_dict` has the numbers."""

    sessions: tuple[Session, Session]
    evaluations: tuple[Evaluation, Evaluation]
    apart: str
    """Why no part of one model fits into the other; empty where all do."""

    parts: list[PartResult]
    part_clips: int
    moved: dict[str, float]
    """By part, where they fit."""

    units: list[UnitResult]
    unit_clips: int
    flips: list[Flip] = field(default_factory=list)
    labels: list[LabelChange] = field(default_factory=list)

    def paired(self, condition: str = "warm") -> Paired:
        """Both models on all clips."""
        return flips.paired(*self.evaluations, condition)

    def grown(self) -> list[tuple[str, str, int, int]]:
        """(said, taken for, before, after): confusions that became more frequent, the most grown first."""
        found = [(change.label, *grown) for change in self.labels for grown in change.grown]
        return sorted(found, key=lambda g: (g[2] - g[3], g[0], g[1]))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        first, second = (evaluation.as_dict() for evaluation in self.evaluations)
        told = {key: first[key] for key in ("task", "split", "clips", "speakers", "preroll_s")}
        return {
            **told,
            "first": _facts(first),
            "second": _facts(second),
            "warm": _difference(self.paired()),
            "cold": _difference(self.paired("cold")),
            "flips": flips.counted(self.flips),
            "per_label": {change.label: change.as_dict() for change in self.labels},
            "confusions_grown": [
                {"said": said, "taken_for": other, "before": before, "after": after}
                for said, other, before, after in self.grown()
            ],
            "flipped_clips": [flip.as_dict() for flip in self.flips],
            "parts": {
                "fit": not self.apart,
                "why_not": self.apart,
                "clips": self.part_clips,
                "moved": {name: round(far, 4) for name, far in self.moved.items()},
                "results": [result.as_dict() for result in self.parts],
            },
            "units": {"clips": self.unit_clips, "results": [result.as_dict() for result in self.units]},
        }


def compare(
    sessions: tuple[Session, Session], recordings: Sequence[Recording], seed: int, told: Told
) -> WordsComparison:
    """Both bundles on the same clips, each after the same other one; then every part and every unit."""
    first, second = sessions
    before = evaluate(first, recordings, seed=seed, progress=told(f"clips, {first.bundle.manifest.name}"))
    after = evaluate(second, recordings, seed=seed, progress=told(f"clips, {second.bundle.manifest.name}"))
    models = first.bundle.model, second.bundle.model
    apart = changes.apart(first.bundle, second.bundle)
    tapes = {FIRST: Tape.record(first, before, PART_CLIPS), SECOND: Tape.record(second, after, PART_CLIPS)}
    for tape in tapes.values():  # a tape that told other than the session would measure something else
        again = tape.play(tape.session.bundle.model)
        assert again.decisions("warm") == tape.evaluation.decisions("warm")
    short = {of: tape.first(UNIT_CLIPS) for of, tape in tapes.items()}
    some = _measured(tapes, changes.of_parts(*models, apart), told("parts"))
    silent = _measured(short, changes.of_units(*models), told("hidden units"))
    return WordsComparison(
        sessions,
        (before, after),
        apart,
        [PartResult(c.of, c.part, c.how, flips.paired(tapes[c.of].evaluation, played)) for c, played in some],
        len(tapes[FIRST].heard),
        {} if apart else {part.name: moved(part, *models) for part in parts(models[0])},
        [_unit(change, short[change.of].evaluation, played) for change, played in silent],
        len(short[FIRST].heard),
        flips.flips(before, after),
        flips.label_changes(before, after),
    )


def _measured(
    tapes: dict[str, Tape], changed: Sequence[Change], told: Callable[[int, int], None]
) -> Iterator[tuple[Change, Evaluation]]:
    for at, change in enumerate(changed):
        yield change, tapes[change.of].play(change.model)
        told(at + 1, len(changed))


def _unit(change: Change, whole: Evaluation, without: Evaluation) -> UnitResult:
    pair = flips.paired(whole, without)
    differs = sum(a != b for a, b in zip(whole.decisions("warm"), without.decisions("warm"), strict=True))
    lost = _scores(whole) - _scores(without)
    return UnitResult(
        change.of,
        change.part,
        float(lost.mean()) if len(lost) else 0.0,
        -pair.difference,
        differs / pair.examples,
    )


def _scores(evaluation: Evaluation) -> Float32:
    """The highest smoothed score of what was said, of each clip that says a word."""
    at = {label: i for i, label in enumerate(evaluation.labels)}
    return np.array([clip.warm[at[clip.truth]] for clip in evaluation.clips if is_word(clip.truth)], np.float32)


def _facts(numbers: dict[str, Any]) -> dict[str, Any]:
    keys = ("bundle", "bundle_bytes", "device_bytes", "engine", "accuracy", "interval_95", "accuracy_cold", "detection")
    return {key: numbers[key] for key in keys}


def _difference(pair: Paired) -> dict[str, Any]:
    return {
        "difference": round(pair.difference, 4),
        "interval_95": [round(bound, 4) for bound in pair.interval_95],
        "p_value": float(f"{pair.p_value:.3g}"),
        "both_right": pair.both,
        "only_first_right": pair.first,
        "only_second_right": pair.second,
        "both_wrong": pair.neither,
    }
