"""What a remaining-life scenario is: lives to learn from, teachers, a student, a budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from compress.method import Method
from compress.quantize import Int8
from export.backend import Backend
from export.litert import Litert
from export.onnx import Onnx
from train.data.cmapss import Cmapss
from train.lives import Variation
from train.loop import Schedule
from train.remaining_life import LifeLoss


@dataclass(frozen=True)
class LifeBudget:
    """What the finished bundle must keep; a build that misses one of these fails."""

    size_kb: float
    """Of manifest and model.npz, which is all that the reference engine needs; 1 KB is 1,000 bytes."""

    rmse: float | None = None
    """Of the last estimate of each test engine, in cycles."""

    folder_kb: float = 300.0
    """Of the whole bundle, with all engines' files."""


@dataclass(frozen=True)
class LifeScenario:
    """One pipeline from lives to a bundle."""

    PIPELINE: ClassVar[str] = "scenarios.life.pipeline"

    name: str
    title: str
    summary: str
    data: Cmapss
    budget: LifeBudget
    teacher_hidden: int = 48
    teachers: int = 2
    """How many teachers, each with its own seed; the student hears their mean."""

    hidden: int = 32
    teacher_schedule: Schedule = field(
        default_factory=lambda: Schedule(epochs=20, learning_rate=5e-3, weight_decay=0.0)
    )
    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=15, learning_rate=5e-3, weight_decay=0.0))
    steps_an_epoch: int = 100
    batch_size: int = 64
    loss: LifeLoss = field(default_factory=LifeLoss)
    variation: Variation = field(default_factory=Variation)
    compress: tuple[Method, ...] = (Int8(epochs=3),)
    export: tuple[Backend, ...] = (Onnx(), Litert())
    seed: int = 0
    notes: tuple[str, ...] = ()
    """What a reader of the report must know."""
