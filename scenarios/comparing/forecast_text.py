"""A comparison of bundles that forecast as a person reads it, from the numbers that `--json` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from device_runtime.tables import table
from device_runtime.times import moment
from scenarios.comparing.parts_text import parts_lines, units_lines

MOST = 8
"""So many windows are shown."""


def text(numbers: Mapping[str, Any]) -> str:
    """Tables, the most telling rows first; the report has all of them."""
    return "\n".join(_lines(numbers))


def _lines(numbers: Mapping[str, Any]) -> Iterator[str]:
    first, second = numbers["first"], numbers["second"]
    yield (
        f"A is {first['bundle']}, B is {second['bundle']}; {numbers['windows']} windows of {numbers['data']}, "
        f"{numbers['split']}, {numbers['horizon']} samples ahead"
    )
    yield ""
    rows = []
    for key in ("mse", "mae"):
        low, high = numbers[key]["interval_95"]
        change = {"B - A": f"{numbers[key]['difference']:+.5f}", "95 % interval": f"{low:+.5f} to {high:+.5f}"}
        rows.append({"error": key, "A": first[key], "B": second[key], **change, "blocks": numbers[key]["blocks"]})
    yield table(rows)
    yield f"\nB is better on {numbers['windows_better']} windows, worse on {numbers['windows_worse']}"
    yield from _changes("channel", numbers["per_channel"])
    yield from _changes("samples ahead", numbers["per_horizon"])
    yield f"\nwindows whose squared error changed most, {MOST} of them:"
    yield table(
        [
            {
                "from": moment(w["from_s"]),
                "A": w["first"],
                "B": w["second"],
                "B - A": f"{w['second'] - w['first']:+.4f}",
            }
            for w in numbers["windows_changed_most"][:MOST]
        ]
        or [{"from": None, "A": None, "B": None}]
    )
    parts = numbers["parts"]
    own = ", ".join(f"{letter} itself {parts['own_mse'][of]}" for letter, of in (("A", "first"), ("B", "second")))
    yield from parts_lines(parts, f"squared error added, on one window of {parts['every']} ({own})", "{:+.5f}".format)
    title = f"squared error added, on one window of {parts['every']}, with a hidden unit silenced"
    yield from units_lines(numbers["units"], title, "difference")


def _changes(what: str, both: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield table(
        [
            {what: name, "A": mse["first"], "B": mse["second"], "B - A": f"{mse['second'] - mse['first']:+.5f}"}
            for name, mse in both.items()
        ]
    )
