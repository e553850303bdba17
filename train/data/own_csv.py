"""A user's own sensors: any CSV file with a column of times and columns of numbers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from train.data.series import Series, on_grid, shares, usual_interval_s
from train.data.table import read_table


@dataclass(frozen=True)
class OwnCsv:
    """A log as it comes from a logger or a spreadsheet: any separator, decimal commas, zones, gaps, several sensors.

    >>> OwnCsv(Path("greenhouse.csv")).name
    'greenhouse'
    """

    path: Path
    channels: tuple[str, ...] | None = None
    """The columns to learn; None for every column of numbers."""

    interval_s: float | None = None
    """Of the grid that the readings are put on, where they come at any time; None for the usual step between them."""

    @property
    def name(self) -> str:
        """The file's, without its suffix."""
        return self.path.stem

    @property
    def source(self) -> str:
        """The file's name alone: where it lies is nobody's business."""
        return self.path.name

    @property
    def licence(self) -> str:
        """Under which terms."""
        return "the user's own"

    def series(self) -> Series:
        """On a regular grid with NaN where nothing was measured: 60 % to train, 20 % for validation, 20 % to test."""
        names, times, values = read_table(self.path, self.channels)
        interval_s = self.interval_s or usual_interval_s(times)
        series = on_grid(Series(self.name, names, interval_s, times, values))
        return dataclasses.replace(series, splits=shares(len(series)))
