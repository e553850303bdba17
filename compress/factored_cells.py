"""Recurrent layers whose matrices may be products of two thin ones, which are what is trained."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional


class Whole(nn.Module):
    """A matrix as it is, and the bias of its rows."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())

    def product(self) -> torch.Tensor:
        """(rows, columns)."""
        return self.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(.., columns) -> (.., rows)."""
        return functional.linear(x, self.weight, self.bias)


class Factors(nn.Module):
    """A matrix of low rank, outer @ inner, and the bias of its rows."""

    def __init__(self, outer: torch.Tensor, inner: torch.Tensor, bias: torch.Tensor):
        super().__init__()
        self.outer = nn.Parameter(outer.detach().clone())  # (rows, rank)
        self.inner = nn.Parameter(inner.detach().clone())  # (rank, columns)
        self.bias = nn.Parameter(bias.detach().clone())

    @property
    def rank(self) -> int:
        """Values between the two."""
        return self.inner.shape[0]

    def product(self) -> torch.Tensor:
        """(rows, columns)."""
        return self.outer @ self.inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(.., columns) -> (.., rows)."""
        return functional.linear(functional.linear(x, self.inner), self.outer, self.bias)


Matrix = Whole | Factors


class FloatSru(Protocol):
    """A layer of simple recurrent units: f, r = s(W x + v c + b), c' = f c + (1 - f) W x, y = r c' + (1 - r) W x."""

    affine: Any
    """W of candidates, forget gates, reset gates and the inputs that pass by, (4 hidden, columns), and the bias."""

    v: nn.Parameter
    """Of the forget gates, then of the reset gates: (2 hidden,)."""

    def __call__(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, steps, columns) -> outputs (batch, steps, hidden) and the last state."""


class FactoredGru(nn.Module):
    """One GRU layer in the place of an `nn.GRU` with `batch_first`.

    >>> input, state = matrices(nn.GRU(8, 6, batch_first=True))
    >>> FactoredGru(input, state)(torch.zeros(2, 5, 8))[0].shape
    torch.Size([2, 5, 6])
    """

    def __init__(self, input: Matrix, state: Matrix):
        super().__init__()
        self.input, self.state = input, state

    @property
    def all_weights(self) -> list[list[torch.Tensor]]:
        """As `nn.GRU` gives them: the matrices of input and state, then their biases."""
        return [[self.input.product(), self.state.product(), self.input.bias, self.state.bias]]

    def forward(self, x: torch.Tensor, h: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, steps, columns) and a state (1, batch, hidden) -> states (batch, steps, hidden), the last of them."""
        start = x.new_zeros(1, len(x), len(self.state.bias) // 3) if h is None else h
        weights: Any = self.all_weights[0]
        states, last = torch.gru(x, start, weights, True, 1, 0.0, self.training, False, True)
        return states, last


AnyGru = nn.GRU | FactoredGru
Recurrent = AnyGru | FloatSru


def by_gate(gru: AnyGru) -> list[nn.Parameter]:
    """The trained matrices whose rows are those of the gates: of two factors the outer one."""
    if isinstance(gru, FactoredGru):
        return [matrix.outer if isinstance(matrix, Factors) else matrix.weight for matrix in (gru.input, gru.state)]
    return [parameter for parameter in gru.parameters() if parameter.ndim == 2]


def matrices(layer: Recurrent) -> tuple[Matrix, ...]:
    """Those of a GRU's input and state; the one of an SRU."""
    if isinstance(layer, FactoredGru):
        return layer.input, layer.state
    if isinstance(layer, nn.GRU):
        input_weight, state_weight, input_bias, state_bias = layer.all_weights[0]
        return Whole(input_weight, input_bias), Whole(state_weight, state_bias)
    affine = layer.affine
    return (affine if isinstance(affine, Matrix) else Whole(affine.weight, affine.bias),)


def with_matrices(layer: Recurrent, made: Sequence[Matrix]) -> Any:
    """The layer with others in their place."""
    if isinstance(layer, AnyGru):
        return FactoredGru(*made)
    changed: Any = copy.copy(layer)
    changed._modules = {**changed._modules, "affine": made[0]}  # a shallow copy shares the dictionary
    return changed


def met(layer: Recurrent, x: torch.Tensor) -> tuple[tuple[torch.Tensor, ...], torch.Tensor]:
    """What each of the matrices is given while x (batch, steps, columns) passes, and the layer's outputs."""
    outputs, _ = layer(x)
    return ((x, outputs) if isinstance(layer, AnyGru) else (x,)), outputs


def largest_between(layer: Recurrent, inputs: Sequence[torch.Tensor]) -> list[float]:
    """The largest value between the factors of each matrix that has two, for what `met` says they are given."""
    pairs = zip(matrices(layer), inputs, strict=True)
    return [float((given @ made.inner.T).abs().max()) for made, given in pairs if isinstance(made, Factors)]
