"""What a scenario is: a recipe of typed values that reads from the data to the budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from compress.method import Method
from compress.prune import Prune
from compress.quantize import Int8
from export.backend import Backend
from export.litert import Litert
from export.onnx import Onnx
from train.augment import FeatureWarp
from train.loop import Schedule
from train.material import Mix
from train.student import StudentConfig
from train.teacher import TeacherConfig


@dataclass(frozen=True)
class Budget:
    """What the finished bundle must keep; a build that misses one of these fails."""

    size_kb: float
    """Of manifest and model.npz, which is all that the reference engine needs; 1 KB is 1,000 bytes."""

    accuracy: float
    """Warm, on the test split, 0..1."""

    int8_loss: float = 0.003
    """By how much the int8 bundle may be worse than its float student."""

    false_accepts_per_hour: float | None = None
    """On continuous negative speech of the test split, spoken by people."""

    missed_rate: float | None = None
    """At the shipped thresholds."""

    unknown_triggered: float | None = None
    """Share of the clips of other words that may set a word off, at the shipped thresholds."""

    folder_kb: float = 300.0
    """Of the whole bundle, with all engines' files."""

    warm_gap: float = 0.01
    """By how much accuracy may be worse after other audio (warm) than from silence (cold)."""


@dataclass(frozen=True)
class Smooth:
    """How scores become events (`device_runtime.decoders.Smooth`); thresholds are chosen on validation data."""

    window_ms: float = 300.0
    release: float = 0.6
    refractory_ms: float = 700.0
    most_missed: float = 0.04
    """Share of the validation words that the thresholds may cost: they rise until this much is lost."""


@dataclass(frozen=True)
class Scenario:
    """One pipeline from recordings to a bundle."""

    PIPELINE: ClassVar[str] = "scenarios.pipeline"

    name: str
    title: str
    summary: str
    mix: Mix
    budget: Budget
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    teacher_schedule: Schedule = field(
        default_factory=lambda: Schedule(epochs=50, learning_rate=3e-3, validate_every=2, bfloat16=True)
    )
    teachers: int | tuple[TeacherConfig, ...] = 1
    """How many like `teacher`, or the shapes of several. Each has its own seed; the student hears their mean."""

    student: StudentConfig = field(default_factory=StudentConfig)
    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=60, learning_rate=8e-3, validate_every=3))
    soft: float = 0.7
    """Share of the student's loss that comes from the teacher."""

    clear: float = 0.0
    """Weight of no other word being heard in a word's clip: for words that may follow one another closely."""

    hint: float = 0.0
    """Weight of the teacher's hint about states, for the float student (`train.hint`)."""

    compress: tuple[Method, ...] = (Prune(sparsity=0.5, epochs=20), Int8(epochs=5))
    export: tuple[Backend, ...] = (Onnx(), Litert())
    decoder: Smooth = Smooth()
    warp: FeatureWarp = field(default_factory=FeatureWarp)
    """Of the vectors that the teacher answers for, `versions` times each copy."""

    versions: int = 4
    touch: FeatureWarp = field(default_factory=lambda: FeatureWarp(tempo=0.04, shift=2, tract=0.03))
    """On top of it, anew in every epoch: so little that the teacher's answer still holds."""

    teacher_warp: FeatureWarp = field(default_factory=lambda: FeatureWarp(mask_bands=8, mask_vectors=12))
    seed: int = 0
    notes: tuple[str, ...] = field(default=())
    """What a reader of the report must know."""

    typed: str = ""
    """What `tinyrnn build` was told, where that is not the name: a file."""

    @property
    def teacher_shapes(self) -> tuple[TeacherConfig, ...]:
        """One for each teacher."""
        return (self.teacher,) * self.teachers if isinstance(self.teachers, int) else self.teachers

    @property
    def window_steps(self) -> int:
        """Over how many of the student's steps the decoder smooths."""
        return round(self.decoder.window_ms / (10 * self.student.stride))
