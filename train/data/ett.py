"""ETT: load and oil temperature of two power transformers over two years, by the hour or the quarter of an hour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_runtime.errors import InputError
from device_runtime.meant import meant
from train.data.download import Archive, find
from train.data.series import Series, Splits, usual_interval_s
from train.data.table import read_table

HOMEPAGE = "https://github.com/zhouhaoyi/ETDataset"
COMMIT = "1d16c8f4f943005d613b5bc962e9eeb06058cf07"
CHANNELS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
"""High, middle and low load, useful (UF) and useless (UL); OT is the temperature of the oil."""

FILES = {
    "ETTh1": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    "ETTh2": "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
    "ETTm1": "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
    "ETTm2": "db973ca252c6410a30d0469b13d696cf919648d0f3fd588c60f03fdbdbadd1fd",
}
"""The four series and the SHA-256 of their files: transformer 1 or 2, by the hour (h) or by 15 minutes (m)."""

ARCHIVE = Archive(
    f"{HOMEPAGE}/archive/{COMMIT}.tar.gz", files=tuple((f"{name}.csv", digest) for name, digest in FILES.items())
)

MONTH = np.timedelta64(30, "D")
"""The months of every published table; what follows the twentieth is in no split."""


@dataclass(frozen=True)
class Ett:
    """One of the four series, 12 months to train, 4 for validation, 4 for the test.

    >>> Ett("ETTm1").name
    'ETTm1'
    """

    which: str = "ETTh1"
    data: Path | None = None
    """The folder of the data set or one above it; else `TINYRNN_DATA`, the cache folder, or a download."""

    def __post_init__(self) -> None:
        if self.which not in FILES:
            hint = meant(self.which, FILES)
            raise InputError(f"there is no series {self.which!r} in ETT{hint}. It holds: {', '.join(FILES)}.")

    @property
    def name(self) -> str:
        """As in published tables."""
        return self.which

    @property
    def source(self) -> str:
        """The authors' repository, at a commit."""
        return f"{HOMEPAGE}/tree/{COMMIT}"

    @property
    def licence(self) -> str:
        """No altered copy may be passed on."""
        return "CC BY-ND 4.0"

    def path(self) -> Path:
        """The file on this machine."""
        file = f"{self.which}.csv"
        return find("ETT-small", lambda folder: (folder / file).is_file(), ARCHIVE, HOMEPAGE, self.data) / file

    def series(self) -> Series:
        """Seven channels, with the standard splits."""
        path = self.path()
        _, times, values = read_table(path, CHANNELS)
        interval_s = usual_interval_s(times)
        if not (np.diff(times) / np.timedelta64(1, "s") == interval_s).all():
            raise InputError(f"{path}: its clock is not regular, which ETT's is. Get the file again from {HOMEPAGE}.")
        month = int(MONTH / np.timedelta64(1, "s") / interval_s)
        if len(times) < 20 * month:
            raise InputError(f"{path} has {len(times)} rows, expected at least {20 * month}: get it again: {HOMEPAGE}.")
        return Series(self.which, CHANNELS, interval_s, times, values, Splits(12 * month, 16 * month, 20 * month))
