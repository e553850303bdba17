"""Several arrays as one, row after row, none of them read before its rows are asked for.

Feature sets are files that NumPy maps into memory: joined by copying they would all have to be in memory at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


class Rows:
    """Arrays of equal shape but for the first dimension, one behind the other: what is indexed is copied.

    >>> Rows([np.array([1, 2]), np.array([3, 4, 5])])[[0, 3]]
    array([1, 4])
    >>> Rows([np.array([1, 2]), np.array([3, 4, 5])])[::2]
    array([1, 3, 5])
    """

    def __init__(self, arrays: Sequence[npt.NDArray[Any]]):
        self._arrays = tuple(arrays)
        self._ends = np.cumsum([len(array) for array in arrays])
        self.shape = (len(self), *arrays[0].shape[1:])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, which: Any) -> npt.NDArray[Any]:
        """Rows by a slice, a mask or indices, in their order; further dimensions as in NumPy."""
        rows, *rest = which if isinstance(which, tuple) else (which,)
        at = np.arange(len(self))[rows]  # refuses what NumPy refuses
        wanted = np.atleast_1d(at)
        out = np.empty((len(wanted), *self.shape[1:]), self._arrays[0].dtype)
        starts = [0, *self._ends]
        for array, start, end in zip(self._arrays, starts, self._ends, strict=False):
            here = (wanted >= start) & (wanted < end)
            out[here] = array[wanted[here] - start]
        found = out if np.ndim(at) else out[0]
        return found[(slice(None),) * np.ndim(at) + tuple(rest)] if rest else found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """All of them in memory."""
        return np.concatenate(self._arrays).astype(dtype or self._arrays[0].dtype, copy=False)
