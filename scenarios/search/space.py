"""What is searched: each dimension says its values and where they are in a scenario.

A further dimension is one line in `speech`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from optuna.trial import Trial

from compress.lowrank import LowRank
from compress.prune import Prune
from compress.quantize import Int8
from compress.ranks import Fixed
from compress.weight_grids import Linear, PowersOfTwo
from device_runtime.errors import InputError
from device_runtime.meant import meant
from scenarios.scenario import Scenario
from train.cells import Gru, Sru

Value = int | float | str
Values = Mapping[str, Value]
"""One value of each dimension."""


class Place(Protocol):
    """Where a value is in a scenario."""

    def put(self, scenario: Scenario, value: Any) -> Scenario:
        """The scenario with this value."""

    def get(self, scenario: Scenario) -> Any:
        """The scenario's own value."""


@dataclass(frozen=True)
class OfStudent:
    """A field of the student's configuration; `named` says what a searched value stands for, if not itself."""

    field: str
    named: Mapping[Any, Any] | None = None

    def put(self, scenario: Scenario, value: Any) -> Scenario:
        """The scenario with this value."""
        changed = {self.field: self.named[value] if self.named else value}
        return replace(scenario, student=replace(scenario.student, **changed))

    def get(self, scenario: Scenario) -> Any:
        """The scenario's own value, by its name where it has one."""
        return _name_of(getattr(scenario.student, self.field), self.named)


@dataclass(frozen=True)
class OfScenario:
    """A field of the scenario itself."""

    field: str

    def put(self, scenario: Scenario, value: Any) -> Scenario:
        """The scenario with this value."""
        changed: dict[str, Any] = {self.field: value}
        return replace(scenario, **changed)

    def get(self, scenario: Scenario) -> Any:
        """The scenario's own value."""
        return getattr(scenario, self.field)


@dataclass(frozen=True)
class OfMethod:
    """A field of the compress methods of one kind; `named` says what a searched value stands for, if not itself."""

    kind: Any
    field: str
    named: Mapping[Any, Any] | None = None

    def put(self, scenario: Scenario, value: Any) -> Scenario:
        """The scenario with this value."""
        changed = {self.field: self.named[value] if self.named else value}
        methods: list[Any] = list(scenario.compress)
        put = (replace(m, **changed) if isinstance(m, self.kind) else m for m in methods)
        return replace(scenario, compress=tuple(put))

    def get(self, scenario: Scenario) -> Any:
        """The scenario's own value, by its name where it has one; None where no method is of the kind."""
        own = next((getattr(m, self.field) for m in scenario.compress if isinstance(m, self.kind)), None)
        return _name_of(own, self.named)


def _name_of(own: Any, named: Mapping[Any, Any] | None) -> Any:
    return next((name for name, value in (named or {}).items() if value == own), own)


class Dimension(Protocol):
    """One thing that is searched."""

    @property
    def name(self) -> str:
        """In the study, in tables and for --fix."""

    @property
    def values(self) -> tuple[Value, ...]:
        """All of them."""

    @property
    def place(self) -> Place:
        """Where it is in a scenario."""

    def suggest(self, trial: Trial) -> Value:
        """Optuna's next value."""


@dataclass(frozen=True)
class Steps:
    """Numbers of equal distance: what lies between two good ones may be good too.

    >>> Steps("hidden", 16, 32, 8, OfStudent("hidden")).values
    (16, 24, 32)
    """

    name: str
    low: int | float
    high: int | float
    step: int | float
    place: Place

    @property
    def values(self) -> tuple[Value, ...]:
        """From the lowest to the highest."""
        return tuple(round(self.low + i * self.step, 6) for i in range(round((self.high - self.low) / self.step) + 1))

    def suggest(self, trial: Trial) -> Value:
        """Optuna's next number."""
        if isinstance(self.step, int):
            return trial.suggest_int(self.name, int(self.low), int(self.high), step=self.step)
        return round(trial.suggest_float(self.name, self.low, self.high, step=self.step), 6)


@dataclass(frozen=True)
class Choice:
    """Values without an order."""

    name: str
    values: tuple[Value, ...]
    place: Place

    def suggest(self, trial: Trial) -> Value:
        """Optuna's next value."""
        return cast(Value, trial.suggest_categorical(self.name, self.values))


@dataclass(frozen=True)
class RankOfGrus:
    """The rank of each GRU matrix, by a low-rank method before all others; 0: the matrices stay whole.

    Before pruning, which then zeroes blocks of the factors: factors of a pruned matrix would have no zeros.
    """

    share: float = 0.25
    """Epochs of the method, as a share of the student's."""

    def put(self, scenario: Scenario, value: Any) -> Scenario:
        """The scenario with this rank, or with the highest that its smallest matrix can have; after the student's."""
        methods = tuple(m for m in scenario.compress if not isinstance(m, LowRank))
        if value:
            student = scenario.student
            rank = min(value, student.hidden, student.projection or student.hidden)
            methods = (LowRank(Fixed(rank), max(1, round(self.share * scenario.schedule.epochs))), *methods)
        return replace(scenario, compress=methods)

    def get(self, scenario: Scenario) -> Any:
        """The scenario's own rank."""
        ranks = [m.rank for m in scenario.compress if isinstance(m, LowRank)]
        return next((rank.rank for rank in ranks if isinstance(rank, Fixed)), 0)


