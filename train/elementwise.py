"""Cells whose units do not hear each other: SRU and minGRU. All products of matrices come before the recursion.

What is left for each step is c' = f c + (1 - f) x with f = s(g + v c), elementwise. Its way back is written out: a
step is a few products of vectors, and autograd's bookkeeping would cost more than they do.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.amp import custom_bwd, custom_fwd


def gated(
    candidates: torch.Tensor, gates: torch.Tensor, v: torch.Tensor, start: torch.Tensor | None = None
) -> torch.Tensor:
    """The states c' = f c + (1 - f) candidate, f = sigmoid(gate + v c), from `start` (batch, hidden) or zeros.

    (steps, batch, hidden) twice and (hidden,) -> (steps, batch, hidden)
    """
    return _Gated.apply(candidates, gates, v, torch.zeros_like(candidates[0]) if start is None else start)


class _Gated(torch.autograd.Function):
    @staticmethod
    @custom_fwd(device_type="cpu", cast_inputs=torch.float32)  # under autocast, too: small errors would add up in time
    def forward(
        ctx: Any, candidates: torch.Tensor, gates: torch.Tensor, v: torch.Tensor, start: torch.Tensor
    ) -> torch.Tensor:
        states, forget = (torch.empty(candidates.shape, dtype=gates.dtype) for _ in range(2))
        c = start
        for step in range(len(candidates)):
            torch.addcmul(gates[step], v, c, out=forget[step]).sigmoid_()
            c = torch.lerp(candidates[step], c, forget[step], out=states[step])
        ctx.save_for_backward(candidates, v, start, states, forget)
        return states

    @staticmethod
    @custom_bwd(device_type="cpu")
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, ...]:
        candidates, v, start, states, forget = ctx.saved_tensors
        dcandidates, dgates = torch.empty_like(forget), torch.empty_like(forget)
        dv, carried = torch.zeros_like(start), torch.zeros_like(start)
        grad = grad.contiguous()  # what follows the layer counts steps second
        for step in reversed(range(len(grad))):  # step by step all the way: what a step needs stays in the CPU's cache
            before = states[step - 1] if step else start
            total = carried.add_(grad[step])
            kept = total * forget[step]
            torch.sub(total, kept, out=dcandidates[step])
            by_gate = dcandidates[step] * forget[step]
            dgate = torch.mul(by_gate, before - candidates[step], out=dgates[step])
            dv.addcmul_(dgate, before)
            carried = kept.addcmul_(dgate, v)
        return dcandidates, dgates, dv.sum(dim=0), carried


def remembering(units: int, memory: int) -> torch.Tensor:
    """Biases of forget gates with which units remember from 1 to `memory` steps: (units,)."""
    return torch.log(torch.empty(units).uniform_(1, max(memory - 1, 1) + 1e-3))


class SruLayer(nn.Module):
    """The equations are `train.cells.Sru`'s; the state is c, (1, batch, hidden)."""

    def __init__(self, inputs: int, hidden: int, memory: int):
        super().__init__()
        self.affine = nn.Linear(inputs, 4 * hidden)
        self.v = nn.Parameter(torch.empty(2 * hidden).uniform_(-1, 1) / math.sqrt(hidden))
        with torch.no_grad():
            self.affine.bias.zero_()
            self.affine.bias[hidden : 2 * hidden] = remembering(hidden, memory)

    def forward(self, x: torch.Tensor, state: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, steps, inputs) -> (batch, steps, hidden), and the state behind them."""
        candidates, forget, reset, passing = self.affine(x.transpose(0, 1)).chunk(4, dim=-1)
        of_forget, of_reset = self.v.chunk(2)
        c = gated(candidates, forget, of_forget, None if state is None else state[0])
        start = torch.zeros_like(c[:1]) if state is None else state
        r = torch.sigmoid(reset + of_reset * torch.cat([start, c[:-1]]))
        y = torch.lerp(passing.to(c.dtype), c, r)
        return y.transpose(0, 1), c[-1:]


class MinGruLayer(nn.Module):
    """The equations are `train.cells.MinGru`'s; the state is (1, batch, hidden)."""

    def __init__(self, inputs: int, hidden: int, memory: int):
        super().__init__()
        self.affine = nn.Linear(inputs, 2 * hidden)
        with torch.no_grad():
            self.affine.bias[hidden:] = remembering(hidden, memory)

    def forward(self, x: torch.Tensor, state: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, steps, inputs) -> (batch, steps, hidden), and the state behind them."""
        candidates, keep = self.affine(x.transpose(0, 1)).chunk(2, dim=-1)  # keep: 1 - z before its sigmoid
        alone = torch.zeros_like(keep[0, 0])  # a unit's gate does not hear its state
        h = gated(torch.tanh(candidates), keep, alone, None if state is None else state[0])
        return h.transpose(0, 1), h[-1:]
