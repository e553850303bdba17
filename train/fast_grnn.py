"""FastGRNN: a gate and a candidate that share their matrices (Kusupati et al. 2018, arXiv:1901.02358)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.amp import custom_bwd, custom_fwd

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
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # under autocast, too: small errors would add up in time
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
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, ...]:
        u, zeta, nu, start, states, gates, news = ctx.saved_tensors
        grad = grad.contiguous()  # what follows the layer counts steps second
        summed, carried = torch.empty_like(states), torch.zeros_like(start)
        dbias_gate, dzeta, dnu = torch.zeros_like(start), torch.zeros_like(start), torch.zeros_like(start)
        for step in reversed(range(len(grad))):  # step by step all the way: what a step needs stays in the CPU's cache
            before = states[step - 1] if step else start
            z, n = gates[step], news[step]
            total = carried.add_(grad[step])
            kept, by_new = total * z, total * n
            given = total - kept
            dnu += by_new
            dzeta.addcmul_(given, n)
            dnew = torch.addcmul(given * zeta, total, nu)
            dnew.addcmul_(dnew * n, n, value=-1)  # through tanh: 1 - n^2
            dgate = torch.addcmul(kept * before, zeta * kept, n, value=-1).mul_(1 - z)
            dbias_gate += dgate
            torch.add(dnew, dgate, out=summed[step])
            carried = kept.addmm_(summed[step], u)
        du = summed.flatten(0, 1).T @ torch.cat([start[None], states[:-1]]).flatten(0, 1)
        dbias_gate, both = dbias_gate.sum(dim=0), summed.sum(dim=(0, 1))
        return summed, du, dbias_gate, both - dbias_gate, dzeta.sum(), dnu.sum(), carried
