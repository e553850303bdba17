"""Arrays in a .npz file that may come from anyone: nothing is unpickled, and sizes are checked before memory is taken.

Only what a bundle needs is accepted: int8 and float32 arrays of at most two dimensions, stored or deflated.
`numpy.load` reads the same files.
"""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime.errors import BundleError

Array = npt.NDArray[Any]

MAX_BYTES = 64 * 2**20
"""All arrays of a file together, unpacked. The largest bundle so far needs 1 % of it."""

MAX_DIRECTORY_BYTES = 64 * 2**10
"""The zip directory: room for several hundred arrays, not for the millions that would fill a board's memory."""

DTYPES: dict[bytes, np.dtype[Any]] = {b"|i1": np.dtype(np.int8), b"<f4": np.dtype("<f4")}
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(rb"\{'descr': '([!-&(-~]*)', 'fortran_order': (False|True), 'shape': \(([0-9, ]*)\), \} *\n")
"""What NumPy writes before an array; its own reader evaluates this text as Python and accepts far more."""

_END_OF_DIRECTORY = struct.Struct("<4s4x2x2xIIH")  # signature, size of the directory, its offset, length of a comment
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, IndexError, RuntimeError)
"""What zipfile and NumPy raise for damaged bytes (NotImplementedError and RecursionError are RuntimeErrors)."""


def write(path: Path, arrays: Mapping[str, Array]) -> None:
    """Store arrays as small as deflate makes them; the same arrays always give the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")  # dated 1980, so that the bytes do not depend on the clock
            member.compress_type = zipfile.ZIP_DEFLATED
            orders = (_npy(array), _npy(np.asfortranarray(array)))  # zeros pruned in columns deflate better by column
            archive.writestr(member, min(orders, key=lambda npy: len(zlib.compress(npy, 9))), compresslevel=9)


def _npy(array: Array) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def read(data: bytes, where: str, dtypes: Mapping[bytes, np.dtype[Any]] = DTYPES) -> dict[str, Array]:
    """The arrays of a .npz file; `where` is its path, for messages. Of other types than these none is read."""
    _check_directory(data, where)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > MAX_BYTES:
                raise BundleError(
                    f"{where} unpacks to {total} bytes; this runtime takes at most {MAX_BYTES}. "
                    "It does not look like a model: get the bundle again"
                )
            return {m.filename.removesuffix(".npy"): _read_member(archive, m, where, dtypes) for m in members}
    except _DAMAGED as error:
        raise BundleError(f"{where} is damaged ({_one_line(error)}). Get the bundle again") from None


def _check_directory(data: bytes, where: str) -> None:
    """Look at the end of the zip file before `zipfile` builds an object for each of its members."""
    tail = data[-_END_OF_DIRECTORY.size :]
    if len(tail) < _END_OF_DIRECTORY.size or not tail.startswith(b"PK\5\6"):
        raise BundleError(f"{where} is not an .npz file, or it was cut short. Get the bundle again")
    _, size, _, _ = _END_OF_DIRECTORY.unpack(tail)
    is_zip64 = data[-42:].startswith(b"PK\6\7")  # would move the directory elsewhere; no model needs more than 4 GiB
    if is_zip64 or size > MAX_DIRECTORY_BYTES:
        raise BundleError(f"{where} lists more arrays than any model has. Get the bundle again")


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str, dtypes: Mapping[bytes, np.dtype[Any]]
) -> Array:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"{where}: {member.filename} must be stored or deflated, not compressed in another way")
    with archive.open(member) as file:
        start = file.read(10)
        header = _HEADER.fullmatch(file.read(int.from_bytes(start[8:], "little")))
        if start[:8] != _MAGIC or header is None:
            raise BundleError(f"{where}: {member.filename} is not a plain array in version 1.0 of the .npy format")
        descr, is_fortran, sizes = header.groups()
        if descr not in dtypes:
            known = " and ".join(f"{dtype} ({code.decode()})" for code, dtype in dtypes.items())
            raise BundleError(
                f"{where}: {member.filename} holds values of type {descr.decode()}; only {known} are read, and nothing "
                "is unpickled"
            )
        dtype = dtypes[descr]
        shape = tuple(int(size) for size in sizes.split(b",") if size.strip())
        if len(shape) > 2 or math.prod(shape) * dtype.itemsize > member.file_size:
            raise BundleError(f"{where}: {member.filename} has the shape {shape}, but only {member.file_size} bytes")
        values = np.frombuffer(file.read(), dtype)
    return np.ascontiguousarray(values.reshape(shape, order="F" if is_fortran == b"True" else "C"))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
