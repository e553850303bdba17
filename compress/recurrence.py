"""What recurs, in the device's bits and with gradients: the quantizer of the frames, a GRU layer, decoding steps.

The tables of sigmoid and tanh pass the gradients of the functions that they tabulate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from compress.rows import round_half_up
from device_runtime import fixed_point
from device_runtime.fixed_point import INT8_MAX, STATE_COPY_SCALE, STATE_SCALE

_SIGMOID = torch.from_numpy(fixed_point.SIGMOID_Q15.astype(np.float32)) / STATE_SCALE
_TANH = torch.from_numpy(fixed_point.TANH_Q15.astype(np.float32)) / STATE_SCALE


def quantize_frames(frames: torch.Tensor, gain: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """int8 frames (held in float32) and the quantizer's error after each: the recursion over time of one frame's."""
    with torch.no_grad():
        error = torch.zeros_like(frames[:, 0])
        rounded, errors = [], []
        for step in range(frames.shape[1]):
            wanted = frames[:, step] * gain + error
            whole = torch.floor(wanted + 0.5)
            error = wanted - whole
            rounded.append(whole.clamp(-INT8_MAX, INT8_MAX))
            errors.append(error)
        return torch.stack(rounded, dim=1), torch.stack(errors, dim=1)


def quantize_state(h: torch.Tensor) -> torch.Tensor:
    """The int8 copy of a Q15 state (held in float32)."""
    return round_half_up(h * STATE_COPY_SCALE).clamp(-INT8_MAX, INT8_MAX)


def _look_up(table: torch.Tensor, v: torch.Tensor, per_unit: int, half: int) -> torch.Tensor:
    at = (v * per_unit).add_(0.5).floor_().clamp_(-half, half - 1).int().add_(half)
    return table.index_select(0, at.view(-1)).view(v.shape)  # three times as fast as indexing


def to_q15(v: torch.Tensor) -> torch.Tensor:
    """The nearest states that the device can hold."""
    return torch.floor(v * STATE_SCALE + 0.5).clamp(1 - STATE_SCALE, STATE_SCALE - 1) * (1 / STATE_SCALE)


def look_up_sigmoid(v: torch.Tensor) -> torch.Tensor:
    """Sigmoid from the table, on the Q15 grid."""
    return _look_up(_SIGMOID, v, fixed_point.SIGMOID_PER_UNIT, fixed_point.SIGMOID_HALF)


def _gates(gx: torch.Tensor, gh: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """arithmetic.gates: the next states (.., hidden), the gates r and z (.., 2 hidden) and n (.., hidden)."""
    hidden = h.shape[-1]
    rz = look_up_sigmoid(gx[..., : 2 * hidden] + gh[..., : 2 * hidden])
    r, z = rz[..., :hidden], rz[..., hidden:]
    n = _look_up(
        _TANH, gx[..., 2 * hidden :] + r * gh[..., 2 * hidden :], fixed_point.TANH_PER_UNIT, fixed_point.TANH_HALF
    )
    return to_q15(n + z * (h - n)), rz, n


def _gates_backward(
    grad: torch.Tensor, h: torch.Tensor, ghn: torch.Tensor, rz: torch.Tensor, n: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of gx and gh, (.., 3 hidden) each; that of h is grad * z, besides what comes through gh."""
    r, z = rz[..., : n.shape[-1]], rz[..., n.shape[-1] :]
    dn = grad * (1 - z) * (1 - n * n)
    dz = grad * (h - n) * z * (1 - z)
    dr = dn * ghn * r * (1 - r)
    return torch.cat([dr, dz, dn], dim=-1), torch.cat([dr, dz, dn * r], dim=-1)


def recur(gx: torch.Tensor, *parts: torch.Tensor) -> torch.Tensor:
    """The Q15 states of one GRU layer, from zeros: (batch, steps, 3 hidden) -> (batch, steps, hidden).

    `gx` is the inputs' share of the gates; the others are the parts of the recurrent `Rows`, or `FactoredRows`.
    """
    return _Recurrence.apply(gx, *parts)


