"""C-MAPSS: NASA's simulated turbofan engines, run until they fail; how many cycles has each one left?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data.download import find

HOMEPAGE = (
    "https://www.nasa.gov/intelligent-systems-division/discovery-and-systems-health/pcoe/pcoe-data-set-repository/"
)
SUBSET = "FD001"
FILES = tuple(f"{part}_{SUBSET}.txt" for part in ("train", "test", "RUL"))

CHANNELS = (*(f"setting_{i}" for i in range(1, 4)), *(f"sensor_{i}" for i in range(1, 22)))
COLUMNS = 2 + len(CHANNELS)
"""The number of the engine and of the cycle come first."""


@dataclass(frozen=True)
class Engine:
    """One engine from its first cycle on."""

    number: int
    values: Float32  # (cycles, 24): three settings, 21 sensors
    cycles_left: int
    """After its last row: 0 in training, where every engine runs until it fails."""

    def remaining(self) -> np.ndarray:
        """Cycles left at each row: (cycles,) int64."""
        return self.cycles_left + np.arange(len(self.values) - 1, -1, -1)


@dataclass(frozen=True)
class Cmapss:
    """FD001: one operating condition, one kind of fault; 100 engines to train on and 100 to test.

    >>> len(CHANNELS)
    24
    """

    data: Path | None = None
    """The folder of the data set or one above it; else `TINYRNN_DATA` or the cache folder."""

    @property
    def name(self) -> str:
        """As in published tables."""
        return f"C-MAPSS {SUBSET}"

    @property
    def source(self) -> str:
        """NASA's page."""
        return HOMEPAGE

    @property
    def licence(self) -> str:
        """As NASA publishes it."""
        return "NASA open data"

    def folder(self) -> Path:
        """Where it is on this machine; there is no download, for NASA has moved the file more than once."""
        where = (
            f"{HOMEPAGE} (Turbofan Engine Degradation Simulation, CMAPSSData.zip: unpack {', '.join(FILES)} "
            "into a folder CMAPSS)"
        )
        return find("CMAPSS", lambda folder: all((folder / name).is_file() for name in FILES), None, where, self.data)

    def train(self) -> tuple[Engine, ...]:
        """Engines that ran until they failed."""
        return tuple(Engine(number, values, 0) for number, values in _engines(self.folder() / FILES[0]))

    def test(self) -> tuple[Engine, ...]:
        """Engines that were stopped before, with the true number of cycles left."""
        folder = self.folder()
        engines = _engines(folder / FILES[1])
        left = _numbers(folder / FILES[2], 1)[:, 0]
        if len(left) != len(engines):
            raise InputError(
                f"{folder / FILES[2]} has {len(left)} rows, expected {len(engines)}: one for each engine. Get it again."
            )
        return tuple(
            Engine(number, values, int(cycles)) for (number, values), cycles in zip(engines, left, strict=True)
        )


def _engines(path: Path) -> list[tuple[int, Float32]]:
    rows = _numbers(path, COLUMNS)
    engines = []
    for number in np.unique(rows[:, 0]):
        own = rows[rows[:, 0] == number]
        if (own[:, 1] != np.arange(1, len(own) + 1)).any():
            raise InputError(f"{path}: the cycles of engine {int(number)} are not 1, 2, 3 ... Get the file again.")
        engines.append((int(number), own[:, 2:].astype(np.float32)))
    return engines


def _numbers(path: Path, columns: int) -> np.ndarray:
    """(rows, columns) float64."""
    try:
        rows = [[float(cell) for cell in line.split()] for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:  # what is not UTF-8, too
        raise InputError(f"{path} does not hold numbers alone: {error}. Get the file again from {HOMEPAGE}") from error
    rows = [row for row in rows if row]
    wrong = next((at for at, row in enumerate(rows, 1) if len(row) != columns), None)
    if not rows or wrong:
        found = f"{len(rows[wrong - 1])} columns in row {wrong}" if wrong else "no rows"
        raise InputError(f"{path} has {found}, expected {columns} numbers a row. Get the file again from {HOMEPAGE}")
    table = np.array(rows)
    if not np.isfinite(table).all():
        raise InputError(f"{path} has values that are no finite numbers. Get the file again from {HOMEPAGE}")
    return table
