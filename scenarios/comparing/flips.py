"""Which clips the second model decides otherwise, in which direction, and what that does to each label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from device_runtime.evaluate import Clip, Evaluation
from scenarios.comparing.paired import Paired

BROKEN, FIXED, OTHER = "right to wrong", "wrong to right", "wrong to other wrong"
DIRECTIONS = (BROKEN, FIXED, OTHER)


@dataclass(frozen=True)
class Flip:
    """A clip on which the two models differ."""

    at: int
    """Its place in the evaluation."""

    clip: Clip
    first: str
    """What the first model takes it for."""

    second: str

    @property
    def direction(self) -> str:
        """One of DIRECTIONS."""
        if self.first == self.clip.truth:
            return BROKEN
        return FIXED if self.second == self.clip.truth else OTHER

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        recording = self.clip.recording
        return {
            "file": "/".join(recording.path.parts[-2:]),
            "speaker": recording.speaker,
            "truth": self.clip.truth,
            "first": self.first,
            "second": self.second,
            "direction": self.direction,
        }


@dataclass(frozen=True)
class LabelChange:
    """What happened to the clips of one label."""

    label: str
    clips: int
    first: int
    """How many the first model decides rightly."""

    second: int
    flips: Counter[str]
    """By direction."""

    grown: list[tuple[str, int, int]]
    """What it is taken for more often than before: (label, before, after), the most grown first."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "clips": self.clips,
            "recall_first": round(self.first / self.clips, 4),
            "recall_second": round(self.second / self.clips, 4),
            **{direction: self.flips[direction] for direction in DIRECTIONS},
            "confusions_grown": [
                {"taken_for": label, "before": before, "after": after} for label, before, after in self.grown
            ],
        }


def flips(first: Evaluation, second: Evaluation, condition: str = "warm") -> list[Flip]:
    """In the order of the clips, which is that of both evaluations."""
    decided = zip(first.clips, first.decisions(condition), second.decisions(condition), strict=True)
    return [Flip(at, clip, a, b) for at, (clip, a, b) in enumerate(decided) if a != b]


def paired(first: Evaluation, second: Evaluation, condition: str = "warm") -> Paired:
    """How often both are right, one, or none."""
    right = Counter(
        (a == clip.truth, b == clip.truth)
        for clip, a, b in zip(first.clips, first.decisions(condition), second.decisions(condition), strict=True)
    )
    return Paired(right[True, True], right[True, False], right[False, True], right[False, False])


def label_changes(first: Evaluation, second: Evaluation) -> list[LabelChange]:
    """Of each label that has clips, in the bundle's order."""
    before, after = first.decisions("warm"), second.decisions("warm")
    found = []
    for label in first.labels:
        mine = [at for at, clip in enumerate(first.clips) if clip.truth == label]
        if not mine:
            continue
        answers = [Counter(decided[at] for at in mine) for decided in (before, after)]
        directions = Counter(flip.direction for flip in flips(first, second) if flip.clip.truth == label)
        found.append(
            LabelChange(
                label,
                len(mine),
                answers[0][label],
                answers[1][label],
                directions,
                _grown(label, answers[0], answers[1]),
            )
        )
    return found


def _grown(label: str, before: Counter[str], after: Counter[str]) -> list[tuple[str, int, int]]:
    grown = [(other, before[other], count) for other, count in after.items() if other != label]
    return sorted((g for g in grown if g[2] > g[1]), key=lambda g: (g[1] - g[2], g[0]))


def counted(found: Sequence[Flip]) -> dict[str, int]:
    """How many there are in each direction."""
    directions = Counter(flip.direction for flip in found)
    return {direction: directions[direction] for direction in DIRECTIONS}
