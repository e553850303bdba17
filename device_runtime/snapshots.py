"""What a part of a session remembers, as arrays by name, and how it is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from device_runtime.errors import InputError
from device_runtime.times import EARLIEST_S, LATEST_S

Snapshot = dict[str, npt.NDArray[Any]]
"""float64, float32, int64 or int8 arrays of at most two dimensions."""


class Remembering(Protocol):
    """A part of a session that remembers something."""

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        ...

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot; InputError, and nothing changed, if it is not one of this part."""
        ...


LARGEST = 2**53
"""No count is larger: all are exact as float64, too."""

LARGEST_FLOAT64 = 1e80
"""Sums of squares of the largest float32 stay below it."""


def taken(
    arrays: Mapping[str, npt.NDArray[Any]],
    name: str,
    dtype: type,
    shape: tuple[int | None, ...],
    hashes: bool = False,
) -> npt.NDArray[Any]:
    """A copy of one array of a snapshot, of this type and shape; None is any size. NaN and infinity are for the caller.

    Counts are at most `LARGEST`, unless they are `hashes`.

    >>> taken({"count": np.array([3])}, "count", np.int64, (1,)).tolist()
    [3]
    """
    array = arrays.get(name)
    fits = (
        array is not None
        and array.dtype == dtype
        and array.ndim == len(shape)
        and all(want in (None, have) for have, want in zip(array.shape, shape, strict=True))
    )
    if array is None or not fits:
        got = "nothing" if array is None else f"{array.dtype} {array.shape}"
        wanted = str(tuple("any" if size is None else size for size in shape)).replace("'", "")
        raise InputError(
            f"the saved state has {got} as {name}, expected {np.dtype(dtype)} {wanted}. "
            "It is of another bundle or version: start without it"
        )
    largest = {np.dtype(np.float64): LARGEST_FLOAT64, np.dtype(np.int64): LARGEST}.get(array.dtype, np.inf)
    if not hashes and _beyond(array, largest):
        raise InputError(f"the saved state has {_widest(array)} as {name}: it is damaged. Start without it")
    return array.copy()


def taken_times(
    arrays: Mapping[str, npt.NDArray[Any]], name: str, shape: tuple[int | None, ...]
) -> npt.NDArray[np.float64]:
    """The same for seconds since 1970, of years that a calendar has; NaN and infinity are for the caller."""
    array = taken(arrays, name, np.float64, shape)
    finite = array[np.isfinite(array)]
    if bool(((finite < EARLIEST_S) | (finite > LATEST_S)).any()):
        raise InputError(
            f"the saved state has the time {_widest(finite):g} s as {name}: it is damaged. Start without it"
        )
    return array


def _beyond(array: npt.NDArray[Any], largest: float) -> bool:
    """Whether a finite number is beyond plus or minus the largest."""
    finite = array[np.isfinite(array)]
    return bool(finite.size and largest < np.inf and ((finite > largest) | (finite < -largest)).any())


def _widest(array: npt.NDArray[Any]) -> Any:
    finite = array[np.isfinite(array)].ravel()
    return finite[np.argmax(np.abs(finite.astype(np.float64)))]


def under(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Snapshot:
    """The arrays with `prefix.` before their names.

    >>> under("decoder", {"steps": np.array([3])})
    {'decoder.steps': array([3])}
    """
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


def below(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> Snapshot:
    """Of the arrays, those with `prefix.` before their names, without it."""
    start = f"{prefix}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
