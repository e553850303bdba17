"""Logs of sensors as text, and what is read from them, for tests of CSV."""

import io

import numpy as np
import pytest

from device_runtime.csv_source import SensorLog
from device_runtime.errors import InputError

MIDNIGHT = 1_467_331_200.0  # 2016-07-01


def log_of(text, channels=None, in_order=False):
    content = text if isinstance(text, bytes) else text.encode()
    return SensorLog(io.BufferedReader(io.BytesIO(content)), "log.csv", channels, in_order)


def told(text, channels=None, in_order=False):
    """Times from midnight, values."""
    log = log_of(text, channels, in_order)
    parts = list(log)
    times = np.concatenate([part.times_s for part in parts]) - MIDNIGHT
    return times.tolist(), np.concatenate([part.values for part in parts]).tolist(), log


def refused(text, channels=None, in_order=False):
    with pytest.raises(InputError) as error:
        list(log_of(text, channels, in_order))
    assert "\n" not in str(error.value)
    return str(error.value)
