"""Weights are stored in the fewest bytes without loss, and read back as they were."""

from __future__ import annotations

import numpy as np
import pytest

from device_runtime import codecs, flat
from models import tiny_model
from sparse_models import on_grid, powers_of_two, with_own_steps, with_weights, without_blocks


def matrix(rows=96, columns=64, seed=0):
    return np.random.default_rng(seed).integers(-127, 128, (rows, columns)).astype(np.int8)


def unpacked(stored):
    """The weights out of their bytes, as file.c tells it."""
    high = stored.sparse_rows or codecs.DENSE_ROWS
    tiles = stored.tiles
    if stored.codebook is not None:
        halves = tiles.reshape(-1, codecs.TILE // 2)
        tiles = stored.codebook[np.concatenate([halves & 15, halves >> 4], axis=1)]
    tiles = tiles.reshape(-1, high, codecs.TILE // high).view(np.int8).astype(np.int32)
    weight = np.zeros((stored.rows + 16, stored.columns + 4), np.int32)
    if stored.tile_counts is None:
        across = -(-stored.columns // 4)
        for i, tile in enumerate(tiles):
            row, column = i // across * 16, i % across * 4
            weight[row : row + 16, column : column + 4] += tile
    else:
        blocks = np.repeat(np.arange(len(stored.tile_counts)), stored.tile_counts)
        per_tile = codecs.TILE // high // stored.block_columns
        for block, tile, at in zip(blocks, tiles, stored.indices.reshape(-1, per_tile), strict=True):
            columns = (at[:, None].astype(int) * stored.block_columns + np.arange(stored.block_columns)).reshape(-1)
            for column, values in zip(columns, tile.T, strict=True):
                weight[block * high : (block + 1) * high, column] += values
    assert not weight[stored.rows :].any()
    assert not weight[:, stored.columns :].any()
    steps = 1 if stored.steps is None else stored.steps[:, None].astype(np.int32)
    return weight[: stored.rows, : stored.columns] * steps


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17, 9), (96, 64), (24, 1024), (130, 31)])
@pytest.mark.parametrize(
    "change",
    [
        *(without_blocks(share, (8, wide)) for share in (0, 0.3, 0.9, 1) for wide in (1, 2, 4)),
        *(without_blocks(0.7, (16, wide)) for wide in (1, 2, 4)),
        *(on_grid(18), with_own_steps, powers_of_two, lambda weight: np.full_like(weight, -128)),
        lambda weight: without_blocks(0.8)(with_own_steps(weight)),
    ],
)
def test_every_form_gives_the_weights_back(shape, change):
    weight = change(matrix(*shape))
    for stored in (codecs.smallest(weight), codecs.dense(weight), *(codecs.sparse(weight, b) for b in codecs.BLOCKS)):
        assert np.array_equal(unpacked(stored), weight)


@pytest.mark.parametrize(
    ("change", "block", "bits"),
    [
        (without_blocks(0), (0, 0), 8),
        *((without_blocks(0.75, block), block, 8) for block in codecs.BLOCKS),
        (on_grid(18), (0, 0), 4),
        (with_own_steps, (0, 0), 4),
        (powers_of_two, (0, 0), 4),
        (lambda weight: on_grid(18)(without_blocks(0.75)(weight)), (8, 2), 4),
    ],
)
def test_the_form_fits_the_weights(change, block, bits):
    stored = codecs.smallest(change(matrix()))
    assert (stored.sparse_rows, stored.block_columns) == block
    assert (stored.codebook is None) == (bits == 8)


def test_a_product_of_codebook_and_step_beyond_int8_is_stored_in_8_bits():
    weight = np.array([[2, 4] * 8, [127, 0] * 8], np.int8)
    weight[0, :] = np.arange(-16, 16, 2)
    stored = codecs.smallest(weight)
    assert np.array_equal(unpacked(stored), weight)


def test_zeros_and_coarse_grids_shrink_the_file():
    model = tiny_model(0, (("gru", 128),), 40, 12)
    whole = len(flat.to_bytes(model))
    assert len(flat.to_bytes(with_weights(model, without_blocks(0.75)))) < whole / 2
    assert len(flat.to_bytes(with_weights(model, on_grid(18)))) < whole * 0.6
    assert len(flat.to_bytes(with_weights(model, lambda w: on_grid(18)(without_blocks(0.75)(w))))) < whole / 4


def test_a_dense_file_is_little_more_than_its_weights():
    model = tiny_model(0, (("gru", 128),), 40, 16)
    weights = 3 * 128 * (128 + 40) + 16 * 128 + 8 * (3 * 128 * 2 + 16)
    assert len(flat.to_bytes(model)) < weights + 512


def test_the_same_model_gives_the_same_file():
    assert flat.to_bytes(tiny_model(3)) == flat.to_bytes(tiny_model(3))
