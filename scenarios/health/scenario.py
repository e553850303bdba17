"""What a machine-health scenario is: a predictor, a threshold chosen beforehand, and a benchmark that neither saw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from export.backend import Backend
from export.litert import Litert
from export.onnx import Onnx
from train.data.nab import Nab
from train.data.series import SeriesSet
from train.loop import Schedule
from train.predictor import PredictorConfig


@dataclass(frozen=True)
class HealthBudget:
    """What the finished bundle must keep; a build that misses one of these fails."""

    size_kb: float
    """Of manifest and model.npz, which is all that the reference engine needs; 1 KB is 1,000 bytes."""

    nab: float | None = None
    """By the benchmark's own protocol, which chooses one threshold on its files; standard profile, 100 is perfect."""

    sample_us: float = 5_000.0
    """Of the reference engine, a sample."""

    folder_kb: float = 300.0
    """Of the whole bundle, with all engines' files."""


@dataclass(frozen=True)
class HealthScenario:
    """One pipeline from readings to a bundle."""

    PIPELINE: ClassVar[str] = "scenarios.health.pipeline"

    name: str
    title: str
    summary: str
    learned: tuple[SeriesSet, ...]
    """Real series whose training parts the predictor learns from, beside made ones."""

    budget: HealthBudget
    benchmark: Nab = field(default_factory=Nab)
    """Streamed once the bundle is finished; nothing is chosen by it."""

    predictor: PredictorConfig = field(default_factory=PredictorConfig)
    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=14, learning_rate=6e-3, weight_decay=0.01))
    threshold: float = 9.75
    """Of the surprise, -ln of a chance."""

    quiet: int = 100
    """Calm samples before the next alarm."""

    export: tuple[Backend, ...] = (Onnx(), Litert())
    shown: tuple[str, ...] = ()
    """Files of the benchmark that the report draws."""

    seed: int = 0
    notes: tuple[str, ...] = ()
    """What a reader of the report must know."""
