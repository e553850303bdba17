"""Where the model will run: what one step takes there, counted on emulated boards or timed on this machine."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from device_runtime import bench
from device_runtime.errors import EngineError, InputError
from device_runtime.meant import meant
from device_runtime.session import Session
from scenarios.search.work import KERNELS, work

FILE = Path(__file__).with_name("boards.json")
"""Written by `python -m boards.step_costs` in `tests/`, which counts; it says how and on which models."""

HERE = "host"
TIMED_STEPS = 2000


class Machine(Protocol):
    """Where a bundle runs."""

    @property
    def name(self) -> str:
        """As it is typed."""

    @property
    def how(self) -> str:
        """Where its microseconds come from, for the report."""

    def step_us(self, session: Session) -> float:
        """Microseconds of a step of the session's model by the native engine, called from Python."""


@dataclass(frozen=True)
class Here:
    """This machine."""

    name: str = HERE
    how: str = "timed on this machine: the median step of the native engine"

    def step_us(self, session: Session) -> float:
        """Timed, so that a busy machine takes longer; EngineError where the native engine is not built."""
        if session.engine.name != "native":
            raise EngineError(
                "the native engine is not built here, so that its steps cannot be timed. Build it with: "
                "pip install ./device_runtime, or name a board: --board pi-zero-2w"
            )
        return float(np.median(bench.time_steps(session, TIMED_STEPS)))


@dataclass(frozen=True)
class Board:
    """A board, by the instructions that were counted for each kind of work."""

    name: str
    clock_mhz: float
    instructions_per_cycle: float
    """A guess, which every microsecond rests on; nothing was measured on a real board."""

    kernel: str
    """Of the native engine, that is chosen there."""

    instructions: dict[str, float]
    """Of each kind of work (`work.KINDS`)."""

    call_instructions: float
    """Of a call from Python, beside the step."""

    worst_error: float
    """The largest error of the sum, as a share of what was counted, on models that it was not fitted to."""

    @property
    def how(self) -> str:
        """An estimate, and what it rests on."""
        return (
            f"an estimate: instructions of the native engine's work as counted on the emulated board (within "
            f"{100 * self.worst_error:.0f} % on other models), at {self.instructions_per_cycle:g} instructions per "
            f"cycle (a guess) and {self.clock_mhz:g} MHz"
        )

    def step_us(self, session: Session) -> float:
        """Instructions / (instructions per cycle x clock)."""
        done = work(session.bundle.model, KERNELS[self.kernel])
        total = self.call_instructions + sum(self.instructions[kind] * count for kind, count in done.items())
        return total / (self.instructions_per_cycle * self.clock_mhz)


def machine(name: str, file: Path = FILE) -> Machine:
    """The machine of that name; a near one is suggested for an unknown name."""
    boards: dict[str, dict[str, Any]] = json.loads(file.read_text())["boards"]
    if name == HERE:
        return Here()
    if name not in boards:
        known = [HERE, *boards]
        raise InputError(f"there is no board {name!r}{meant(name, known)}. Choose one of: {', '.join(known)}.")
    return Board(name, **boards[name])
