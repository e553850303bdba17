"""The recursion of simple recurrent units in the device's bits and with gradients: `arithmetic.sru` for whole batches.

The state is a Q15 number in units of the largest one that was seen; rounding passes its gradient straight through, and
the table of the sigmoid that of the sigmoid.
"""

from __future__ import annotations

from typing import Any

import torch

from compress.recurrence import look_up_sigmoid, to_q15


def recur_sru(g: torch.Tensor, peephole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The Q15 states of one SRU layer, from zeros, and its outputs before they are rounded to int8.

    `g` (batch, steps, 4 hidden) is what the inputs give; `peephole` is (2, hidden); both results are
    (batch, steps, hidden).
    """
    candidates, forget, reset, passing = g.chunk(4, dim=-1)
    states = _States.apply(candidates, forget, peephole[0])
    before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], dim=1)
    share = _Sigmoid.apply(reset + peephole[1] * before)
    return states, passing + (states - passing) * share


class _States(torch.autograd.Function):
    """c' = q15(x + (c - x) f), f = sigmoid(g + v c): the way back is written out, as that of the GRU is."""

    @staticmethod
    def forward(ctx: Any, candidates: torch.Tensor, gates: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        steps_first = candidates.transpose(0, 1).contiguous(), gates.transpose(0, 1).contiguous()
        c = torch.zeros_like(steps_first[0][0])
        states, forget = [], []
        for candidate, gate in zip(*steps_first, strict=True):
            forget.append(look_up_sigmoid(gate + v * c))
            c = to_q15(candidate + (c - candidate) * forget[-1])
            states.append(c)
        ctx.save_for_backward(steps_first[0], v, torch.stack(states), torch.stack(forget))
        return torch.stack(states, dim=1)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, ...]:
        candidates, v, states, forget = ctx.saved_tensors
        grad = grad.transpose(0, 1).contiguous()
        dcandidates, dgates = torch.empty_like(candidates), torch.empty_like(candidates)
        carried = torch.zeros_like(candidates[0])
        dv = torch.zeros_like(v)
        for step in reversed(range(len(grad))):
            before = states[step - 1] if step else torch.zeros_like(carried)
            total = carried + grad[step]
            kept = total * forget[step]
            dcandidates[step] = total - kept
            dgates[step] = dcandidates[step] * forget[step] * (before - candidates[step])
            dv += (dgates[step] * before).sum(dim=0)
            carried = kept + dgates[step] * v
        return dcandidates.transpose(0, 1), dgates.transpose(0, 1), dv


class _Sigmoid(torch.autograd.Function):
    """From the device's table, with the gradient of the sigmoid."""

    @staticmethod
    def forward(ctx: Any, v: torch.Tensor) -> torch.Tensor:
        share = look_up_sigmoid(v)
        ctx.save_for_backward(share)
        return share

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        (share,) = ctx.saved_tensors
        return grad * share * (1 - share)
