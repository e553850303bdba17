"""An evaluation of anomalies as a person reads it, from the numbers that `--json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from device_runtime.nab_score import PROFILES
from device_runtime.tables import table

NAMES = tuple(profile.name for profile in PROFILES)


def summary(numbers: Mapping[str, Any]) -> str:
    """The numbers as a person reads them."""
    blind, fixed = numbers["last_value_in_place_of_the_model"], f"fixed: {numbers['threshold']}"
    lines = [
        f"{numbers['bundle']} ({numbers['engine']}) on {numbers['data']}: {numbers['files']} files, "
        f"{numbers['samples']} samples, {numbers['windows']} windows",
        f"{numbers['microseconds_a_sample']} microseconds a sample; scores: 0 never alarms, 100 is perfect\n",
    ]
    rows = [
        {"detector": "bundle", "threshold": fixed, **_scores(numbers)},
        _row("bundle", "best for other categories", numbers["threshold_chosen_on_other_categories"]),
        _row("bundle", "best for each profile", _best(numbers["threshold_chosen_on_all_files"])),
        {"detector": "last value for the model", "threshold": fixed, **_scores(blind)},
        _row("last value for the model", "best for each profile", _best(blind["threshold_chosen_on_all_files"])),
    ]
    published = sorted(numbers["published"].items(), key=lambda item: -item[1].get(NAMES[0], 0.0))
    rows += [_row(f"{name} (published)", "best for each profile", scores) for name, scores in published]
    lines += [table(rows), ""]
    parts = [{"category": name, **_part(part)} for name, part in numbers["per_category"].items()]
    return "\n".join([*lines, table(parts)])


def _row(detector: str, threshold: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    return {"detector": detector, "threshold": threshold, **{name: scores.get(name) for name in NAMES}}


def _scores(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: numbers[name] for name in NAMES}


def _best(profiles: Mapping[str, Any]) -> dict[str, Any]:
    return {name: profiles[name]["score"] for name in NAMES}


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    return {key: part.get(key) for key in ("files", *NAMES, "found", "missed", "false_alarms")}
