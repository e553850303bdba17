"""CPU time of contestants that take turns, so that a busy moment of the machine hits all alike.

Not the clock on the wall: every contestant runs on one thread, and what other programs take from the core in between is
nobody's cost. What they push out of the caches is; hence the median of many short batches.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import numpy as np

Name = TypeVar("Name", bound=Hashable)

Run = Callable[[int], object]
"""Does the work so many times."""

Stopwatch = Callable[[int], float]
"""Does the work so many times and tells the CPU microseconds of one item."""

ROUNDS = 31
WARM_UP = 0.2
"""Of a batch, run before it and not timed: the contestant before left its own data in the caches."""


def cpu_time(run: Run, items: int = 1) -> Stopwatch:
    """Of the whole process, so that threads behind a runtime's back count, too; `items` are done at a time."""

    def item_us(times: int) -> float:
        run(max(1, round(WARM_UP * times)))
        start = time.process_time_ns()
        run(times)
        return (time.process_time_ns() - start) / 1000 / times / items

    return item_us


def in_turns(contestants: Mapping[Name, Stopwatch], times: int) -> dict[Name, float]:
    """The median CPU microseconds of one item; everyone does the work `times` times, in batches."""
    batch = max(1, times // ROUNDS)
    took: dict[Name, list[float]] = {name: [] for name in contestants}
    names, shuffle = list(contestants), random.Random(0).shuffle
    for _ in range(min(ROUNDS, times)):
        shuffle(names)  # nobody always follows the one who leaves the caches in the worst state
        for name in names:
            took[name].append(contestants[name](batch))
    return {name: float(np.median(values)) for name, values in took.items()}
