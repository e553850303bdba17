"""The Numenta Anomaly Benchmark as it lies on disk: data/CATEGORY/NAME.csv and labels/combined_windows.json."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.errors import InputError
from device_runtime.nab_score import Labelled

HOME = "https://github.com/numenta/NAB"
WINDOWS = "labels/combined_windows.json"
PUBLISHED = "results/final_results.json"


@dataclass(frozen=True)
class NabFile:
    """One series with its labelled windows."""

    name: str
    """CATEGORY/NAME.csv."""

    times: npt.NDArray[np.datetime64]
    """Of each row, in seconds; some files repeat or skip a few."""

    values: npt.NDArray[np.float64]
    labelled: Labelled

    @property
    def category(self) -> str:
        """The folder: realTraffic, realTweets, ..."""
        return self.name.split("/")[0]


def is_nab(folder: Path | str) -> bool:
    """Whether this is a copy of the benchmark."""
    return (Path(folder) / WINDOWS).is_file()


def read_nab(folder: Path | str) -> list[NabFile]:
    """All series that the benchmark has labels for, in the order of their names."""
    folder = Path(folder)
    if not is_nab(folder):
        raise InputError(
            f"{folder} is not a copy of the Numenta Anomaly Benchmark: it has no {WINDOWS}. Get one from {HOME}"
        )
    windows = json.loads((folder / WINDOWS).read_text())
    return [_read(folder / "data" / name, name, windows[name]) for name in sorted(windows)]


def read_published(folder: Path | str) -> dict[str, Any]:
    """The scores of other detectors that come with the benchmark, by detector and profile; none if they do not."""
    path = Path(folder) / PUBLISHED
    if not path.is_file():
        return {}
    published: dict[str, dict[str, float]] = json.loads(path.read_text())
    return {name: {profile: round(score, 2) for profile, score in of.items()} for name, of in published.items()}


def _read(path: Path, name: str, windows: Sequence[Sequence[str]]) -> NabFile:
    if not path.is_file():
        raise InputError(f"{path} is missing, though it has labels. Get the benchmark again from {HOME}")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        times = np.array([row["timestamp"] for row in rows], "datetime64[s]")
        values = np.array([row["value"] for row in rows], np.float64)
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path} must have the columns timestamp and value, a time and a number in each row ({error}). "
            f"Get the benchmark again from {HOME}"
        ) from None
    # of a repeated time the benchmark means the first row
    spans = [tuple(int(np.argmax(times == np.datetime64(time, "s"))) for time in window) for window in windows]
    return NabFile(name, times, values, Labelled(len(rows), [(first, last) for first, last in spans]))
