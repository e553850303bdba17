"""NAB, the Numenta Anomaly Benchmark: 58 series from servers, roads, shops and machines, with labelled windows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime.errors import InputError
from device_runtime.meant import meant
from train.data.download import Archive, find
from train.data.series import Series, usual_interval_s
from train.data.table import read_table

HOMEPAGE = "https://github.com/numenta/NAB"
COMMIT = "ea702d75cc2258d9d7dd35ca8e5e2539d71f3140"
LABELS = "labels/combined_windows.json"
PROFILES = "config/profiles.json"
HASHES = Path(__file__).with_name("nab.sha256")
"""Of the 58 series and the two tables, as sha256sum writes them: GitHub packs the archive anew at each request."""


@dataclass(frozen=True)
class Nab:
    """All 58 series, each streamed from its first sample: nothing of it is for training alone.

    >>> Nab().name
    'NAB'
    """

    data: Path | None = None
    """The folder of the data set or one above it; else `TINYRNN_DATA`, the cache folder, or a download."""

    @property
    def name(self) -> str:
        """The folder's name under `TINYRNN_DATA`/series."""
        return "NAB"

    @property
    def source(self) -> str:
        """The authors' repository, at a commit."""
        return f"{HOMEPAGE}/tree/{COMMIT}"

    @property
    def licence(self) -> str:
        """Of series and labels."""
        return "MIT"

    @cached_property
    def folder(self) -> Path:
        """Where it is on this machine."""
        listed = [line.split(maxsplit=1) for line in HASHES.read_text().splitlines()]
        archive = Archive(
            f"{HOMEPAGE}/archive/{COMMIT}.tar.gz", files=tuple((name.strip(), digest) for digest, name in listed)
        )
        return find(self.name, _holds, archive, HOMEPAGE, self.data)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """As the labels name them: "realKnownCause/nyc_taxi.csv"."""
        return tuple(self._table(LABELS))

    def series(self, file: str) -> Series:
        """One file, every row of it: clocks that stand still or go back are the benchmark's own."""
        if file not in self.files:
            hint = meant(file, self.files)
            raise InputError(f"there is no series {file!r} in NAB{hint}. Expected a name of {self.folder / LABELS}.")
        _, times, values = read_table(self.folder / "data" / file, ("value",), in_order=False)
        return Series(file, ("value",), usual_interval_s(times), times, values)

    def anomalies(self, file: str) -> tuple[tuple[np.datetime64, np.datetime64], ...]:
        """(first time, last time) of each window in which a detection counts; both belong to it."""
        windows = self._table(LABELS).get(file, [])
        try:
            return tuple((_time(first), _time(last)) for first, last in windows)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"{self.folder / LABELS}: the windows of {file} are not pairs of times ({error}). Get it again."
            ) from error

    def profiles(self) -> dict[str, dict[str, float]]:
        """The weights tpWeight, fnWeight, fpWeight and tnWeight of "standard" and the two other profiles."""
        try:
            return {name: profile["CostMatrix"] for name, profile in self._table(PROFILES).items()}
        except (TypeError, KeyError) as error:
            raise InputError(
                f"{self.folder / PROFILES}: a profile has no CostMatrix. Get it again: {HOMEPAGE}"
            ) from error

    def _table(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            table = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path} is not JSON: {error}. Get it again from {HOMEPAGE}") from error
        if not isinstance(table, dict):
            raise InputError(f"{path} holds a {type(table).__name__}, expected an object. Get it again from {HOMEPAGE}")
        return table


def _holds(folder: Path) -> bool:
    return (folder / LABELS).is_file() and (folder / PROFILES).is_file() and (folder / "data").is_dir()


def _time(text: str) -> np.datetime64:
    return np.datetime64(datetime.fromisoformat(text), "s")
