"""Quantization-aware training whose forward pass *is* the int8 arithmetic.

`Int8Student(student)` computes, for whole batches and with gradients, bit for bit what `device_runtime.arithmetic.step`
computes one frame at a time; a test holds the one to the other. Rounding passes gradients straight through (Bengio,
Leonard & Courville 2013, arXiv:1308.3432); the tables of sigmoid and tanh pass those of the functions they tabulate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import nn

from device_runtime import arithmetic, fixed_point
from device_runtime.fixed_point import INT8_MAX, STATE_COPY_SCALE, STATE_SCALE

_SIGMOID = torch.from_numpy(fixed_point.SIGMOID_Q15.astype(np.float32)) / STATE_SCALE
_TANH = torch.from_numpy(fixed_point.TANH_Q15.astype(np.float32)) / STATE_SCALE


BIAS_PER_UNIT = 4096
"""Biases lie on a grid: steps of the int8 sums are coarser, and short numbers deflate to fewer bytes in a bundle."""


class Dense(Protocol):
    """A linear map with ReLU that slides along its input."""

    hop: int
    affine: nn.Linear


class FloatStudent(Protocol):
    """What can be quantized: dense layers, then GRUs, then a linear head, on frames normalised by mean and std."""

    feature_size: int
    mean: torch.Tensor
    std: torch.Tensor
    dense: Sequence[Dense]
    grus: Sequence[nn.GRU]
    head: nn.Linear


class Int8Student(nn.Module):
    """A student that computes in int8 and can still be trained."""

    input_gain: torch.Tensor
    output_gains: torch.Tensor

    def __init__(self, student: FloatStudent, input_gain: float, output_gains: Sequence[float]):
        super().__init__()
        self.feature_size = student.feature_size
        self.register_buffer("input_gain", torch.tensor(input_gain, dtype=torch.float32))
        self.register_buffer("output_gains", torch.tensor(list(output_gains), dtype=torch.float32))
        mean, std = float(student.mean), float(student.std)
        first = _Rows.folded(mean, std)
        self.hops = [dense.hop for dense in student.dense]
        rows: list[_Rows] = []
        for dense in student.dense:
            rows.append(_Rows(dense.affine.weight, dense.affine.bias, *first))
            first = (1.0, 0.0)
        self.dense = _Each(rows)
        inputs, states = [], []
        for gru in student.grus:
            weight_in, weight_state, bias_in, bias_state = gru.all_weights[0]
            inputs.append(_Rows(weight_in, bias_in, *first))
            states.append(_Rows(weight_state, bias_state))
            first = (1.0, 0.0)
        self.gru_inputs, self.gru_states = _Each(inputs), _Each(states)
        self.head = _Rows(student.head.weight, student.head.bias)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(batch, steps, feature_size) -> scores (batch, steps, labels)."""
        return self.trace(frames)[0]

    def trace(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores, and the state vector after each step: (batch, steps, state_size)."""
        q, errors = _quantize_frames(frames, self.input_gain)
        states, scale = [errors], 1 / self.input_gain
        for hop, rows, gain in zip(self.hops, self.dense, self.output_gains, strict=True):
            windows = q.unfold(-1, rows.columns, hop)
            v = torch.relu(rows(windows, scale)).flatten(-2)
            q = _round(v * gain).clamp(max=INT8_MAX)
            scale = 1 / gain
        state_scale = torch.tensor(1 / STATE_COPY_SCALE)
        for inputs, state in zip(self.gru_inputs, self.gru_states, strict=True):
            gx = inputs(q, scale)  # (batch, steps, 3 hidden)
            weight, row_scale, bias = state.parts(state_scale)
            h = _Recurrence.apply(gx, weight, row_scale, bias)
            states.append(h)
            q = _round(h * STATE_COPY_SCALE).clamp(-INT8_MAX, INT8_MAX)
            scale = state_scale
        return self.head(q, scale), torch.cat(states, dim=-1)

    def model(self) -> arithmetic.Model:
        """The very numbers that `forward` uses, for the bundle."""
        with torch.no_grad():
            scale = 1 / self.input_gain
            layers: list[arithmetic.Dense | arithmetic.Gru] = []
            for hop, rows, gain in zip(self.hops, self.dense, self.output_gains, strict=True):
                layers.append(arithmetic.Dense(rows.affine(scale), hop, np.float32(gain)))
                scale = 1 / gain
            state_scale = torch.tensor(1 / STATE_COPY_SCALE)
            for inputs, state in zip(self.gru_inputs, self.gru_states, strict=True):
                layers.append(arithmetic.Gru(inputs.affine(scale), state.affine(state_scale)))
                scale = state_scale
            head = self.head.affine(scale)
            return arithmetic.Model(self.feature_size, np.float32(self.input_gain), tuple(layers), head)


class _Each(nn.ModuleList):
    """A list of `_Rows` that a type checker knows to be one."""

    def __iter__(self) -> Iterator[_Rows]:
        return cast(Iterator[_Rows], super().__iter__())


class _Rows(nn.Module):
    """Float weights that are rounded to int8, symmetric per row, whenever they are used."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor, std: float = 1.0, mean: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone() / std)
        self.bias = nn.Parameter(bias.detach().clone())
        self.mean = mean

    @staticmethod
    def folded(mean: float, std: float) -> tuple[float, float]:
        """The arguments that make a first layer take raw features instead of normalised ones."""
        return std, mean

    @property
    def columns(self) -> int:
        return self.weight.shape[1]

    def parts(self, input_scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """int8 weights (held in float32), scale and bias per row, for inputs on this scale."""
        largest = self.weight.detach().abs().amax(dim=1).clamp(min=1e-6)
        scale = _short(largest / INT8_MAX * input_scale)
        per_row = scale / input_scale
        weight = _round(self.weight / per_row[:, None]).clamp(-INT8_MAX, INT8_MAX)
        bias: torch.Tensor = self.bias
        if self.mean:  # what the mean of the features adds, seen through the rounded weights
            bias = bias - self.mean * (weight * per_row[:, None]).sum(dim=1)
        return weight, scale, _round(bias * BIAS_PER_UNIT) * (1 / BIAS_PER_UNIT)

    def forward(self, q: torch.Tensor, input_scale: torch.Tensor) -> torch.Tensor:
        weight, scale, bias = self.parts(input_scale)
        return (q @ weight.T) * scale + bias  # integers below 2**24: the float product is exact in any order

    def affine(self, input_scale: torch.Tensor) -> arithmetic.Affine:
        weight, scale, bias = self.parts(input_scale)
        return arithmetic.Affine(weight.numpy().astype(np.int8), scale.numpy().copy(), bias.numpy().copy())


def _short(scale: torch.Tensor) -> torch.Tensor:
    """The next float32 whose last two bytes are zero: within 1 %, never smaller, and half the bytes in a bundle."""
    return ((scale.view(torch.int32) + 0xFFFF) & ~0xFFFF).view(torch.float32)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: torch.Tensor) -> torch.Tensor:
        return torch.floor(v + 0.5)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return grad


def _round(v: torch.Tensor) -> torch.Tensor:
    """floor(v + 0.5), with the gradient of the identity."""
    return _StraightThrough.apply(v)


def _quantize_frames(frames: torch.Tensor, gain: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
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


def _look_up(table: torch.Tensor, v: torch.Tensor, per_unit: int, half: int) -> torch.Tensor:
    return table[torch.floor(v * per_unit + 0.5).clamp(-half, half - 1).long() + half]


class _Recurrence(torch.autograd.Function):
    """The Q15 states of one GRU layer: (batch, steps, 3 hidden) inputs' share of the gates -> (batch, steps, hidden).

    Backpropagation through time is written out: it is 1.5 to 1.8 times cheaper than autograd's graph of small pieces.
    """

    @staticmethod
    def forward(
        ctx: Any, gx: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor
    ) -> torch.Tensor:
        batch, steps, wide = gx.shape
        hidden = wide // 3
        h = gx.new_zeros(batch, hidden)
        kept: list[list[torch.Tensor]] = [[], [], [], [], []]
        for step in range(steps):
            hq = torch.floor(h * STATE_COPY_SCALE + 0.5).clamp(-INT8_MAX, INT8_MAX)
            gh = (hq @ weight.T) * scale + bias
            rz = _look_up(
                _SIGMOID,
                gx[:, step, : 2 * hidden] + gh[:, : 2 * hidden],
                fixed_point.SIGMOID_PER_UNIT,
                fixed_point.SIGMOID_HALF,
            )
            r, z = rz[:, :hidden], rz[:, hidden:]
            ghn = gh[:, 2 * hidden :]
            n = _look_up(_TANH, gx[:, step, 2 * hidden :] + r * ghn, fixed_point.TANH_PER_UNIT, fixed_point.TANH_HALF)
            blended = torch.floor((n + z * (h - n)) * STATE_SCALE + 0.5).clamp(1 - STATE_SCALE, STATE_SCALE - 1)
            h = blended * (1 / STATE_SCALE)
            for list_, value in zip(kept, (h, hq, rz, n, ghn), strict=True):
                list_.append(value)
        hs = torch.stack(kept[0], dim=1)
        ctx.save_for_backward(hs, weight, scale, *(torch.stack(list_, dim=1) for list_ in kept[1:]))
        return hs

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, ...]:
        hs, weight, scale, hqs, rzs, ns, ghns = ctx.saved_tensors
        steps, hidden = hs.shape[1], hs.shape[2]
        before = torch.cat([torch.zeros_like(hs[:, :1]), hs[:, :-1]], dim=1)
        dh = torch.zeros_like(hs[:, 0])
        gates, states = [], []
        scaled = weight * scale[:, None] * STATE_COPY_SCALE  # (3 hidden, hidden): what a change of h does to gh
        for step in reversed(range(steps)):
            dh = dh + grad[:, step]
            r, z, n = rzs[:, step, :hidden], rzs[:, step, hidden:], ns[:, step]
            dn = dh * (1 - z) * (1 - n * n)
            dz = dh * (before[:, step] - n) * z * (1 - z)
            dr = dn * ghns[:, step] * r * (1 - r)
            dgh = torch.cat([dr, dz, dn * r], dim=1)
            gates.append(torch.cat([dr, dz, dn], dim=1))
            states.append(dgh)
            dh = dh * z + dgh @ scaled
        dgx, dgh = torch.stack(gates[::-1], dim=1), torch.stack(states[::-1], dim=1)
        dweight = torch.einsum("btg,bth->gh", dgh * scale, hqs)
        return dgx, dweight, None, dgh.sum(dim=(0, 1))  # type: ignore[return-value]  # scales are not trained
