"""Reads the published series, whose layout is known: a header line, a time, and numbers with decimal points.

A user's own log may look like anything: `own_csv` reads that.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError


def read_table(path: Path, header: tuple[str, ...]) -> tuple[np.ndarray, Float32]:
    """(times datetime64[s], values (rows, columns behind the first)) of a file with exactly this header.

    An empty cell is a missing reading: NaN. Times with a zone become UTC; without one they stay as they are.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _rows(path, csv.reader(file), header)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a text file: {error}. Expected the header {','.join(header)}.") from error


def _rows(path: Path, rows: Iterator[list[str]], header: tuple[str, ...]) -> tuple[np.ndarray, Float32]:
    found = tuple(next(rows, []))
    if found != header:
        raise InputError(f"{path} begins with {','.join(found)[:80]!r}, expected the header {','.join(header)}.")
    times, values = [], []
    for line, row in enumerate(rows, 2):
        if not row:
            continue
        if len(row) != len(header):
            raise InputError(f"{path} line {line} has {len(row)} columns, expected {len(header)}.")
        times.append(_time(row[0], path, line))
        values.append([_number(cell, path, line) for cell in row[1:]])
    if not times:
        raise InputError(f"{path} has a header and no readings. It may have broken off: get it again.")
    return np.array(times, "datetime64[s]"), np.array(values, np.float32)


def _time(cell: str, path: Path, line: int) -> datetime:
    try:
        time = datetime.fromisoformat(cell.strip().replace("/", "-"))
    except ValueError as error:
        raise InputError(f"{path} line {line}: {cell!r} is no time, expected one like 2016-07-01 00:00:00.") from error
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def _number(cell: str, path: Path, line: int) -> float:
    if not cell.strip():
        return math.nan
    try:
        value = float(cell)
    except ValueError as error:
        raise InputError(f"{path} line {line}: {cell!r} is no number, expected one with a decimal point.") from error
    if math.isinf(value):
        raise InputError(f"{path} line {line}: a reading is infinite. Leave the cell empty where nothing was measured.")
    return value
