"""What `tinyrnn compare` takes: a task in the two manifests becomes a comparison here and nowhere else.

To add one: a function from two bundles and the arguments to a `Found`, and a line in TASKS.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_runtime.bundle import Bundle
from device_runtime.csv_source import read_log
from device_runtime.errors import InputError
from device_runtime.evaluating import chosen
from device_runtime.forecast_data import gridded, span_of
from device_runtime.progress import progress
from device_runtime.recordings import list_recordings
from device_runtime.session import Session
from scenarios.comparing import forecast_page, forecast_text, forecasts, words, words_page, words_text
from scenarios.report.series_content import SeriesReport


@dataclass(frozen=True)
class Found:
    """What a comparison ends with."""

    numbers: dict[str, Any]
    """For `--json`."""

    text: str
    """The same as a person reads it."""

    page: Callable[[str], SeriesReport]
    """The report, which tells the command that made it."""


def _words(first: Bundle, second: Bundle, args: argparse.Namespace) -> Found:
    sessions = Session(first, args.engine), Session(second, args.engine)
    recordings = chosen(list_recordings(args.data), args)
    found = words.compare(sessions, recordings, args.seed, progress)
    numbers = found.as_dict()
    return Found(numbers, words_text.text(numbers), lambda command: words_page.content(found, args.seed, command))


def _forecasts(first: Bundle, second: Bundle, args: argparse.Namespace) -> Found:
    if args.limit is not None:
        raise InputError("--limit counts clips; a forecast is measured on every window of the split. Leave it out")
    session = Session(first, args.engine)
    path = Path(args.data)
    readings = read_log(path, session.sensors.names).readings
    rows = gridded(str(path), readings.times_s, readings.values, session.sensors.interval_s)
    begins, ends = span_of(args.split, path, rows, session)
    facts = {"split": args.split, "data": path.name}
    log = forecasts.Log(rows, begins, ends, float(readings.times_s[0]), facts)
    found = forecasts.compare((first, second), log, args.engine, progress)
    numbers = found.as_dict()
    return Found(numbers, forecast_text.text(numbers), lambda command: forecast_page.content(found, args.seed, command))


TASKS: dict[str, Callable[[Bundle, Bundle, argparse.Namespace], Found]] = {
    "keyword_spotting": _words,
    "forecasting": _forecasts,
}
"""By task."""

SAME_SENSORS = ("channels", "interval_s", "mean", "std")
"""Settings of the front end without which errors of the same windows are not in the same units."""


def check(first: Bundle, second: Bundle) -> None:
    """InputError unless the two answer the same question."""
    a, b = first.manifest, second.manifest
    if a.task != b.task:
        raise InputError(
            f"{first.folder} is for {a.task}, but {second.folder} for {b.task}. Name two bundles of one task"
        )
    if a.task not in TASKS:
        raise InputError(f"compare takes bundles for {' or '.join(TASKS)}, but {first.folder} is for {a.task}")
    only = [sorted(set(one) - set(other)) for one, other in ((a.labels, b.labels), (b.labels, a.labels))]
    if any(only):
        told = [
            f"{where.folder} alone has {', '.join(o[:5])}" for where, o in zip((first, second), only, strict=True) if o
        ]
        raise InputError(f"the bundles have different labels: {'; '.join(told)}. Name two of the same labels")
    for name in SAME_SENSORS:
        if a.frontend.get(name) != b.frontend.get(name) and a.task == "forecasting":
            raise InputError(
                f"the bundles were made for different sensors: {name} is {a.frontend.get(name)} in {first.folder}, "
                f"{b.frontend.get(name)} in {second.folder}. Name two of the same sensors"
            )
    horizons = [m.decoder.get("positions", 0) * m.frontend.get("segment", 0) for m in (a, b)]
    if a.task == "forecasting" and horizons[0] != horizons[1]:
        raise InputError(
            f"{first.folder} forecasts {horizons[0]} samples, but {second.folder} {horizons[1]}. "
            "Name two of the same horizon"
        )
