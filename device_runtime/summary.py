"""An evaluation as a person reads it, from the numbers that `--json` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from device_runtime.tables import table

HARDEST = 10
"""So many labels are listed, those with the most misses."""


def summary(numbers: Mapping[str, Any]) -> str:
    """Some lines on clips, on false accepts, or on both."""
    return "\n".join([*_clips(numbers), *_negatives(numbers.get("negatives", {}))])


def _clips(numbers: Mapping[str, Any]) -> Iterator[str]:
    if "accuracy" not in numbers:
        return
    speakers = f" of {numbers['speakers']} speakers" if numbers["speakers"] else ""
    yield f"{numbers['bundle']} ({numbers['engine']}) on {numbers['split']}: {numbers['clips']} clips{speakers}\n"
    heard = {
        "warm, as a device hears it": ("accuracy", "interval_95"),
        "cold": ("accuracy_cold", "interval_95_cold"),
        "warm in noise of 10 dB": ("accuracy_noise_10db", "interval_95_noise_10db"),
    }
    rows = [
        {"accuracy": name, "%": _percent(numbers[rate]), "95 % interval": _percents(numbers[interval])}
        for name, (rate, interval) in heard.items()
        if numbers[rate] is not None
    ]
    yield table(rows)
    detection = numbers["detection"]
    if detection["clips"]:
        missed, wrong = _percent(detection["missed_rate"]), _percent(detection["wrong_rate"])
        yield f"\nat the thresholds: {missed} % of the words missed, a wrong word fired in {wrong} %"
    missed_most = sorted(numbers["per_label"].items(), key=lambda item: (item[1]["accuracy"], item[0]))
    yield "\n" + table([{"label": label, **facts} for label, facts in missed_most[:HARDEST]])


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
