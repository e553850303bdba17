"""The arrays of a model as one, in few bytes: what lies in model.npz since bundle format 2.

Each array on its own takes 180 bytes of names and headers, deflate looks in vain for repetitions among weights, and
spends three bits on where the blocks are that pruning left. So a matrix is a bit for each block that holds a weight,
then the values of those blocks, coded by their frequency alone; what belongs together in floats is coded together, the
first bytes of all, then the second. Nothing is lost.

The bytes: how long the index is (2 bytes, little endian), then raw deflate streams, one behind the other. First the
index, a line of text for each array: its name, its shape, and how it is stored. Then, for each int8 matrix, which is
stored in blocks of `ROWSxCOLUMNS`, the bits of its blocks row by row (the first in the highest bit of a byte) and the
values of the blocks with a one, block by block and in each row by row; a block may stick out at the right and below.
Then all floats that are stored as `grid`, multiples of 1/4096 in 16 bits: the low bytes, then the high ones. Then those
stored as `float`: the lowest bytes, the next, and so on.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from device_runtime.arithmetic import Float32, Int8
from device_runtime.errors import BundleError
from device_runtime.npz import MAX_BYTES, Array

NAME = "squeezed"
"""Of the one array in model.npz."""

BLOCKS = ((1, 1), (8, 1), (16, 1), (8, 2), (16, 2), (8, 4), (16, 4))
"""Rows x columns, of which the smallest result is taken."""

PER_UNIT = 4096
"""Biases are multiples of 1 / so much, and fit into 16 bits."""

_LINE = re.compile(r"([a-z][a-z0-9_.]{0,60}) ([1-9][0-9]{0,6})(?:x([1-9][0-9]{0,6}))? (?:([0-9]+)x([0-9]+)|grid|float)")
_AGAIN = "Get the bundle again"


def squeeze(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """int8 matrices and float32 arrays as one array of bytes, which `restore` takes apart."""
    lines, streams = [], []
    floats: dict[str, list[Array]] = {"grid": [], "float": []}
    for name, array in arrays.items():
        if array.dtype == np.int8:
            block, stored = min(((block, _blocks(array, block)) for block in BLOCKS), key=lambda form: len(form[1]))
            streams.append(stored)
            how = f"{block[0]}x{block[1]}"
        else:
            steps = np.clip(array * np.float32(PER_UNIT), -(2**15), 2**15 - 1).astype("<i2")
            back = steps.astype(np.float32) * np.float32(1 / PER_UNIT)
            how = "grid" if back.tobytes() == array.astype("<f4").tobytes() else "float"
            floats[how].append(steps if how == "grid" else array.astype("<f4"))
        lines.append(f"{name} {'x'.join(map(str, array.shape))} {how}")
    index = "\n".join(lines).encode()
    for parts in floats.values():
        if parts:
            together = np.concatenate([part.reshape(-1) for part in parts])
            streams += [_deflate(plane.tobytes()) for plane in together.view(np.uint8).reshape(len(together), -1).T]
    return {NAME: np.frombuffer(len(index).to_bytes(2, "little") + _deflate(index) + b"".join(streams), np.int8)}


def restore(arrays: Mapping[str, Array], where: str) -> dict[str, Array]:
    """The arrays by name, of a file that may come from anyone; those of format 1 are left as they are."""
    if set(arrays) != {NAME} or arrays[NAME].dtype != np.int8:
        return dict(arrays)
    packed = _Packed(arrays[NAME].tobytes(), where)
    entries = packed.index()
    made: dict[str, Array] = {entry.name: packed.matrix(entry) for entry in entries if entry.block != (0, 0)}
    for how, dtype in (("grid", np.dtype("<i2")), ("float", np.dtype("<f4"))):
        made |= packed.floats([entry for entry in entries if entry.how == how], dtype)
    packed.check_the_end()
    return {entry.name: made[entry.name] for entry in entries}


def _blocks(weight: Int8, block: tuple[int, int]) -> bytes:
    """Which blocks hold a weight, then their values."""
    high, wide = block
    rows, columns = weight.shape
    padded = np.pad(weight, ((0, -rows % high), (0, -columns % wide)))
    blocks = padded.reshape(padded.shape[0] // high, high, -1, wide).swapaxes(1, 2)
    kept = blocks.any(axis=(2, 3))
    return _deflate(np.packbits(kept).tobytes()) + _deflate(blocks[kept].tobytes())


def _deflate(data: bytes) -> bytes:
    """By frequency alone, or with repetitions where that is shorter; no bytes for none."""
    forms = []
    for strategy in (zlib.Z_HUFFMAN_ONLY, zlib.Z_DEFAULT_STRATEGY):
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15, 9, strategy)
        forms.append(deflater.compress(data) + deflater.flush())
    return min(forms, key=len) if data else b""


@dataclass(frozen=True)
class _Entry:
    """One line of the index."""

    name: str
    shape: tuple[int, ...]
    block: tuple[int, int]
    """Of an int8 matrix; (0, 0): an array of floats."""

    how: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """What it takes when it is taken apart, blocks that stick out and all."""
        if self.block == (0, 0):
            return 4 * self.size
        return math.prod(-(-length // part) * part for length, part in zip(self.shape, self.block, strict=True))


class _Packed:
    """Takes one stream after the other; a size is checked before memory is taken for it."""

    def __init__(self, data: bytes, where: str) -> None:
        self._left, self._where = data, where

    def index(self) -> list[_Entry]:
        size = int.from_bytes(self._left[:2], "little")
        self._left = self._left[2:]
        entries: dict[str, _Entry] = {}
        for line in self._take(size, "its index").decode("latin-1").split("\n"):
            found = _LINE.fullmatch(line)
            entry = _entry(found) if found else None
            if entry is None or entry.name in entries:
                raise BundleError(f"{self._where}: its index has a line that makes no array: {line[:80]!r}. {_AGAIN}")
            entries[entry.name] = entry
        total = sum(entry.bytes for entry in entries.values())
        if total > MAX_BYTES:
            raise BundleError(
                f"{self._where}: its arrays would take {total} bytes; this runtime takes at most {MAX_BYTES}. {_AGAIN}"
            )
        return list(entries.values())

    def matrix(self, entry: _Entry) -> Int8:
        (rows, columns), (high, wide) = entry.shape, entry.block
        down, across = -(-rows // high), -(-columns // wide)
        bits = np.frombuffer(self._take((down * across + 7) // 8, entry.name), np.uint8)
        kept = np.unpackbits(bits, count=down * across).astype(bool).reshape(down, across)
        blocks = np.zeros((down, across, high, wide), np.int8)
        values = np.frombuffer(self._take(int(kept.sum()) * high * wide, entry.name), np.int8)
        blocks[kept] = values.reshape(-1, high, wide)
        whole = blocks.swapaxes(1, 2).reshape(down * high, across * wide)
        return np.ascontiguousarray(whole[:rows, :columns])

    def floats(self, entries: list[_Entry], dtype: np.dtype[np.generic]) -> dict[str, Float32]:
        count = sum(entry.size for entry in entries)
        planes = [np.frombuffer(self._take(count, "its floats"), np.uint8) for _ in range(dtype.itemsize)]
        together = np.ascontiguousarray(np.stack(planes, axis=1)).view(dtype).reshape(-1).astype(np.float32)
        if dtype.kind == "i":
            together *= np.float32(1 / PER_UNIT)
        ends = np.cumsum([0, *(entry.size for entry in entries)])
        return {e.name: together[at : at + e.size].reshape(e.shape) for e, at in zip(entries, ends, strict=False)}

    def check_the_end(self) -> None:
        if self._left:
            raise BundleError(f"{self._where} has {len(self._left)} bytes behind its arrays. {_AGAIN}")

    def _take(self, size: int, what: str) -> bytes:
        """The next stream, which must hold so many bytes."""
        if size == 0:
            return b""
        inflater = zlib.decompressobj(-15)
        try:
            data = inflater.decompress(self._left, size)
            longer = inflater.decompress(inflater.unconsumed_tail, 1)
        except zlib.error:
            data, longer = b"", b""
        if len(data) != size or longer or not inflater.eof:
            raise BundleError(f"{self._where} is damaged: {what} must unpack to {size} bytes. {_AGAIN}")
        self._left = inflater.unused_data
        return data


def _entry(found: re.Match[str]) -> _Entry | None:
    """None where the shape is not one that is stored so."""
    name, rows, columns, high, wide = found.groups()
    shape = (int(rows),) if columns is None else (int(rows), int(columns))
    block = (0, 0) if high is None else (int(high), int(wide))
    if high is not None and (len(shape) != 2 or block not in BLOCKS):
        return None
    return _Entry(name, shape, block, found[0].rpartition(" ")[2])
