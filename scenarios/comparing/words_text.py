"""A comparison of bundles that hear words as a person reads it, from the numbers that `--json` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from device_runtime.tables import table
from scenarios.comparing.parts_text import interval, parts_lines, points, units_lines

MOST = 10
"""So many rows of a table are shown."""


def text(numbers: Mapping[str, Any]) -> str:
    """Tables, the most telling rows first; the report has all of them."""
    return "\n".join(_lines(numbers))


def _lines(numbers: Mapping[str, Any]) -> Iterator[str]:
    first, second = numbers["first"], numbers["second"]
    yield f"A is {first['bundle']}, B is {second['bundle']}; {numbers['clips']} clips of {numbers['split']}"
    yield ""
    rows = []
    for condition, key in (("warm", "accuracy"), ("cold", "accuracy_cold")):
        pair = numbers[condition]
        rows.append(
            {
                "heard": condition,
                "A %": points(first[key]),
                "B %": points(second[key]),
                "B - A": points(pair["difference"], sign=True),
                "95 % interval": interval(pair["interval_95"]),
                "p (McNemar)": f"{pair['p_value']:.3g}",
                "A alone right": pair["only_first_right"],
                "B alone right": pair["only_second_right"],
            }
        )
    yield table(rows)
    yield ""
    yield "flips, warm: " + ", ".join(f"{count} {direction}" for direction, count in numbers["flips"].items())
    yield from _labels(numbers)
    yield from _confusions(numbers)
    parts = numbers["parts"]
    widest = max((r["interval_95"][1] - r["interval_95"][0] for r in parts["results"]), default=0.0)
    title = f"change of accuracy in points on {parts['clips']} clips, each to within {points(widest / 2)} or better"
    yield from parts_lines(parts, title, lambda change: points(change, sign=True))
    units = numbers["units"]
    yield from units_lines(units, f"score lost, on {units['clips']} clips, with a hidden unit silenced", "score_lost")


def _labels(numbers: Mapping[str, Any]) -> Iterator[str]:
    changed = [(label, facts) for label, facts in numbers["per_label"].items() if _flipped(facts)]
    changed.sort(key=lambda item: (item[1]["recall_second"] - item[1]["recall_first"], -_flipped(item[1])))
    if not changed:
        return
    shown = changed if len(changed) <= 2 * MOST else [*changed[:MOST], *changed[-MOST:]]
    yield f"\n{len(shown)} of {len(changed)} labels that flipped, from the most lost to the most won:"
    yield table(
        [
            {
                "label": label,
                "clips": facts["clips"],
                "A %": points(facts["recall_first"]),
                "B %": points(facts["recall_second"]),
                "lost": facts["right to wrong"],
                "won": facts["wrong to right"],
                "other": facts["wrong to other wrong"],
                "taken for, more often": {
                    g["taken_for"]: g["after"] - g["before"] for g in facts["confusions_grown"][:3]
                },
            }
            for label, facts in shown
        ]
    )


def _flipped(facts: Mapping[str, Any]) -> int:
    return sum(facts[key] for key in ("right to wrong", "wrong to right", "wrong to other wrong"))


def _confusions(numbers: Mapping[str, Any]) -> Iterator[str]:
    grown = numbers["confusions_grown"]
    if grown:
        yield f"\n{min(MOST, len(grown))} of {len(grown)} confusions that grew:"
        yield table(
            [{"said": g["said"], "taken for": g["taken_for"], "A": g["before"], "B": g["after"]} for g in grown[:MOST]]
        )
