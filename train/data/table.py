"""Readings from a CSV file as a series holds them, by the parser that reads a log on the device."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.csv_source import SensorLog, open_log
from device_runtime.errors import InputError


def read_table(
    path: Path, channels: Sequence[str] | None = None, in_order: bool = True
) -> tuple[tuple[str, ...], np.ndarray, Float32]:
    """Names, times (rows,) datetime64[ms] and values (rows, channels) of the channels asked for, or of all.

    A missing reading is NaN. Times with a zone become UTC; without one they stay as they are. `in_order` refuses times
    that go back or repeat.
    """
    with open_log(path) as stream:
        log = SensorLog(stream, str(path), channels, in_order)
        parts = list(log)
    if not parts:
        raise InputError(f"{path} holds no readings. It may have broken off: get it again.")
    times_s = np.concatenate([part.times_s for part in parts])
    times = np.rint(times_s * 1000).astype(np.int64).astype("datetime64[ms]")
    return log.names, times, np.concatenate([part.values for part in parts])
