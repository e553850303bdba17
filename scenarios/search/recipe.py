"""Candidates as Python files that `tinyrnn build` takes: what differs from the scenario that they came from."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from scenarios.build import SCENARIOS
from scenarios.scenario import Scenario
from scenarios.search.front import Point
from scenarios.search.limits import Limits

TOLD_APART = ("name", "title", "typed")
"""Fields that are written by hand."""


def named(scenario: Scenario, board: str, limits: Limits) -> str:
    """What the found scenario is called: what was found within other limits has a name, and a folder, of its own."""
    within = [f"{limit:g}{name.rpartition('_')[2]}" for name, limit in limits.given.items()]
    return re.sub(r"\W", "_", "_".join([scenario.name, board, *within]))


def write_front(
    folder: Path, candidates: Sequence[tuple[Point, Scenario]], typed: str, base: Scenario, command: str
) -> None:
    """A file for each candidate of the front, under a name of its own: any of them can be built."""
    shutil.rmtree(folder, ignore_errors=True)  # of a front that has been passed since
    folder.mkdir()
    for point, scenario in candidates:
        own = replace(scenario, name=f"{scenario.name}_{point.number}", title=f"{scenario.title} ({point.number})")
        (folder / f"candidate_{point.number}.py").write_text(source(typed, base, own, point, command))


def found(base: Scenario, candidate: Scenario, board: str, limits: Limits) -> Scenario:
    """The candidate under a name and with a budget of its own.

    A promise of accuracy holds for the size that it was made at: a smaller bundle makes none.
    """
    size_kb = limits.given.get("size_kb", base.budget.size_kb)
    accuracy = base.budget.accuracy if size_kb >= base.budget.size_kb else 0.0
    return replace(
        candidate,
        name=named(base, board, limits),
        title=f"{base.title}, for {board}",
        budget=replace(base.budget, size_kb=size_kb, accuracy=accuracy),
        typed="",
    )


def source(typed: str, base: Scenario, scenario: Scenario, point: Point, command: str) -> str:
    """The text of the file."""
    named, given = SCENARIOS.get(typed), f"BASE = find({_text(str(Path(typed).resolve()))})"
    written = Written()
    written.imports["dataclasses"] = {"replace"}
    if named:
        written.imports[named[0]] = {f"{named[1]} as BASE"}
    else:
        written.imports["scenarios.build"] = {"find"}
    changed = {
        f.name: written.changed(getattr(scenario, f.name), getattr(base, f.name), f"BASE.{f.name}")
        for f in fields(scenario)
        if f.name not in TOLD_APART and getattr(scenario, f.name) != getattr(base, f.name)
    }
    told = (
        f"{100 * point.accuracy:.1f} % on the validation split, {point.size_kb:.1f} KB, {point.step_us:.1f} us a step"
    )
    lines = [
        f"# Found by: {' '.join(command.split())}",
        f"# Candidate {point.number}, after its short training: {told}.",
        *written.import_lines(),
        "",
        *([] if named else [given, ""]),
        "SCENARIO = replace(",
        "    BASE,",
        f"    name={_text(scenario.name)},",
        f"    title={_text(scenario.title)},",
        *(f"    {name}={text}," for name, text in changed.items()),
        ")",
        "",
    ]
    return "\n".join(lines)


@dataclass
class Written:
    """Values as Python text, and what that text imports."""

    imports: dict[str, set[str]] = field(default_factory=dict)
    """Names by their modules."""

    def changed(self, value: Any, before: Any, where: str) -> str:
        """What makes the value out of the one that is found at `where`."""
        if type(value) is not type(before) or not is_dataclass(value):
            return self.whole(value)
        told = [
            f"{f.name}={self.changed(getattr(value, f.name), getattr(before, f.name), f'{where}.{f.name}')}"
            for f in fields(value)
            if getattr(value, f.name) != getattr(before, f.name)
        ]
        return f"replace({where}, {', '.join(told)})"

    def whole(self, value: Any) -> str:
        """The value from nothing; dataclasses without the fields that are as by default."""
        if isinstance(value, tuple):
            return f"({', '.join(map(self.whole, value))}{',' * (len(value) == 1)})"
        if isinstance(value, str):
            return _text(value)
        if not is_dataclass(value):
            return repr(value)
        kind = type(value)
        self.imports.setdefault(kind.__module__, set()).add(kind.__qualname__)
        told = [f"{f.name}={self.whole(getattr(value, f.name))}" for f in fields(value) if not _as_by_default(f, value)]
        return f"{kind.__qualname__}({', '.join(told)})"

    def import_lines(self) -> list[str]:
        """In their order: of Python first."""
        lines = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(self.imports.items())]
        own = [line for line in lines if line.startswith("from dataclasses ")]
        return [*own, "", *(line for line in lines if line not in own)]


def _as_by_default(told: Field[Any], value: Any) -> bool:
    default = told.default_factory() if told.default_factory is not MISSING else told.default
    return bool(default is not MISSING and getattr(value, told.name) == default)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
