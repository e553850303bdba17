"""What a report says: every number of report.json, and so of report.html, has its place here.

All fractions are 0..1 and all intervals are 95 % intervals, handed in by whoever measured. A part that a scenario does
not have stays at its default, and the page leaves its section out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from compress.report import Stage
from scenarios.report import plain

Interval = tuple[float, float]
Series = tuple[float | None, ...]
"""Numbers over time; None where nothing was measured."""


@dataclass(frozen=True)
class Report:
    """Everything that one build found out.

    >>> Report("demo", "Demo", "Four words.", created="2025-01-31", commit="abc1234", seed=1).as_dict()["seed"]
    1
    """

    name: str
    title: str
    summary: str
    """One paragraph: what was built, from what, for whom."""
    created: str
    """ISO date or date and time."""
    commit: str
    seed: int
    command: str = ""
    """What to type to make this report again."""
    machine: str = ""
    """Where times and memory were measured: processor, threads, operating system."""
    warnings: tuple[str, ...] = ()
    """What a reader must know before believing the numbers; shown at the top."""
    notes: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    """From the teacher to what ships: the last one is the bundle."""
    comparisons: tuple[Comparison, ...] = ()
    budget: tuple[Promise, ...] = ()
    evaluation: tuple[Evaluation, ...] = ()
    """The finished bundle, listened to in several ways; the first one is the headline."""
    unknown_words: tuple[UnknownWords, ...] = ()
    false_accepts: tuple[FalseAccepts, ...] = ()
    trade_off: TradeOff | None = None
    per_word: tuple[Word, ...] = ()
    confusion: Confusion | None = None
    example: Example | None = None
    curves: dict[str, Curve] = field(default_factory=dict)
    """How each stage learned, by the stage's name."""
    sizes: Sizes | None = None
    engines: tuple[Speed, ...] = ()
    peers: tuple[Speed, ...] = ()
    """Other runtimes with a model of the same shape, timed in the same run."""
    data: tuple[DataSet, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, ready for JSON."""
        values: dict[str, Any] = plain.to_plain(self)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Report:
        """The report that `as_dict` wrote; InputError names the value that does not fit."""
        return plain.from_plain(cls, values)


@dataclass(frozen=True)
class Comparison:
    """The same recipe with one thing left out, over several seeds: "student, labels only"."""

    name: str
    accuracies: tuple[float, ...]
    """One for each seed."""
    split: str
    note: str = ""


@dataclass(frozen=True)
class Promise:
    """One line of the budget. With the unit "%", both numbers are fractions."""

    what: str
    promised: float
    measured: float
    unit: str
    kept: bool
    at_most: bool = True


@dataclass(frozen=True)
class Evaluation:
    """Test clips streamed through the finished bundle in one condition: "warm", "cold", "noise at 10 dB"."""

    condition: str
    accuracy: float
    clips: int
    interval_95: Interval | None = None
    engine: str = ""
    split: str = "test"
    note: str = ""


@dataclass(frozen=True)
class UnknownWords:
    """Clips of words that are none of the labels, and how many of them set something off."""

    name: str
    clips: int
    triggered: int
    rate: float
    interval_95: Interval | None = None


@dataclass(frozen=True)
class FalseAccepts:
    """Detections in hours of audio that holds none of the words."""

    name: str
    hours: float
    false_accepts: int
    false_accepts_per_hour: float
    interval_95: Interval | None = None


@dataclass(frozen=True)
class Operating:
    """What one setting of the thresholds costs."""

    threshold: float
    missed: float
    """Share of the words that are not detected, 0..1."""
    false_accepts_per_hour: float


@dataclass(frozen=True)
class TradeOff:
    """Misses against false accepts as the thresholds rise, and the setting that ships."""

    points: tuple[Operating, ...]
    shipped: Operating
    clips: int
    hours: float
    split: str = "test"
    threshold_name: str = "threshold"
    """What `threshold` means, where it is not one probability for all words."""


@dataclass(frozen=True)
class Word:
    """How often one word was missed, and what it was taken for."""

    label: str
    clips: int
    missed: int
    missed_as: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Confusion:
    """How often the word of the row was taken for the word of the column."""

    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]  # (said, heard)
    split: str = "test"


@dataclass(frozen=True)
class Span:
    """A word that was really said."""

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Heard:
    """A word that was detected."""

    label: str
    time_s: float
    score: float


@dataclass(frozen=True)
class Example:
    """A recording as the device hears it: its outline, the running scores and the events."""

    title: str
    duration_s: float
    low: tuple[float, ...]
    """The lowest sample of each of many equal slices (see `figures.envelope`)."""
    high: tuple[float, ...]
    times_s: tuple[float, ...]
    scores: dict[str, tuple[float, ...]]
    """Smoothed probability of each label at `times_s`."""
    events: tuple[Heard, ...] = ()
    said: tuple[Span, ...] = ()
    thresholds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Curve:
    """How one stage learned."""

    epoch: tuple[float, ...]
    train_loss: Series = ()
    validation_accuracy: Series = ()


@dataclass(frozen=True)
class Sizes:
    """Where the bytes go: the parts of the model, then the files of the bundle."""

    parts: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Speed:
    """What one engine costs; `real_time_factor` is time spent / time heard."""

    engine: str
    step_us_median: float
    step_us_p99: float
    audio_second_us: float
    real_time_factor: float
    peak_mb: float | None = None


@dataclass(frozen=True)
class DataSet:
    """Where clips came from, under which licence, and how many went where."""

    name: str
    licence: str
    splits: dict[str, int] = field(default_factory=dict)
    synthetic: bool = False
    used_for: str = ""
    source: str = ""
