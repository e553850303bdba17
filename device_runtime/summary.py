"""An evaluation as a person reads it, from the numbers that `--json` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from device_runtime.tables import table

HARDEST = 10
"""So many labels are listed, those with the most misses."""


def summary(numbers: Mapping[str, Any]) -> str:
    """Some lines on clips, on false accepts, or on both."""
    return "\n".join([*_clips(numbers), *_negatives(numbers.get("negatives", {}))]).lstrip("\n")


def _clips(numbers: Mapping[str, Any]) -> Iterator[str]:
    if "accuracy" not in numbers:
        return
    speakers = f" of {numbers['speakers']} speakers" if numbers["speakers"] else ""
    skipped = f"; {numbers['skipped']} of other words left out" if numbers["skipped"] else ""
    clips = f"{numbers['clips']} clips{speakers}{skipped}"
    yield f"{numbers['bundle']} ({numbers['engine']}) on {numbers['split']}: {clips}"
    if all(label.startswith("_") for label in numbers["per_label"]):
        yield "none of them says a word of the bundle: right is that none fires at the thresholds"
    yield ""
    heard = {
        "warm, as a device hears it": ("accuracy", "interval_95"),
        "cold": ("accuracy_cold", "interval_95_cold"),
        "warm in noise of 10 dB": ("accuracy_noise_10db", "interval_95_noise_10db"),
    }
    rows = [
        {"heard": name, "accuracy %": _percent(numbers[rate]).rjust(5), "95 % interval": _percents(numbers[interval])}
        for name, (rate, interval) in heard.items()
        if numbers[rate] is not None
    ]
    yield table(rows)
    if numbers["accuracy_unknown_allowed"] != numbers["accuracy"]:
        strict = _percent(numbers["accuracy_unknown_allowed"])
        yield f"\nwith _unknown_ as an answer like the words, by the highest score alone: {strict} %"
    if noise := numbers["noise"]:
        yield f"\nnoise: {', '.join(noise['names'])} ({noise['source']})"
    detection = numbers["detection"]
    if detection["clips"]:
        missed, wrong = _percent(detection["missed_rate"]), _percent(detection["wrong_rate"])
        yield f"\nat the thresholds: {missed} % of the words missed, a wrong word fired in {wrong} %"
    missed_most = sorted(numbers["per_label"].items(), key=lambda item: (item[1]["accuracy"], item[0]))
    yield f"\n{HARDEST} labels of {len(missed_most)}, most missed first:" if len(missed_most) > HARDEST else ""
    yield table([_row(label, facts) for label, facts in missed_most[:HARDEST]])


def _row(label: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    missed_as = facts["missed_as"] or None
    return {
        "label": label,
        "clips": facts["clips"],
        "accuracy %": _percent(facts["accuracy"]).rjust(5),
        "missed as": missed_as,
    }


def _negatives(negatives: Mapping[str, Any]) -> Iterator[str]:
    if not negatives:
        return
    low, high = negatives["interval_95"]
    yield (
        f"\n{negatives['false_accepts']} false accepts in {negatives['hours']:.2f} hours: "
        f"{negatives['false_accepts_per_hour']:.2f} per hour (95 % interval {low:.2f} to {high:.2f}); "
        f"{_percent(negatives['clips_triggered_rate'])} % of {negatives['clips']} clips trigger something"
    )
    if negatives["per_label"]:
        yield "by label: " + ", ".join(f"{label} {count}" for label, count in negatives["per_label"].items())


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _percents(interval: list[float]) -> str:
    return " to ".join(f"{100 * bound:.1f}" for bound in interval)
