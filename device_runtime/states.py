"""A session's state in a file: written whole or not at all, and read only by the bundle that it belongs to."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime import npz
from device_runtime.bundle import MODEL, Bundle
from device_runtime.errors import BundleError, InputError
from device_runtime.snapshots import Snapshot

VERSION = 1
KEY = "bundle"
DTYPES: dict[bytes, np.dtype[Any]] = {
    **npz.DTYPES,
    b"<f8": np.dtype("<f8"),
    b"<i8": np.dtype("<i8"),
}


def key(bundle: Bundle, settings: Mapping[str, Any]) -> npt.NDArray[np.int8]:
    """What a state must match: the weights, and the settings of the front end and the decoder in use, (32,)."""
    manifest = bundle.manifest
    told = {"version": VERSION, "model": manifest.files[MODEL]["sha256"], "labels": list(manifest.labels), **settings}
    digest = hashlib.sha256(repr(sorted(_flat(told))).encode()).digest()
    return np.frombuffer(digest, np.int8)


def _flat(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Each number and text with its place, so that the order of keys does not count."""
    if isinstance(value, Mapping):
        return [item for name, inner in value.items() for item in _flat(inner, f"{path}.{name}")]
    if isinstance(value, list | tuple):
        return [item for i, inner in enumerate(value) for item in _flat(inner, f"{path}.{i}")]
    return [(path, repr(float(value) if isinstance(value, int | float) else value))]


def check_place(path: Path) -> None:
    """InputError unless a state can be written there, so that it is said before anything is learned."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"the state {path} is {_kind(path)}. Name a file: it is made if it is not there")
        probe = _temporary(path)
        probe.touch(exist_ok=True)
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"the state {path} cannot be written: {error.strerror or error}. Name a file in a folder that is there and "
            "may be written to"
        ) from error


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


def _kind(path: Path) -> str:
    return "a folder" if path.is_dir() else "no file but a pipe or a device"


def write(path: Path, belongs_to: npt.NDArray[np.int8], arrays: Snapshot) -> None:
    """Store a state; until all of it is on the disk, what was there before stays."""
    temporary = _temporary(path)
    try:
        npz.write(temporary, {KEY: belongs_to, **{name: _two_dimensions(array) for name, array in arrays.items()}})
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # some disks report that they are full only here
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"the state {path} was not written: {error.strerror or error}. Make room or name another file"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _two_dimensions(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    stored = array.astype(array.dtype.newbyteorder("<"))
    assert stored.dtype.str.encode() in DTYPES, array.dtype
    assert stored.ndim <= 2, array.shape
    return stored


def read(path: Path, belongs_to: npt.NDArray[np.int8]) -> Snapshot:
    """The arrays of a state; InputError if it is damaged or of another bundle."""
    try:
        if path.exists() and not path.is_file():  # to open a pipe would wait for who writes to it
            raise InputError(f"the state {path} is {_kind(path)}. Name a file that was saved")
        if path.stat().st_size > npz.MAX_BYTES:
            raise InputError(f"{path} is larger than any saved state. Name another file")
        arrays = npz.read(path.read_bytes(), str(path), DTYPES)
    except OSError as error:
        raise InputError(f"the state {path} cannot be read: {error.strerror or error}. Check the path") from error
    except BundleError:
        raise InputError(
            f"{path} is no saved state, or it is damaged. Move it away to start without it; nothing was changed"
        ) from None
    found = arrays.pop(KEY, np.zeros(0, np.int8))
    if not np.array_equal(found, belongs_to):
        raise InputError(
            f"{path} is the state of another bundle, or of other settings. Move it away to start without it; nothing "
            "was changed"
        )
    return arrays
