"""What a budget leaves: the point nearest to a scenario's own recipe that keeps it, found before any training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from device_runtime.errors import InputError
from scenarios.search.cost import Costs
from scenarios.search.limits import Limits
from scenarios.search.space import Choice, Dimension, Value, Values

Measure = Callable[[Values], Costs]

ROOM = 0.05
"""Trained weights take up to so much more than the random ones that a candidate is measured with before."""


@dataclass(frozen=True)
class Reached:
    """A point of the space and what it costs."""

    values: dict[str, Value]
    costs: Costs


def nearest(space: Sequence[Dimension], start: Values, measure: Measure, limits: Limits) -> Reached:
    """From `start` by small steps, in each dimension in turn, as long as that comes nearer to the limits.

    It ends where the limits are kept or where no step, small or to either end of a dimension, comes any nearer.
    """
    at = Reached(dict(start), measure(start))
    moved = True
    while moved and _far(at, limits) > 0:
        moved = False
        for steps in (_neighbours, _others):
            for dimension in space:
                found = _step(at, dimension, steps, measure, limits)
                if found is not None:
                    at, moved = found, True
                if _far(at, limits) == 0:
                    return at
            if moved:
                break
    return at


def first_within(points: Iterable[Values], measure: Measure, limits: Limits) -> Values | None:
    """The first of these points that keeps all limits, with room for what training changes; None where none does."""

    def fits(values: Values) -> bool:
        return not any(share > -ROOM for share in limits.excess(measure(values).as_dict()).values())

    return next(filter(fits, points), None)


def check(space: Sequence[Dimension], start: Values, measure: Measure, memory_mb: Measure, limits: Limits) -> Reached:
    """The nearest point that keeps all limits; InputError says which limit excludes every one, and what is near.

    `measure` leaves memory out, which hardly depends on the point; `memory_mb` measures it, too.
    """
    at = nearest(space, start, measure, limits)
    at = Reached(at.values, memory_mb(at.values))
    if _far(at, limits) == 0:
        return at
    for name, limit in limits.given.items():
        alone = Limits(**{name: limit})
        near = nearest(space, at.values, measure, alone)
        least = Reached(near.values, memory_mb(near.values))
        if _far(least, alone) > 0:
            raise InputError(
                f"the budget excludes every candidate: {name}={limit:g}, but the least that was found is "
                f"{_up(getattr(least.costs, name))}. {_near(at, limits)}"
            )
    over = " and ".join(name for name, share in limits.excess(at.costs.as_dict()).items() if share > 0)
    raise InputError(
        f"the budget excludes every candidate: each limit alone can be kept, but not all of {limits}: the nearest "
        f"candidate exceeds {over}. {_near(at, limits)}"
    )


def _far(at: Reached, limits: Limits) -> float:
    return limits.total_excess(at.costs.as_dict())


def _step(
    at: Reached,
    dimension: Dimension,
    steps: Callable[[Dimension, Value], Iterator[Value]],
    measure: Measure,
    limits: Limits,
) -> Reached | None:
    """The first step along a dimension that comes nearer."""
    for value in steps(dimension, at.values[dimension.name]):
        values = {**at.values, dimension.name: value}
        there = Reached(values, measure(values))
        if _far(there, limits) < _far(at, limits):
            return there
    return None


def _neighbours(dimension: Dimension, value: Value) -> Iterator[Value]:
    """One step up and one down; of a choice all others."""
    if isinstance(dimension, Choice):
        yield from (other for other in dimension.values if other != value)
        return
    place = dimension.values.index(value)
    yield from dimension.values[max(0, place - 1) : place]
    yield from dimension.values[place + 1 : place + 2]


def _others(dimension: Dimension, value: Value) -> Iterator[Value]:
    """Both ends: where one step is too small to be noticed."""
    yield from (end for end in (dimension.values[0], dimension.values[-1]) if end != value)


def _near(at: Reached, limits: Limits) -> str:
    """What to type instead."""
    enough = {name: max(limit, getattr(at.costs, name)) for name, limit in limits.given.items()}
    typed = ",".join(f"{name}={_up(value)}" for name, value in enough.items())
    point = ", ".join(f"{name} {value}" for name, value in at.values.items())
    return f"The nearest candidate ({point}) needs: --budget {typed}"


def _up(value: float) -> str:
    """Three digits and a little more than it is, so that what is told is enough."""
    return f"{value * 1.005:.3g}"
