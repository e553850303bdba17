"""What a part of a session remembers, as arrays by name, and how it is taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from device_runtime.errors import InputError

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


def taken(
    arrays: Mapping[str, npt.NDArray[Any]], name: str, dtype: type, shape: tuple[int | None, ...]
) -> npt.NDArray[Any]:
    """A copy of one array of a snapshot, of this type and shape; None is any size.

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
    return array.copy()


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
