"""Recurrent matrices become products of two thin ones, by the singular values that matter to what they are given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import torch
from torch import nn

from compress.deployed import refuse_other_cells
from compress.factored_cells import Factors, Matrix, matrices, met, with_matrices
from compress.int8_layers import FloatLayers, dense_outputs
from compress.method import Workbench
from compress.prune import hold_zeros
from compress.ranks import Rank

DULLEST = 1e-4
"""Directions of the inputs that vary less than this share of the mean count as if they did: their covariance must be
inverted."""


@dataclass(frozen=True)
class LowRank:
    """Truncate the singular values of each recurrent matrix, then train the factors on for some epochs (0: not at all).

    What is kept is what changes the products most: min ||(W - U V^T) C^(1/2)|| with the covariance C of the matrix's
    inputs in calibration (Yuan et al. 2023, ASVD, arXiv:2312.05821; Wang et al. 2024, SVD-LLM, arXiv:2403.07378). The
    bias takes over what the dropped part makes of the inputs' mean. A matrix whose factors would be no smaller stays
    whole. Factors have no zeros where the matrix had: prune them, not the matrix.
    """

    rank: Rank
    epochs: int
    learning_rate: float = 2e-3
    data_aware: bool = True
    """False truncates W itself, as if its inputs all varied alike."""

    name: str = "low-rank"

    def apply(self, student: nn.Module, bench: Workbench) -> nn.Module:
        """Factor in place, then train on."""
        refuse_other_cells(student)
        layers = cast(FloatLayers, student)
        grus = cast(nn.ModuleList, layers.grus)
        with torch.no_grad():
            for at, inputs in enumerate(_met(layers, bench.calibration)):
                made = list(matrices(layers.grus[at]))
                for which, given in enumerate(inputs):
                    made[which] = self._factored(made[which], given, _Trial(student, bench, grus, at, made, which))
                grus[at] = with_matrices(layers.grus[at], made)
        if self.epochs:
            zeros = hold_zeros(student)
            bench.tune(student, self.epochs, self.learning_rate, self.name, zeros, settings=repr(self))
        return student

    def _factored(self, matrix: Matrix, inputs: torch.Tensor, trial: _Trial) -> Matrix:
        svd = truncatable(matrix, inputs if self.data_aware else None)
        rows, columns = matrix.product().shape
        most = (rows * columns - 1) // (rows + columns)
        rank = self.rank.choose(svd.singular, most, lambda tried: trial.lost(svd.cut(tried)))
        return svd.cut(rank) if rank <= most else matrix


@dataclass(frozen=True)
class Truncatable:
    """A matrix as its singular values and directions, that of the inputs in their own units."""

    matrix: Matrix
    left: torch.Tensor  # (rows, rank)
    singular: torch.Tensor  # (rank,)
    right: torch.Tensor  # (rank, columns)
    mean: torch.Tensor  # (columns,) of the inputs

    def cut(self, rank: int) -> Factors:
        """The factors of this rank, as large as one another, and the bias that goes with them."""
        root = self.singular[:rank].sqrt()
        outer, inner = self.left[:, :rank] * root, root[:, None] * self.right[:rank]
        dropped = self.matrix.product().double() - outer @ inner
        bias = self.matrix.bias.double() + dropped @ self.mean
        return Factors(outer.float(), inner.float(), bias.float())


def truncatable(matrix: Matrix, inputs: torch.Tensor | None) -> Truncatable:
    """Singular values by how much they change the products with these inputs (.., columns); None: with any alike."""
    weight = matrix.product().double()
    if inputs is None:
        left, singular, right = torch.linalg.svd(weight, full_matrices=False)
        return Truncatable(matrix, left, singular, right, weight.new_zeros(weight.shape[1]))
    flat = inputs.flatten(0, -2).double()
    variances, directions = torch.linalg.eigh(torch.cov(flat.T, correction=0).reshape(2 * flat.shape[1:]))
    spread = variances.clamp(min=max(DULLEST * float(variances.mean()), 1e-12)).sqrt()
    left, singular, right = torch.linalg.svd(weight @ (directions * spread), full_matrices=False)
    return Truncatable(matrix, left, singular, right @ (directions / spread).T, flat.mean(dim=0))


@dataclass(frozen=True)
class _Trial:
    """One matrix of one layer in the student, to be replaced for a moment."""

    student: nn.Module
    bench: Workbench
    grus: nn.ModuleList
    at: int
    made: list[Matrix]
    which: int

    @cached_property
    def before(self) -> float:
        """The value with the matrix as it is."""
        return self._value(self.made[self.which])

    def lost(self, factors: Factors) -> float:
        """The share of the validation value that the factors cost."""
        return (self.before - self._value(factors)) / max(abs(self.before), 1e-12)

    def _value(self, matrix: Matrix) -> float:
        tried = list(self.made)
        tried[self.which] = matrix
        own: Any = self.grus[self.at]
        self.grus[self.at] = with_matrices(own, tried)
        value = self.bench.value(self.student)
        self.grus[self.at] = own
        return value


def _met(model: FloatLayers, frames: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
    """What the matrices of each recurrent layer are given: (clips, steps, columns) each."""
    x, everything = dense_outputs(model, frames)[-1], []
    for layer in model.grus:
        inputs, x = met(layer, x)
        everything.append(inputs)
    return everything
