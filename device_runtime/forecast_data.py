"""A CSV file as an evaluation of forecasts takes it: on the bundle's grid, and cut into train, validation and test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.csv_source import read_log
from device_runtime.decoders import Sensors
from device_runtime.errors import BundleError, InputError
from device_runtime.grid import Grid, Rows, Skip
from device_runtime.session import Session
from device_runtime.times import span

DAY_S = 86_400
ETT = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
ETT_MONTHS = (12, 16, 20)
"""Of 30 days: training, validation and test end there in every published table."""

SHARES = (0.6, 0.2, 0.2)
"""Of training, validation and test, where the bundle's card does not say `split_shares`."""

MAX_ROWS = 20_000_000


def on_grid(path: Path, sensors: Sensors) -> Float32:
    """The readings of a file, one row every interval of the bundle, NaN where nothing was read."""
    readings = read_log(path, sensors.names).readings
    return gridded(str(path), readings.times_s, readings.values, sensors.interval_s)


def gridded(name: str, times_s: npt.NDArray[np.float64], values: Float32, interval_s: float) -> Float32:
    """Readings (n,) and (n, channels) as rows of a grid that begins with the first of them."""
    channels = values.shape[1]
    grid = Grid(interval_s, channels)
    parts: list[Float32] = []
    total = 0
    for item in [*grid.push(times_s, values), *grid.finish()]:
        rows = item.rows if isinstance(item, Skip) else len(item.values) if isinstance(item, Rows) else 0
        total += rows
        if total > MAX_ROWS:
            raise InputError(
                f"{name} spans more than {MAX_ROWS} intervals of {span(interval_s)}. Leave out the gap in it"
            )
        if isinstance(item, Rows):
            parts.append(item.values)
        elif isinstance(item, Skip):
            parts.append(np.full((rows, channels), np.nan, np.float32))
    return np.concatenate(parts)


def span_of(split: str, path: Path, rows: Float32, session: Session) -> tuple[int, int]:
    """First row of the split, and the one behind its last."""
    month = round(30 * DAY_S / session.sensors.interval_s)
    if session.sensors.names == ETT and path.stem.startswith("ETT") and len(rows) >= ETT_MONTHS[-1] * month:
        ends = [months * month for months in ETT_MONTHS]
    else:
        shares = session.bundle.manifest.card.get("split_shares", list(SHARES))
        ends = _ends(shares, len(rows), session)
    bounds = {"train": (0, ends[0]), "validation": (ends[0], ends[1]), "test": (ends[1], ends[2])}
    return bounds.get(split, (0, len(rows)))


def _ends(shares: Any, rows: int, session: Session) -> list[int]:
    numbers = isinstance(shares, list) and len(shares) == 3 and all(isinstance(s, int | float) for s in shares)
    if not numbers or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise BundleError(
            f"the card of {session.bundle.manifest.name} must have three shares that add up to 1 as split_shares. "
            "Get the bundle again"
        )
    return [round(rows * shares[0]), round(rows * (shares[0] + shares[1])), rows]
