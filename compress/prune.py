"""Blocks of weights are set to zero, little by little, while the student trains on and heals."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from compress.method import Workbench
from device_runtime.errors import InputError


@dataclass(frozen=True)
class Prune:
    """Zero blocks by magnitude: none at first, `sparsity` of each matrix at the end of the ramp.

    The ramp is cubic (Zhu & Gupta 2017, arXiv:1710.01878) over the first `ramp` of the training; the rest heals. A
    block is rows x columns: whole blocks are what an engine can skip and a bundle need not store.
    """

    sparsity: float
    epochs: int
    block: tuple[int, int] = (8, 2)
    ramp: float = 0.6
    learning_rate: float = 4e-3
    smallest: int = 2048
    """Matrices with fewer weights stay dense: the first convolution and the head are worth their bytes."""

    name: str = "pruned"

    def __post_init__(self) -> None:
        if not (0 <= self.sparsity < 1 and 0 < self.ramp <= 1 and min(self.block) >= 1):
            raise InputError(
                f"pruning got sparsity {self.sparsity}, ramp {self.ramp} and blocks of {self.block}: sparsity is a "
                "share from 0 to below 1, ramp one above 0 and up to 1, and a block has at least 1 row and 1 column."
            )

    def apply(self, student: nn.Module, bench: Workbench) -> nn.Module:
        """Prune in place while training on."""
        head = set(getattr(student, "head", nn.Identity()).parameters())
        large = [matrix for matrix in _matrices(student) if matrix.numel() >= self.smallest]
        weights = [matrix for matrix in large if matrix not in head]

        def mask(done: float) -> None:
            left = 1.0 - min(done / self.ramp, 1.0)
            sparsity = self.sparsity * (1.0 - left**3)
            with torch.no_grad():
                for weight in weights:
                    weight.mul_(block_mask(weight, self.block, sparsity))

        bench.tune(student, self.epochs, self.learning_rate, self.name, mask, self.ramp, repr(self))
        return student


def block_mask(weight: torch.Tensor, block: tuple[int, int], sparsity: float) -> torch.Tensor:
    """0 for the given share of blocks with the smallest norms, 1 elsewhere: (rows, columns).

    Blocks at the edges may be smaller; they compete by their mean square.

    >>> block_mask(torch.tensor([[1.0, 1.0, 5.0, 5.0]]), (1, 2), 0.5)
    tensor([[0., 0., 1., 1.]])
    """
    rows, columns = weight.shape
    high, wide = block
    padded = functional.pad(weight.detach() ** 2, (0, -columns % wide, 0, -rows % high))
    counted = functional.pad(torch.ones_like(weight), (0, -columns % wide, 0, -rows % high))

    def per_block(x: torch.Tensor) -> torch.Tensor:
        return x.unfold(0, high, high).unfold(1, wide, wide).sum(dim=(2, 3))

    strength = per_block(padded) / per_block(counted)
    zeros = int(sparsity * strength.numel())
    keep = torch.ones(strength.numel())
    keep[strength.flatten().argsort()[:zeros]] = 0
    return keep.view_as(strength).repeat_interleave(high, 0).repeat_interleave(wide, 1)[:rows, :columns]


def keep_zeros(model: nn.Module) -> list[tuple[nn.Parameter, torch.Tensor]]:
    """Each weight matrix with the mask of its non-zeros: multiply after each step, and pruned stays pruned."""
    return [(p, (p != 0).to(p.dtype)) for p in _matrices(model) if bool((p == 0).any())]


def _matrices(model: nn.Module) -> list[nn.Parameter]:
    """The weight matrices; a forecaster's positions only look like one: each row is what the GRU adds as it is."""
    positions = getattr(model, "positions", None)
    return [p for p in model.parameters() if p.ndim == 2 and p is not positions]
