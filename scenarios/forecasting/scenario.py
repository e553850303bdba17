"""What a forecasting scenario is: a recipe of typed values that reads from the series to the budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from compress.method import Method
from compress.quantize import Int8
from export.backend import Backend
from export.litert import Litert
from export.onnx import Onnx
from scenarios.peers.peer import Peer
from train.data.series import SeriesSet
from train.forecast_augment import Swing
from train.forecaster import ForecasterConfig
from train.loop import Schedule
from train.ridge import Ridge


@dataclass(frozen=True)
class ForecastBudget:
    """What the finished bundle must keep; a build that misses one of these fails."""

    size_kb: float
    """Of manifest and model.npz, which is all that the reference engine needs; 1 KB is 1,000 bytes."""

    mse: float | None = None
    """Of the median on all test windows, in squared standard deviations of the training part."""

    mae: float | None = None
    coverage: tuple[float, float] = (0.77, 0.83)
    """Between which shares of the test readings the interval must hold."""

    worse_than_linear: bool = False
    """Whether the best linear peer may be better than the bundle beyond the luck of the weeks."""

    folder_kb: float = 300.0
    """Of the whole bundle, with all engines' files."""


@dataclass(frozen=True)
class Intervals:
    """How quantiles become intervals that hold what they promise (`device_runtime.decoders.forecast`)."""

    coverage: float = 0.8
    rate: float = 0.02
    """How fast the width follows what was missed lately."""

    near: int = 48
    """Up to so many samples ahead; farther it follows more slowly."""


@dataclass(frozen=True)
class ForecastScenario:
    """One pipeline from a series to a bundle."""

    PIPELINE: ClassVar[str] = "scenarios.forecasting.pipeline"

    name: str
    title: str
    summary: str
    data: SeriesSet
    budget: ForecastBudget
    peers: tuple[Peer, ...]
    """Held against the bundle on the same windows."""

    forecaster: ForecasterConfig = field(default_factory=ForecasterConfig)
    teacher: tuple[ForecasterConfig, ...] = (ForecasterConfig(linear=False), ForecasterConfig(linear=True))
    """Shapes of the teachers, in turn: models that differ err in different ways."""

    teachers: int = 4
    """How many teachers, each with its own seed; the student hears their mean."""

    maps: tuple[Ridge, ...] = ()
    """Linear maps that teach beside them; then validation data says how much each teacher counts."""

    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=10, learning_rate=4e-3))
    teacher_schedule: Schedule = field(default_factory=lambda: Schedule(epochs=6, learning_rate=2e-3))
    batch_size: int = 256
    share: float = 1.0
    """Of all training windows, what an epoch draws: neighbours are nearly the same window."""

    swing: Swing = field(default_factory=Swing)
    """How windows are varied while training."""

    soft: float = 0.5
    """Share of the student's loss that comes from the teachers."""

    compress: tuple[Method, ...] = (Int8(),)
    export: tuple[Backend, ...] = (Onnx(), Litert())
    intervals: Intervals = Intervals()
    unit: str = ""
    """Of the readings, for charts."""

    typed: str = ""
    """What to type after `tinyrnn build`, where that is not the name: a user's own log has a bundle of its own name."""

    seed: int = 0
    notes: tuple[str, ...] = ()
    """What a reader of the report must know."""
