"""Masks of whole blocks: which of a matrix, or of all matrices together, are worth least and become zero."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

Block = tuple[int, int]
"""Rows and columns."""

FLOOR = 0.1
"""Where all matrices compete, each keeps at least this part of the share that the model keeps: none dies out."""


def block_mask(weight: torch.Tensor, block: Block, sparsity: float) -> torch.Tensor:
    """0 for the given share of blocks with the smallest norms, 1 elsewhere: (rows, columns).

    Blocks at the edges may be smaller; they compete by their mean square.

    >>> block_mask(torch.tensor([[1.0, 1.0, 5.0, 5.0]]), (1, 2), 0.5)
    tensor([[0., 0., 1., 1.]])
    """
    return worth_mask(weight.detach() ** 2, block, sparsity)


def worth_mask(worth: torch.Tensor, block: Block, sparsity: float) -> torch.Tensor:
    """0 for the given share of blocks whose weights are worth least on average, 1 elsewhere: (rows, columns)."""
    strength = _strength(worth, block)
    keep = torch.ones(strength.numel())
    keep[strength.flatten().argsort()[: int(sparsity * strength.numel())]] = 0
    return _spread(keep.view_as(strength), block, worth)


def worth_masks(worths: Sequence[torch.Tensor], block: Block, sparsity: float) -> list[torch.Tensor]:
    """The same where the blocks of all matrices compete with one another: masks of (rows, columns) each.

    The best blocks of each matrix are safe: `FLOOR` of the share that is kept overall, and one at least.

    >>> worth_masks([torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.tensor([[5.0, 6.0, 7.0, 8.0]])], (1, 1), 0.5)
    [tensor([[0., 0., 0., 1.]]), tensor([[0., 1., 1., 1.]])]
    """
    strengths = [_strength(worth, block) for worth in worths]
    ranked = []
    for strength in strengths:
        flat = strength.flatten().clone()
        safe = max(1, math.ceil(FLOOR * (1 - sparsity) * flat.numel()))
        flat[flat.argsort(descending=True)[:safe]] = math.inf
        ranked.append(flat)
    together = torch.cat(ranked)
    weakest = together.argsort()[: int(sparsity * together.numel())]
    keep = torch.ones(together.numel())
    keep[weakest] = 0
    keep[together == math.inf] = 1
    parts = keep.split([strength.numel() for strength in strengths])
    return [
        _spread(part.view_as(strength), block, worth)
        for part, strength, worth in zip(parts, strengths, worths, strict=True)
    ]


def _strength(worth: torch.Tensor, block: Block) -> torch.Tensor:
    """The mean in each block: (rows of blocks, columns of blocks).

    What is zero already (-inf) counts as worth nothing, and a block of such weights alone goes first.
    """
    rows, columns = worth.shape
    high, wide = block
    edges = (0, -columns % wide, 0, -rows % high)

    def per_block(x: torch.Tensor) -> torch.Tensor:
        return functional.pad(x, edges).unfold(0, high, high).unfold(1, wide, wide).sum(dim=(2, 3))

    gone = worth == -math.inf
    strength = per_block(worth.masked_fill(gone, 0.0)) / per_block(torch.ones_like(worth))
    return strength.masked_fill(per_block((~gone).to(worth.dtype)) == 0, -math.inf)


def _spread(kept: torch.Tensor, block: Block, like: torch.Tensor) -> torch.Tensor:
    """A value for each block as one for each weight."""
    rows, columns = like.shape
    high, wide = block
    return kept.repeat_interleave(high, 0).repeat_interleave(wide, 1)[:rows, :columns]
