"""FastGRNN: a gate and a candidate that share their matrices (Kusupati et al. 2018, arXiv:1901.02358)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

ZETA_BEGINS, NU_BEGINS = 1.0, -4.0
"""Before their sigmoids, as in the authors' own EdgeML."""


class FastGrnnLayer(nn.Module):
    """The equations are `train.cells.FastGrnn`'s; the state is (1, batch, hidden)."""

    def __init__(self, inputs: int, hidden: int, input_rank: int | None, state_rank: int | None):
        super().__init__()
        self.w = _factors(hidden, inputs, input_rank)
        self.u = _factors(hidden, hidden, state_rank)
        self.bias_gate, self.bias = nn.Parameter(torch.ones(hidden)), nn.Parameter(torch.zeros(hidden))
        self.zeta, self.nu = nn.Parameter(torch.tensor(ZETA_BEGINS)), nn.Parameter(torch.tensor(NU_BEGINS))

    def forward(self, x: torch.Tensor, state: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, steps, inputs) -> (batch, steps, hidden), and the state behind them."""
        seen = x.transpose(0, 1)
        for factor in reversed(self.w):
            seen = seen @ factor.T
        start = seen.new_zeros(seen.shape[1:]) if state is None else state[0]
        scalars = self.zeta.sigmoid(), self.nu.sigmoid()
        h = _Recurrence.apply(seen.contiguous(), _product(self.u), self.bias_gate, self.bias, *scalars, start)
        return h.transpose(0, 1), h[-1:]


def _factors(rows: int, columns: int, rank: int | None) -> nn.ParameterList:
    """A matrix, or two thin ones whose product has the same spread of values."""
    bound = 1 / math.sqrt(rows)
    if rank is None:
        return nn.ParameterList([torch.empty(rows, columns).uniform_(-bound, bound)])
    each = math.sqrt(bound * math.sqrt(3 / rank))  # the product adds up `rank` products of uniform numbers
    return nn.ParameterList([torch.empty(shape).uniform_(-each, each) for shape in ((rows, rank), (rank, columns))])


def _product(factors: nn.ParameterList) -> torch.Tensor:
    whole = factors[0]
    for factor in list(factors)[1:]:
        whole = whole @ factor
    return whole


class _Recurrence(torch.autograd.Function):
    """Backpropagation through time is written out, as in `compress.recurrence`: a third of autograd's time."""

    @staticmethod
    def forward(
        ctx: Any,
        seen: torch.Tensor,  # (steps, batch, hidden)
        u: torch.Tensor,
        bias_gate: torch.Tensor,
        bias: torch.Tensor,
        zeta: torch.Tensor,
        nu: torch.Tensor,
        start: torch.Tensor,
    ) -> torch.Tensor:
        h, states, gates, news = start, torch.empty_like(seen), torch.empty_like(seen), torch.empty_like(seen)
        for step in range(len(seen)):
            both = torch.addmm(seen[step], h, u.T)
            z = torch.add(both, bias_gate, out=gates[step]).sigmoid_()
            n = torch.add(both, bias, out=news[step]).tanh_()
            h = torch.add((zeta * (1 - z) + nu) * n, z * h, out=states[step])
        ctx.save_for_backward(u, zeta, nu, start, states, gates, news)
        return states

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, ...]:
        u, zeta, nu, start, states, z, n = ctx.saved_tensors
        before = torch.cat([start[None], states[:-1]])
        by_new = (zeta * (1 - z) + nu) * (1 - n * n)  # what changes of the two sums do to the state
        by_gate = (before - zeta * n) * z * (1 - z)
        by_both = by_new + by_gate
        total, summed = torch.empty_like(grad), torch.empty_like(grad)
        carried = torch.zeros_like(start)
        for step in reversed(range(len(grad))):
            torch.add(grad[step], carried, out=total[step])
            torch.mul(total[step], by_both[step], out=summed[step])
            carried = torch.addmm(total[step] * z[step], summed[step], u)
        du = summed.flatten(0, 1).T @ before.flatten(0, 1)
        dbias_gate, dbias = (total * by_gate).sum(dim=(0, 1)), (total * by_new).sum(dim=(0, 1))
        return summed, du, dbias_gate, dbias, (total * (1 - z) * n).sum(), (total * n).sum(), carried