CELLS = {cell.name: cell for cell in (Gru(), Sru())}
"""Those that are deployed."""

BITS = {"8": Linear(8), "4": Linear(4), "4-log": PowersOfTwo(4)}
"""Of the weights; the engines run all of them on the int8 grid, and store them in so many."""

BLOCKS = {"1x1": (1, 1), "8x1": (8, 1), "8x2": (8, 2), "16x1": (16, 1), "16x2": (16, 2)}
"""Rows x columns that are zero together."""


def speech(scenario: Scenario) -> tuple[Dimension, ...]:
    """The dimensions of a scenario that hears words; those of pruning where its recipe prunes."""
    dimensions: tuple[Dimension, ...] = (
        Choice("cell", tuple(CELLS), OfStudent("cell", CELLS)),
        Steps("hidden", 8, 160, 8, OfStudent("hidden")),
        Steps("projection", 16, 64, 8, OfStudent("projection")),
        Steps("channels", 4, 32, 4, OfStudent("channels")),
        Steps("layers", 1, 2, 1, OfStudent("gru_layers")),
        Steps("stride", 2, 5, 1, OfStudent("stride")),
        Steps("rank", 0, 48, 8, RankOfGrus()),
        Steps("distillation", 0.0, 0.9, 0.1, OfScenario("soft")),
        Choice("bits", tuple(BITS), OfMethod(Int8, "weights", BITS)),
    )
    pruned: tuple[Dimension, ...] = (
        Steps("sparsity", 0.0, 0.9, 0.05, OfMethod(Prune, "sparsity")),
        Choice("block", tuple(BLOCKS), OfMethod(Prune, "block", BLOCKS)),
    )
    return dimensions + pruned * any(isinstance(m, Prune) for m in scenario.compress)


def candidate(scenario: Scenario, space: Sequence[Dimension], values: Values) -> Scenario:
    """The scenario with these values."""
    for dimension in space:
        scenario = dimension.place.put(scenario, values[dimension.name])
    return scenario


def size(space: Sequence[Dimension]) -> int:
    """How many points there are."""
    return math.prod(len(dimension.values) for dimension in space)


def untried(space: Sequence[Dimension], tried: Iterable[Values]) -> dict[str, Value] | None:
    """The first point that is not among those tried; None where all are."""
    names = [dimension.name for dimension in space]
    there = {tuple(values[name] for name in names) for values in tried}
    every = itertools.product(*(dimension.values for dimension in space))
    return next((dict(zip(names, point, strict=True)) for point in every if point not in there), None)


def own_values(scenario: Scenario, space: Sequence[Dimension]) -> dict[str, Value]:
    """The scenario's own point of the space, or the nearest one."""
    return {dimension.name: _nearest(dimension.values, dimension.place.get(scenario)) for dimension in space}


WIDTHS = frozenset({"hidden", "projection", "channels"})
LADDER = (0.35, 0.5, 0.7, 1.4, 2.0)
"""Times the widths of the scenario's own student."""

FINE = tuple(factor / 20 for factor in range(40, 5, -1))
"""The same from the widest to the narrowest, in small steps."""


def ladder(
    scenario: Scenario, space: Sequence[Dimension], factors: Sequence[float] = (1.0, *LADDER)
) -> list[dict[str, Value]]:
    """The scenario's own point, and the same recipe for narrower and wider students, in the order of the factors.

    A good recipe at other sizes is most of a front; in so many dimensions chance seldom draws one.
    """
    own, rungs = own_values(scenario, space), list[dict[str, Value]]()
    for factor in factors:
        scaled = {d.name: _nearest(d.values, factor * own[d.name]) for d in space if d.name in WIDTHS}  # type: ignore[operator]  # widths are numbers
        rungs.append(own | scaled)
    return [rung for i, rung in enumerate(rungs) if rung not in rungs[:i]]


def _nearest(values: Sequence[Value], own: Any) -> Value:
    if own in values:
        return next(value for value in values if value == own)
    if not isinstance(own, int | float):
        return values[0]
    return min(values, key=lambda value: abs(value - own) if isinstance(value, int | float) else 0.0)


def fixed(space: Sequence[Dimension], text: str) -> tuple[Dimension, ...]:
    """The space with the dimensions of `--fix stride=3,block=8x1` held at those values."""
    by_name: dict[str, Dimension] = {dimension.name: dimension for dimension in space}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, typed = (word.strip() for word in part.partition("="))
        if not equals:
            raise InputError(f"--fix got {part!r}, expected a dimension and its value. For example: stride=3,block=8x1")
        if name not in by_name:
            raise InputError(f"--fix does not know {name!r}{meant(name, by_name)}. It takes: {', '.join(by_name)}.")
        allowed = by_name[name].values
        value = next((v for v in allowed if typed == (v if isinstance(v, str) else f"{v:g}")), None)
        if value is None:
            raise InputError(f"--fix got {name}={typed}, which is not searched. Choose one of: {_told(allowed)}.")
        by_name[name] = Choice(name, (value,), by_name[name].place)
    return tuple(by_name.values())


def _told(values: Sequence[Value]) -> str:
    return ", ".join(map(str, values))
