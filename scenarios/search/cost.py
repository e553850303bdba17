"""What a candidate costs, measured on its bundle: before it is trained with random weights, afterwards with its own.

Zeros, bits and ranks are where training will leave them, so bytes and steps are those of the finished bundle; random
normal weights take as many bytes as trained ones do: within 1 % in int8, up to 5 % fewer as powers of two.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from device_runtime import bench, bundle
from device_runtime.arithmetic import Model
from device_runtime.session import Session
from scenarios.model_card import model_card
from scenarios.pipeline import manifest
from scenarios.scenario import Scenario
from scenarios.search.boards import Machine
from scenarios.training import Trainings
from scenarios.untrained import untrained

HOPS_PER_SECOND = 100
"""Feature vectors that the front end makes in a second."""

BARE = """
import pathlib, sys
status = pathlib.Path("/proc/self/status")
if status.exists():
    print(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")))
else:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1))
"""
"""A program that does nothing but tell the most memory that it held, in KB."""


@dataclass(frozen=True)
class Costs:
    """Of one bundle, in the units that the names say."""

    size_kb: float
    step_us: float
    second_us: float
    """All steps of one second of audio: a longer stride takes fewer of them."""

    memory_mb: float
    """Above a bare Python."""

    def as_dict(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


@dataclass
class Meter:
    """Measures candidates of one scenario for one machine."""

    scenario: Scenario
    machine: Machine
    card: dict[str, Any] = field(init=False)
    known: dict[str, Costs] = field(default_factory=dict)
    """What untrained candidates cost."""

    def __post_init__(self) -> None:
        self.card = model_card(Trainings(self.scenario, Path(), Path()), [])

    def before_training(self, scenario: Scenario, with_memory: bool = True) -> Costs:
        """Of the candidate with random weights; memory is nan where it is not asked for: it takes half a second."""
        key = repr((scenario.student, scenario.compress, with_memory))
        if key not in self.known:
            self.known[key] = self.costs(scenario, untrained(scenario), with_memory)
        return self.known[key]

    def costs(self, scenario: Scenario, model: Model, with_memory: bool = True) -> Costs:
        """Of the candidate's bundle with this model."""
        thresholds = {label: 0.555 for label in scenario.mix.labels if not label.startswith("_")}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "candidate.bundle"
            bundle.write(
                path, manifest(Trainings(scenario, Path(), Path()), thresholds, self.card), model, lambda _: None
            )
            session = Session.open(path, "native")
            step_us = self.machine.step_us(session)
            return Costs(
                size_kb=session.bundle.device_bytes / 1000,
                step_us=step_us,
                second_us=step_us * HOPS_PER_SECOND / scenario.student.stride,
                memory_mb=memory_mb(path) if with_memory else float("nan"),
            )


def memory_mb(path: Path) -> float:
    """The most that a fresh process on this machine holds to hear a second, above a bare Python."""
    return bench.peak_mb_of_fresh_process(path, "native") - bare_python_mb()


@cache
def bare_python_mb() -> float:
    """A fresh process that does nothing."""
    answer = subprocess.run([sys.executable, "-c", BARE], capture_output=True, text=True, check=True)
    return int(answer.stdout) / 1024
