"""What the native engine has to do in one step of a model, counted from the weights as it stores them.

`tests/boards/step_costs.py` counts how many instructions each kind of work takes on a board; the sum is what a step
takes there. Nothing is counted by parameters: zeros are skipped, or not, as the engine itself decides (`spread.c`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from device_runtime import codecs
from device_runtime.arithmetic import Dense, Gru, Model, Sru
from device_runtime.products import Affine, Product

ROWS = codecs.DENSE_ROWS


@dataclass(frozen=True)
class Spread:
    """When zeros do not pay, and a kernel makes a sparse matrix dense: what it costs in tenths of a dense tile."""

    low: tuple[int, int]
    """A tile of 8 rows, and a block of 8 rows."""

    high: tuple[int, int]
    """A tile of 16 rows, and a block of 16 rows."""

    alone: int
    """Each column that is looked up alone."""


KERNELS = {
    "neon": Spread((13, 10), (12, 5), 1),
    "sdot": Spread((15, 10), (13, 5), 2),
    "portable": Spread((12, 5), (12, 5), 0),
}
"""As kernel_neon.c, kernel_sdot.c and kernel_portable.c say."""

LOOKED_UP_AT_ONCE = 256
"""Columns of which NEON looks up many at a time, in tables of 64."""

KINDS = (
    "features", "products", "dense tiles", "dense blocks", "low tiles", "low blocks", "high tiles",
    "high blocks", "lookups", "lookups in tables", "lookups alone", "long lookups", "codes", "outputs",
    "units", "simple units", "scores",
)  # fmt: skip
"""Everything that is counted; "low" are tiles of 8 rows and "high" of 16, "units" those of GRUs, and "simple
units" are simple recurrent ones."""


def work(model: Model, rule: Spread) -> Counter[str]:
    """How much of each kind one step does."""
    done: Counter[str] = Counter({"features": model.feature_size})
    size = model.feature_size
    for layer in model.layers:
        match layer:
            case Dense():
                windows = layer.windows(size)
                for kind, count in _product(layer.affine, rule).items():
                    done[kind] += windows * count
                done["outputs"] += windows * layer.affine.rows
                size = layer.outputs(size)
            case Gru():
                done += _product(layer.input, rule) + _product(layer.state, rule)
                done["units"] += layer.hidden
                size = layer.hidden
            case Sru():
                done += _product(layer.input, rule)
                done["simple units"] += layer.hidden
                size = layer.hidden
    done += _product(model.head, rule)
    done["scores"] += model.head.rows
    return done


def _product(product: Product, rule: Spread) -> Counter[str]:
    """A product with a matrix, or with two: what lies between them is rounded as a dense layer's outputs are."""
    done: Counter[str] = Counter()
    for factor in product.factors:
        done += _matrix(factor, rule)
    done["outputs"] += sum(factor.rows for factor in product.factors[:-1])
    return done


def _matrix(affine: Affine, rule: Spread) -> Counter[str]:
    """A product with one matrix as the engine stores it."""
    stored = codecs.smallest(affine.weight)
    blocks = -(-stored.rows // ROWS)
    dense = blocks * -(-stored.columns // (codecs.TILE // ROWS))
    coded = stored.codebook is not None
    if not stored.sparse_rows:
        return Counter({"products": 1, "dense tiles": dense, "dense blocks": blocks, "codes": dense * coded})
    high = stored.sparse_rows
    tiles, rows = stored.tile_count, -(-stored.rows // high)
    lookups = tiles * (codecs.TILE // high // stored.block_columns)
    if tiles == rows * -(-stored.columns // (codecs.TILE // high)):  # all columns are there, in their order
        lookups = 0
    at_once = stored.columns <= LOOKED_UP_AT_ONCE
    short = stored.columns <= 256 * stored.block_columns  # indices of one byte
    of_tile, of_block = rule.low if high < ROWS else rule.high
    alone = lookups * rule.alone * (not short)
    if (of_tile if lookups else 10) * tiles + of_block * rows + alone > 10 * dense:
        return Counter({"products": 1, "dense tiles": dense, "dense blocks": blocks})  # spread out when it is opened
    size = "low" if high < ROWS else "high"
    return Counter(
        {
            "products": 1,
            f"{size} tiles": tiles,
            f"{size} blocks": rows,
            "lookups": lookups,
            "lookups in tables": lookups * -(-stored.columns // 64) * at_once,
            "lookups alone": lookups * (not at_once and short),
            "long lookups": lookups * (not short),
            "codes": tiles * coded,
        }
    )
