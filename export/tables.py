"""The upper half of a non-linearity's table: the lower half mirrors it, so only this one is written to a file."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def upper_half(q15: npt.NDArray[np.int16]) -> tuple[int, npt.NDArray[np.int16]]:
    """The entry at 0, and how far entry i lies above it for i = 0 .. half - 1.

    Entry -i lies as far below. The lowest entry, -half, equals entry -(half - 1): both functions are flat out there.

    >>> upper_half(np.array([-7, -7, -5, 0, 5, 7], np.int16))
    (0, array([0, 5, 7], dtype=int16))
    """
    half = len(q15) // 2
    middle = int(q15[half])
    return middle, (q15[half:].astype(np.int32) - middle).astype(np.int16)
