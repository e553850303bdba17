"""One search, as it was asked for: everything that a worker must know, and nothing that it finds out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from device_runtime.errors import InputError
from scenarios import folders, identity
from scenarios.build import SCENARIOS, find
from scenarios.scenario import Scenario
from scenarios.search.boards import Machine, machine
from scenarios.search.limits import Limits
from scenarios.search.rungs import QUICK, Rungs
from scenarios.search.space import Dimension, fixed, speech

JOURNAL = "study.journal"
WORKERS = "workers"
"""The folder of their locks and of what they say, in that of the search."""


@dataclass(frozen=True)
class Plan:
    """Plain values: it is handed to the workers as JSON."""

    scenario: str
    """As it was typed: a name or a .py file."""

    board: str
    budget: str
    trials: int
    runs: str
    quick: bool = False
    seed: int | None = None
    fix: str = ""
    storage: str | None = None
    """A database URL; None is a journal file in the search's own folder."""

    @property
    def typed(self) -> Scenario:
        """The scenario that was typed, as it is there."""
        found: Any = find(self.scenario)
        if not isinstance(found, Scenario):
            hears = [name for name in SCENARIOS if isinstance(find(name), Scenario)]
            raise InputError(
                f"{self.scenario} does not hear words, and search knows no other recipes yet. Choose one of: "
                f"{', '.join(hears)}, or a .py file with such a SCENARIO."
            )
        return found

    @property
    def recipe(self) -> Scenario:
        """What the search begins from: the same with the search's seed."""
        return self.typed if self.seed is None else replace(self.typed, seed=self.seed)

    @property
    def limits(self) -> Limits:
        """The budget."""
        return Limits.parse(self.budget) if self.budget else Limits()

    @property
    def machine(self) -> Machine:
        """Where the model will run."""
        return machine(self.board)

    @property
    def rungs(self) -> Rungs:
        """How candidates are trained."""
        return QUICK if self.quick else Rungs()

    def space(self, scenario: Scenario) -> tuple[Dimension, ...]:
        """What is searched."""
        return fixed(speech(scenario), self.fix)

    @cached_property
    def folder(self) -> Path:
        """Of everything that the search leaves behind: asked for otherwise, a search has another one.

        Found out once: the scenario's file may be edited while the search goes on.
        """
        asked = [self.board, *(f"{name}={limit:g}" for name, limit in self.limits.given.items()), *self.fix.split(",")]
        asked += ["quick"] * self.quick + [f"seed={self.seed}"] * (self.seed is not None)
        told = ",".join(filter(None, ("".join(part.split()) for part in asked)))
        return Path(self.runs) / f"{self.recipe.name}.search" / f"{told}-{self.study_name.rpartition('-')[2]}"

    def make_folder(self) -> None:
        """Before anything takes long; InputError where that cannot be."""
        folders.check(self.folder, "the search's folder", "--runs")
        (self.folder / WORKERS).mkdir(parents=True, exist_ok=True)

    @property
    def study_name(self) -> str:
        """Of the study in its storage. Asked for otherwise, but for how many trials, a search is another one."""
        scenario = self.recipe
        space = [(dimension.name, dimension.values) for dimension in self.space(scenario)]
        asked = {**asdict(self), "trials": 0, "runs": "", "storage": None, "scenario": scenario.name}
        told = json.dumps([asked, space, identity.told(scenario), repr(self.rungs)], default=str)
        return f"{scenario.name}-{self.board}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"

    def to_json(self) -> str:
        """For a worker."""
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """What `to_json` wrote."""
        return cls(**json.loads(text))
