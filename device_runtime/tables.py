"""Plain text tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows under the names of their columns; numbers to the right, text to the left.

    >>> print(table([{"word": "yes", "clips": 12}, {"word": "no", "clips": 7}]))
    word  clips
    yes      12
    no        7
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [columns, *([plain(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    numeric = [all(isinstance(row.get(column), int | float | None) for row in rows) for column in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in cells
    )


def plain(value: Any) -> str:
    """One value as a person reads it; nothing is a dash."""
    if value is None or value == [] or value == {} or value == "":
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(inner) for inner in value)
    return str(value)
