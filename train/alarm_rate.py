"""The threshold of an anomaly detector from how often it may speak on ordinary data: no labelled anomaly is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device_runtime.decoders.alarms import fires
from device_runtime.errors import InputError
from device_runtime.nab_score import probation_rows

A_WEEK = 2_016
"""Readings every five minutes in a week: one alarm in so many is what a person puts up with."""

THRESHOLDS = np.round(np.arange(4, 60, 0.05), 2)


def threshold_for_rate(surprises: Sequence[np.ndarray], quiet: int, readings_an_alarm: float = A_WEEK) -> float:
    """The lowest threshold from which on there is at most one alarm in so many readings, of all these series together.

    Each is (readings,): the surprises of a series from its start, of which the first 15 % are for learning.
    """
    begins = [probation_rows(len(series)) for series in surprises]
    readings = sum(len(series) for series in surprises) - sum(begins)
    chosen = None
    for threshold in reversed(THRESHOLDS.tolist()):
        told = zip(surprises, begins, strict=True)
        alarms = sum(int((fires(series, threshold, quiet) >= begin).sum()) for series, begin in told)
        if alarms * readings_an_alarm > readings:
            break
        chosen = threshold
    if chosen is None or readings < readings_an_alarm:
        raise InputError(
            f"{readings} readings do not tell a threshold for one alarm in {readings_an_alarm:g}. Give it more of them"
        )
    return float(chosen)
