"""An average year of Seattle: the temperature of each hour, as the wheel of vega_datasets carries it.

These are NOAA's climate normals, means over thirty years and no readings of one: smooth, and easy to forecast. Good to
try a pipeline on; what a model scores here says nothing about a sensor.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from train.data.series import Series, on_grid, shares
from train.data.table import read_table
from train.data.water_flow import packaged


@dataclass(frozen=True)
class SeattleNormals:
    """Degrees Fahrenheit, 8,760 hours dated 2010; the hour that daylight saving skips is missing.

    >>> SeattleNormals().name
    'seattle_normals'
    """

    @property
    def name(self) -> str:
        """Short."""
        return "seattle_normals"

    @property
    def source(self) -> str:
        """The package that carries it, and where that has it from."""
        return (
            "seattle-temps.csv in the wheel of vega_datasets (https://github.com/altair-viz/vega_datasets), from NOAA"
        )

    @property
    def licence(self) -> str:
        """The data's, then the package's."""
        return "public domain (NOAA); the package is MIT"

    def series(self) -> Series:
        """One channel; the last quarter of the year is the test."""
        times, values = read_table(packaged("vega_datasets", "_data/seattle-temps.csv"), ("date", "temp"))
        series = on_grid(Series(self.name, ("temperature",), 3600.0, times, values))
        return dataclasses.replace(series, splits=shares(len(series)))
