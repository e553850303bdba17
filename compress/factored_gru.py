"""A GRU whose matrices may be products of two thin ones, which are what is trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Whole(nn.Module):
    """A matrix as it is, and the bias of its rows."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor):
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())
        self.bias = nn.Parameter(bias.detach().clone())

    def product(self) -> torch.Tensor:
        """(rows, columns)."""
        return self.weight


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


Matrix = Whole | Factors


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

    def largest_between(self, x: torch.Tensor) -> list[float]:
        """The largest value between the factors of each matrix that has two, input first, while x passes."""
        seen = ((self.input, x), (self.state, self(x)[0]))
        return [float((v @ matrix.inner.T).abs().max()) for matrix, v in seen if isinstance(matrix, Factors)]


def by_gate(gru: nn.GRU | FactoredGru) -> list[nn.Parameter]:
    """The trained matrices whose rows are those of the gates: of two factors the outer one."""
    if isinstance(gru, FactoredGru):
        return [matrix.outer if isinstance(matrix, Factors) else matrix.weight for matrix in (gru.input, gru.state)]
    return [parameter for parameter in gru.parameters() if parameter.ndim == 2]


def matrices(gru: nn.GRU | FactoredGru) -> tuple[Matrix, Matrix]:
    """Those of input and state."""
    if isinstance(gru, FactoredGru):
        return gru.input, gru.state
    input_weight, state_weight, input_bias, state_bias = gru.all_weights[0]
    return Whole(input_weight, input_bias), Whole(state_weight, state_bias)
