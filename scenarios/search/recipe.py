"""A chosen candidate as a Python file that `tinyrnn build` takes: what differs from the scenario that it came from."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

from scenarios.build import SCENARIOS
from scenarios.scenario import Scenario
from scenarios.search.front import Point
from scenarios.search.limits import Limits

TOLD_APART = ("name", "title", "typed")
"""Fields that are written by hand."""


def named(scenario: Scenario, board: str) -> str:
    """What the found scenario is called."""
    return re.sub(r"\W", "_", f"{scenario.name}_{board}")


def found(base: Scenario, candidate: Scenario, board: str, limits: Limits) -> Scenario:
    """The candidate under a name and with a budget of its own.

    A promise of accuracy holds for the size that it was made at: a smaller bundle makes none.
    """
    size_kb = limits.given.get("size_kb", base.budget.size_kb)
    accuracy = base.budget.accuracy if size_kb >= base.budget.size_kb else 0.0
    return replace(
        candidate,
        name=named(base, board),
        title=f"{base.title}, for {board}",
        budget=replace(base.budget, size_kb=size_kb, accuracy=accuracy),
        typed="",
    )


def source(typed: str, base: Scenario, scenario: Scenario, point: Point, command: str) -> str:
    """The text of the file."""
    changed = {
        field.name: getattr(scenario, field.name)
        for field in fields(scenario)
        if field.name not in TOLD_APART and getattr(scenario, field.name) != getattr(base, field.name)
    }
    imports = {("dataclasses", "replace")} | {used for value in changed.values() for used in _used(value)}
    if typed in SCENARIOS:
        module, attribute = SCENARIOS[typed]
        imports.add((module, attribute))
        origin = attribute
    else:
        imports.add(("scenarios.build", "find"))
        origin = f"find({typed!r})"
    lines = [
        f'"""{scenario.title}: found by {command}',
        "",
        f"Candidate {point.number}, after its short training: {100 * point.accuracy:.1f} % on the validation split, "
        f"{point.size_kb:.1f} KB, {point.step_us:.1f} us a step.",
        '"""',
        "",
        *_import_lines(imports),
        "",
        "SCENARIO = replace(",
        f"    {origin},",
        f"    name={scenario.name!r},",
        f"    title={scenario.title!r},",
        *(f"    {name}={_written(value)}," for name, value in changed.items()),
        ")",
        "",
    ]
    return "\n".join(lines)


def _import_lines(imports: set[tuple[str, str]]) -> list[str]:
    by_module: dict[str, list[str]] = {}
    for module, name in sorted(imports):
        by_module.setdefault(module, []).append(name)
    own = by_module.pop("dataclasses")
    return [
        f"from dataclasses import {', '.join(own)}",
        "",
        *(f"from {m} import {', '.join(n)}" for m, n in by_module.items()),
    ]


def _used(value: Any) -> set[tuple[str, str]]:
    """Every class that the text of the value names."""
    if isinstance(value, tuple):
        return {used for item in value for used in _used(item)}
    if not is_dataclass(value) or isinstance(value, type):
        return set()
    parts = {used for field in fields(value) for used in _used(getattr(value, field.name))}
    return {(type(value).__module__, type(value).__qualname__)} | parts


def _written(value: Any) -> str:
    """Dataclasses without the fields that are as by default."""
    if isinstance(value, tuple):
        return f"({', '.join(map(_written, value))}{',' * (len(value) == 1)})"
    if not is_dataclass(value) or isinstance(value, type):
        return repr(value)
    told = [f"{field.name}={_written(getattr(value, field.name))}" for field in fields(value) if field.init]
    return f"{type(value).__qualname__}({', '.join(told)})"
