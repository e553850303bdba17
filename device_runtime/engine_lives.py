"""The files of C-MAPSS as an evaluation takes them: each engine's readings, cycle by cycle, and the cycles it had left.

Two text files of numbers between spaces, as NASA publishes them: `test_FD001.txt` has an engine, a cycle, three
settings and 21 sensors a row; `RUL_FD001.txt` has one number an engine. They may come from anyone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError

COLUMNS = ("unit", "cycle", *(f"setting_{i}" for i in range(1, 4)), *(f"sensor_{i}" for i in range(1, 22)))
MAX_BYTES = 64 * 2**20
"""Of one file; the largest that NASA publishes has 10."""

LARGEST = 1e30
"""Of a reading: below what a float32 holds."""


@dataclass(frozen=True)
class Life:
    """One engine from its first cycle on."""

    unit: int
    readings: Float32  # (cycles, channels)
    left: float
    """Cycles that it had left after its last row."""


def read_lives(folder: Path, subset: str, channels: tuple[str, ...]) -> list[Life]:
    """The test engines of a subset such as FD001, with these of COLUMNS as channels."""
    unknown = [name for name in channels if name not in COLUMNS[2:]]
    if unknown:
        raise InputError(
            f"the bundle reads {unknown[0]!r}, which C-MAPSS does not have; its columns: {COLUMNS[2]} ... {COLUMNS[-1]}"
        )
    path, truth = folder / f"test_{subset}.txt", folder / f"RUL_{subset}.txt"
    rows = _numbers(path, len(COLUMNS))
    left = _numbers(truth, 1)[:, 0]
    if (left < 0).any():
        raise InputError(f"{truth} has an engine with {left.min():g} cycles left; at least 0 were expected")
    starts = np.flatnonzero(np.diff(rows[:, 0], prepend=-np.inf))
    if len(starts) != len(left):
        raise InputError(f"{truth} has {len(left)} rows, but {path} has {len(starts)} engines. They must be as many")
    wanted = [COLUMNS.index(name) for name in channels]
    lives = []
    for number, part, cycles in zip(range(1, len(left) + 1), np.split(rows, starts[1:]), left, strict=True):
        if (part[:, 0] != number).any() or (part[:, 1] != np.arange(1, len(part) + 1)).any():
            raise InputError(
                f"{path}: engine {number} must follow engine {number - 1} and have the cycles 1, 2, 3 ...; some row of "
                "it does not"
            )
        lives.append(Life(number, part[:, wanted].astype(np.float32), float(cycles)))
    return lives


def _numbers(path: Path, columns: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(rows, columns) of a text file."""
    if not path.is_file():
        raise InputError(f"there is no {path}. Name the folder into which you unpacked NASA's CMAPSSData.zip")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES} bytes, so it is no file of C-MAPSS")
    rows: list[list[float]] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != columns:
            raise InputError(f"{path} line {number} has {len(cells)} numbers, expected {columns}")
        rows.append([_number(cell, path, number) for cell in cells])
    if not rows:
        raise InputError(f"{path} has no rows. It may have broken off: get it again")
    return np.array(rows)


def _number(cell: bytes, path: Path, line: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise InputError(f"{path} line {line}: {cell[:20]!r} is no number") from None
    if not abs(value) <= LARGEST:
        raise InputError(f"{path} line {line}: {value} is no reading; finite numbers up to {LARGEST:g} were expected")
    return value
