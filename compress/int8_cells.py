"""What recurs in an int8 model in training: a GRU's matrix of the state, or what an SRU has in its place."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from compress.factored_cells import AnyGru, FloatSru, Recurrent, matrices
from compress.factored_rows import AnyRows, rows_of
from compress.recurrence import quantize_state, recur
from compress.rows import on_bias_grid
from compress.sru_recurrence import recur_sru
from compress.weight_grids import WeightGrid
from device_runtime import arithmetic
from device_runtime.fixed_point import STATE_COPY_SCALE

STATE_COPY_UNIT = 1 / STATE_COPY_SCALE
"""What 1 counts for in the int8 copy of a state: the scale of the inputs that it is."""


class Peephole(nn.Module):
    """How the gates of an SRU hear its state, which is in units of `unit`."""

    unit: torch.Tensor

    def __init__(self, v: torch.Tensor, unit: float):
        super().__init__()
        self.v = nn.Parameter(v.detach().clone())
        self.register_buffer("unit", torch.tensor(unit, dtype=torch.float32))

    def rows(self) -> torch.Tensor:
        """On the grid of biases: (2, hidden)."""
        return on_bias_grid(self.v * self.unit).view(2, -1)


def int8_cell(
    layer: Recurrent,
    gains: Iterator[float],
    units: Iterator[float],
    std: float,
    mean: float,
    grids: tuple[WeightGrid, WeightGrid],
) -> tuple[AnyRows, AnyRows | Peephole]:
    """The rows of the inputs' matrix, and what recurs; `grids` are those of the inputs' matrix and of the state's.

    Factors take the next of `gains`, an SRU the next of `units`.
    """
    if isinstance(layer, AnyGru):
        of_input, of_state = matrices(layer)
        inputs = rows_of(of_input, gains, std, mean, grids[0])
        return inputs, rows_of(of_state, gains, grid=grids[1])
    (of_input,), own = matrices(layer), Peephole(layer.v, next(units))
    in_units = torch.full((len(layer.v) // 2,), 1 / float(own.unit))
    after = torch.cat([in_units, torch.ones_like(in_units), torch.ones_like(in_units), in_units])
    return rows_of(of_input, gains, std, mean, grids[0], after), own


def passed(
    inputs: AnyRows, own: AnyRows | Peephole, q: torch.Tensor, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The Q15 states of a layer, its int8 outputs, and what 1 counts for in them; q is (batch, steps, inputs)."""
    g = inputs(q, scale)
    if isinstance(own, Peephole):
        states, outputs = recur_sru(g, own.rows())
    else:
        states = outputs = recur(g, *own.parts(torch.tensor(STATE_COPY_UNIT)))
    return states, quantize_state(outputs), unit_of(own)


def unit_of(own: AnyRows | Peephole) -> torch.Tensor:
    """What 1 counts for in the int8 outputs of a layer."""
    return own.unit * STATE_COPY_UNIT if isinstance(own, Peephole) else torch.tensor(STATE_COPY_UNIT)


def deployed_cell(inputs: AnyRows, own: AnyRows | Peephole, scale: torch.Tensor) -> arithmetic.Gru | arithmetic.Sru:
    """The very numbers that `passed` uses, for the bundle."""
    product = inputs.affine(scale)
    if isinstance(own, Peephole):
        return arithmetic.Sru(product, own.rows().detach().numpy().copy())
    return arithmetic.Gru(product, own.affine(torch.tensor(STATE_COPY_UNIT)))


def largest_state(layer: FloatSru, x: torch.Tensor, outputs: torch.Tensor) -> float:
    """Of an SRU's states and outputs, while x (batch, steps, columns) passes and gives them."""
    candidates, forget, _, _ = layer.affine(x).transpose(0, 1).chunk(4, dim=-1)
    v, c = layer.v.chunk(2)[0], torch.zeros_like(candidates[0])
    largest = max(float(outputs.abs().max()), 1e-6)
    for candidate, gate in zip(candidates, forget, strict=True):
        c = torch.lerp(candidate, c, torch.sigmoid(gate + v * c))
        largest = max(largest, float(c.abs().max()))
    return largest
