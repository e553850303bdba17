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


def parts_lines(
    parts: Mapping[str, Any], title: str, cells: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Iterator[str]:
    """A table with a row for each part; `cells` tells what was measured of it."""
    if parts["fit"]:
        yield f"\none part alone replaced by the other model's: {title}"
        yield "(moved: how far its weights lie from A's in B, as a share of their size)"
    else:
        yield f"\nNo part of one fits into the other: {parts['why_not']}."
        yield f"Instead one part alone of each, rounded without training: {title}"
    yield table(
        [
            {
                "in": LETTERS[result["of"]],
                "part": result["part"],
                "is": result["how"],
                **cells(result),
                **({"moved": round(parts["moved"][result["part"]], 3)} if parts["fit"] else {}),
            }
            for result in parts["results"]
        ]
    )


def units_lines(units: Mapping[str, Any], title: str, key: str) -> Iterator[str]:
    """Of each model the hidden units that matter most, and how many matter hardly."""
    yield f"\n{title}"
    for of, letter in LETTERS.items():
        lost = sorted(((r[key], r["part"]) for r in units["results"] if r["of"] == of), reverse=True)
        if lost:
            most = ", ".join(f"{unit} {value:.3g}" for value, unit in lost[:TOP_UNITS])
            idle = sum(value < 0.1 * lost[0][0] for value, _ in lost)
            yield f"{letter}: most {most}; {idle} of {len(lost)} units below a tenth of the first"
