"""What parts and hidden units are worth, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from device_runtime.tables import table
from scenarios.comparing.changes import FIRST, SECOND

LETTERS = {FIRST: "A", SECOND: "B"}
TOP_UNITS = 5


def points(share: float, sign: bool = False) -> str:
    """A share in percent.

    >>> points(0.934), points(-0.0125, sign=True)
    ('93.4', '-1.2')
    """
    return f"{100 * share:{'+' if sign else ''}.1f}"


def interval(bounds: Sequence[float]) -> str:
    """Of a difference, in percent."""
    return " to ".join(points(bound, sign=True) for bound in bounds)


def parts_lines(parts: Mapping[str, Any], title: str, told: Callable[[float], str]) -> Iterator[str]:
    """A row for each part, a column for each model and way to change it; `told` writes a difference."""
    if parts["fit"]:
        yield f"\none part alone replaced by the other model's: {title}"
        yield "(moved: how far its weights lie from A's in B, as a share of their size)"
    else:
        yield f"\nNo part of one fits into the other: {parts['why_not']}."
        yield f"Instead one part alone of each, rounded without training: {title}"
    rows: dict[str, dict[str, Any]] = {}
    for result in parts["results"]:
        row = rows.setdefault(result["part"], {"part": result["part"]})
        row[f"{LETTERS[result['of']]}, {result['how']}"] = told(result["difference"])
    for name, moved in parts["moved"].items():
        rows.setdefault(name, {"part": name})["moved"] = round(moved, 3)
    yield table(list(rows.values()))


def units_lines(units: Mapping[str, Any], title: str, key: str) -> Iterator[str]:
    """Of each model the hidden units that matter most, and how many matter hardly."""
    yield f"\n{title}"
    for of, letter in LETTERS.items():
        lost = sorted(((r[key], r["part"]) for r in units["results"] if r["of"] == of), reverse=True)
        if lost:
            most = ", ".join(f"{unit} {value:.3g}" for value, unit in lost[:TOP_UNITS])
            idle = sum(value < 0.1 * lost[0][0] for value, _ in lost)
            yield f"{letter}: most {most}; {idle} of {len(lost)} units below a tenth of the first"
