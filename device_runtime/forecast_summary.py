"""An evaluation of forecasts as a person reads it, from the numbers that `--json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from device_runtime.tables import table


def summary(numbers: Mapping[str, Any]) -> str:
    """The numbers as a person reads them."""
    coverage = next(key for key in numbers if key.startswith("coverage_"))
    lines = [
        f"{numbers['bundle']} ({numbers['engine']}) on {numbers['data']}, {numbers['split']}: "
        f"{numbers['windows']} windows, {numbers['horizon']} steps of {numbers['interval']} ahead, look-back "
        f"{numbers['look_back']}",
        "errors in standard deviations of the training part\n",
    ]
    rows = [{"forecast": "bundle", "mse": numbers["mse"], "mae": numbers["mae"], coverage: numbers[coverage]}]
    rows += [{"forecast": name.replace("_", " "), **errors} for name, errors in numbers["peers"].items()]
    lines += [table(rows), ""]
    lines.append(table([{"ahead": part["ahead"], **_without(part, "ahead")} for part in numbers["per_horizon"]]) + "\n")
    lines.append(table([{"channel": name, **part} for name, part in numbers["per_channel"].items()]))
    if numbers["other_events"]:
        told = ", ".join(f"{count} {kind}" for kind, count in numbers["other_events"].items())
        lines.append(f"\nother events: {told}")
    return "\n".join(lines)


def _without(part: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != key}
