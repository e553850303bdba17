"""How int8 weights are stored for the native engine: dense or block-sparse, in 8 or in 4 bits, never with loss.

The engine computes on this very form; `native/file.c` says how it lies in the file.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Int8

TILE = 64
"""Values in a tile of any form."""

DENSE_ROWS = 16
BLOCKS = tuple((rows, columns) for rows in (16, 8) for columns in (4, 2, 1))
"""Of a sparse matrix: rows of a tile, and columns that one index stands for. Of two that take the same bytes the higher
and the wider one is faster."""

CODES = 16

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Stored:
    """One matrix as bytes."""

    rows: int
    columns: int
    tiles: Bytes
    tile_count: int
    sparse_rows: int = 0
    """Of a tile; 0: dense."""

    block_columns: int = 0
    tile_counts: npt.NDArray[np.uint16] | None = None  # (blocks of sparse_rows rows,)
    indices: npt.NDArray[np.uint8 | np.uint16] | None = None  # (tile_count * columns of a tile / block_columns,)
    codebook: Int8 | None = None  # (16,) for 4 bits
    steps: Bytes | None = None  # (rows,), None where all are 1

    @property
    def size_bytes(self) -> int:
        """Of its sections."""
        parts = (self.tiles, self.tile_counts, self.indices, self.steps)
        return sum(part.nbytes for part in parts if part is not None)


def smallest(weight: Int8) -> Stored:
    """The form that takes the fewest bytes; of two that take the same, dense and 8 bits, which are faster."""
    forms = [dense(weight), *(sparse(weight, block) for block in BLOCKS)]
    coded = _codes(weight)
    if coded is not None:
        forms += [in_4_bits(form, *coded) for form in (dense(coded[0]), *(sparse(coded[0], b) for b in BLOCKS))]
    return min(forms, key=lambda form: form.size_bytes)


def dense(weight: Int8) -> Stored:
    """Tiles of 16 rows x 4 columns."""
    tiles = _tiles(weight, DENSE_ROWS, TILE // DENSE_ROWS)  # (row blocks, groups, 16, 4)
    rows, columns = weight.shape
    return Stored(rows, columns, tiles.reshape(-1).view(np.uint8), tiles.shape[0] * tiles.shape[1])


def sparse(weight: Int8, block: tuple[int, int]) -> Stored:
    """Tiles as high as a block, out of the blocks of rows x columns that hold a weight."""
    high, wide = block
    blocks = _tiles(weight, high, wide)  # (row blocks, column blocks, high, wide)
    per_tile = TILE // high // wide
    tiles, indices, counts = [], [], []
    for row in blocks:
        at = np.flatnonzero(row.any(axis=(1, 2)))
        missing = -len(at) % per_tile
        kept = np.concatenate([row[at], np.zeros((missing, *row.shape[1:]), np.int8)])
        together = kept.reshape(-1, per_tile, high, wide).swapaxes(1, 2)
        tiles.append(together.reshape(-1))
        indices.append(np.concatenate([at, np.zeros(missing, np.intp)]))
        counts.append(len(kept) // per_tile)
    dtype = np.uint8 if blocks.shape[1] <= 256 else np.uint16
    return Stored(
        weight.shape[0],
        weight.shape[1],
        np.concatenate(tiles).view(np.uint8),
        sum(counts),
        high,
        wide,
        np.array(counts, np.uint16),
        np.concatenate(indices).astype(dtype),
    )


def in_4_bits(form: Stored, quotients: Int8, codebook: Int8, steps: Bytes) -> Stored:
    """A form of the quotients as places in the codebook; `steps` times the codebook are the weights."""
    place = np.zeros(256, np.uint8)
    place[codebook.view(np.uint8)[::-1]] = np.arange(len(codebook), dtype=np.uint8)[::-1]  # the first place of a value
    codes = place[form.tiles].reshape(-1, 2, TILE // 2)
    return replace(
        form,
        tiles=(codes[:, 0] | codes[:, 1] << 4).astype(np.uint8).reshape(-1),
        codebook=codebook,
        steps=None if np.all(steps == 1) else steps,
    )


def _codes(weight: Int8) -> tuple[Int8, Int8, Bytes] | None:
    """Quotients of at most 16 values, those values, and the step of each row; None where there are more values."""
    steps = np.array([functools.reduce(np.gcd, np.abs(row.astype(np.int32))) for row in weight]).clip(1)
    for by_row in (np.ones_like(steps), steps):
        quotients = (weight // by_row[:, None]).astype(np.int8)
        values = np.unique(np.append(quotients, np.int8(0)))  # a tile may be filled up with zeros
        if len(values) <= CODES:
            codebook = np.concatenate([values, np.zeros(CODES - len(values), np.int8)])
            largest = int(np.abs(codebook.astype(np.int32)).max()) * int(by_row.max())
            if largest <= 128:  # what the engine takes
                return quotients, codebook, by_row.astype(np.uint8)
    return None


def _tiles(weight: Int8, high: int, wide: int) -> Int8:
    """Cut into tiles, filled up with zeros: (row blocks, column blocks, high, wide)."""
    rows, columns = weight.shape
    padded = np.pad(weight, ((0, -rows % high), (0, -columns % wide)))
    tiles = padded.reshape(padded.shape[0] // high, high, -1, wide).swapaxes(1, 2)
    return np.ascontiguousarray(tiles)