def decode(positions: torch.Tensor, gh: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """One step from each state for each position: (positions, 3 hidden) -> Q15 states (batch, positions, hidden).

    `gh` (batch, 3 hidden) is the share of the gates of the state `h` (batch, hidden).
    """
    return _Decoding.apply(positions, gh, h)


class _Recurrence(torch.autograd.Function):
    """Backpropagation through time is written out: 1.5 to 1.8 times cheaper than autograd's graph of small pieces."""

    @staticmethod
    def forward(ctx: Any, gx: torch.Tensor, *parts: torch.Tensor) -> torch.Tensor:
        *inner, weight, scale, bias = parts
        batch, steps, wide = gx.shape
        hidden = wide // 3
        h = gx.new_zeros(batch, hidden)
        kept: list[list[torch.Tensor]] = [[], [], [], [], []]
        between = []
        for step in range(steps):
            hq = torch.floor(h * STATE_COPY_SCALE + 0.5).clamp(-INT8_MAX, INT8_MAX)
            q = hq
            if inner:
                between.append(_between(hq, *inner))
                q = between[-1].clamp(-INT8_MAX, INT8_MAX)
            gh = (q @ weight.T) * scale + bias
            h, rz, n = _gates(gx[:, step], gh, h)
            for list_, value in zip(kept, (h, hq, rz, n, gh[:, 2 * hidden :]), strict=True):
                list_.append(value)
        hs = torch.stack(kept[0], dim=1)
        if inner:
            kept.append(between)
        ctx.save_for_backward(hs, *parts, *(torch.stack(list_, dim=1) for list_ in kept[1:]))
        ctx.of_parts = len(parts)
        return hs

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hs, *saved = ctx.saved_tensors
        *inner, weight, scale, _ = saved[: ctx.of_parts]
        hqs, rzs, ns, ghns, *between = saved[ctx.of_parts :]
        steps, hidden = hs.shape[1], hs.shape[2]
        before = torch.cat([torch.zeros_like(hs[:, :1]), hs[:, :-1]], dim=1)
        dh = torch.zeros_like(hs[:, 0])
        gates, states, inners = [], [], []
        first = inner if inner else (weight, scale)
        scaled = first[0] * first[1][:, None] * STATE_COPY_SCALE  # what a change of h does to what it meets first
        outer = weight * scale[:, None]
        for step in reversed(range(steps)):
            dh = dh + grad[:, step]
            dgx, dgh = _gates_backward(dh, before[:, step], ghns[:, step], rzs[:, step], ns[:, step])
            gates.append(dgx)
            states.append(dgh)
            if inner:
                dgh = (dgh @ outer) * inner[3] * (between[0][:, step].abs() <= INT8_MAX)  # (batch, rank)
                inners.append(dgh)
            dh = dh * rzs[:, step, hidden:] + dgh @ scaled
        dgx, dgh = torch.stack(gates[::-1], dim=1), torch.stack(states[::-1], dim=1)
        learned = ctx.needs_input_grad  # gx, then the parts
        if not inner:
            return dgx, *_affine_backward(dgh, weight, scale, hqs, learned[2])
        of_inner = _affine_backward(torch.stack(inners[::-1], dim=1), inner[0], inner[1], hqs, learned[2])
        q = between[0].clamp(-INT8_MAX, INT8_MAX)
        return dgx, *of_inner, None, *_affine_backward(dgh, weight, scale, q, learned[6])


def _between(q: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor, gain: torch.Tensor) -> Any:
    """The whole numbers between two factors, before they are kept on the int8 grid: (batch, rank)."""
    return torch.floor(((q @ weight.T) * scale + bias) * gain + 0.5)


def _affine_backward(
    dv: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, q: torch.Tensor, scale_learned: bool
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
    """The gradients of weight, scale and bias, all steps together."""
    dweight = torch.einsum("btg,bth->gh", dv * scale, q)
    dscale = (dweight * weight).sum(dim=1) / scale if scale_learned else None
    return dweight, dscale, dv.sum(dim=(0, 1))


class _Decoding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, positions: torch.Tensor, gh: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
        gh, h = gh[:, None], h[:, None]
        after, rz, n = _gates(positions, gh, h)
        ctx.save_for_backward(h, gh[..., 2 * h.shape[-1] :], rz, n)
        return after

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, ...]:
        h, ghn, rz, n = ctx.saved_tensors
        dgx, dgh = _gates_backward(grad, h, ghn, rz, n)
        return dgx.sum(dim=0), dgh.sum(dim=1), (grad * rz[..., n.shape[-1] :]).sum(dim=1)
