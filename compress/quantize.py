"""Post-training quantization and quantization-aware training: the student in the device's own arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import nn

from compress.deployed import refuse_other_cells
from compress.factored_cells import AnyGru, largest_between, met
from compress.int8_cells import largest_state
from compress.int8_forecaster import Int8Forecaster, is_forecaster
from compress.int8_layers import FloatLayers, dense_outputs
from compress.method import Workbench
from compress.prune import hold_zeros
from compress.qat import Int8Student
from compress.ranges import ALL_VALUES, Range
from compress.weight_grids import ALL_INT8, INT8, Grids, WeightGrid
from device_runtime.fixed_point import INT8_MAX

MOST_VALUES = 2**18
"""A range other than the largest value looks at so many of the values in calibration."""

_INT8_CODES = torch.arange(-float(INT8_MAX), INT8_MAX + 1)


@dataclass(frozen=True, repr=False)
class Int8:
    """Calibrate on frames, then train on in int8 arithmetic for some epochs (0: calibration only).

    >>> Int8(epochs=8)
    Int8(epochs=8, learning_rate=0.001, name='int8')
    """

    epochs: int = 0
    learning_rate: float = 1e-3
    weights: WeightGrid = INT8
    ends: WeightGrid | None = None
    """Of the first layer and the head, if not the same: they have few weights, on which much depends."""

    activations: Range = ALL_VALUES
    """Of what enters the layers. Clipping a student's at the 99.95th percentile brings .1 points or nothing."""

    name: str = "int8"

    def __repr__(self) -> str:
        """Without what is as it always was: trainings from before there was a choice are known by their settings."""
        told = (f for f in fields(self) if f.type in ("int", "float", "str") or getattr(self, f.name) != f.default)
        return f"Int8({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in told)})"

    def apply(self, student: nn.Module, bench: Workbench) -> nn.Module:
        """A new module in int8 arithmetic; the student stays as it is."""
        grids = Grids(self.weights, self.ends or self.weights)
        int8 = calibrate(cast(FloatLayers, student), bench.calibration, grids, self.activations)
        if self.epochs:
            bench.tune(int8, self.epochs, self.learning_rate, self.name, hold_zeros(int8), settings=repr(self))
        return int8


def calibrate(
    model: FloatLayers, frames: torch.Tensor, grids: Grids = ALL_INT8, activations: Range = ALL_VALUES
) -> Int8Student | Int8Forecaster:
    """Choose every gain so that what the range takes of these frames (clips, steps, feature_size) becomes 127 or less.

    States of GRUs need none: they lie between -1 and 1, decoded ones too; those of SRUs are in units of the largest. A
    student's input gain is a power of two: the speech features are multiples of 5/128, and then so are the errors that
    the quantizer feeds back, which makes golden frames a third of their size. Frames of a forecaster lie on no grid.
    """
    refuse_other_cells(model)
    with torch.no_grad():
        input_gain = _gain(frames, activations)
        normalised, *outputs = dense_outputs(model, frames)
        gains = [_gain(output, activations) for output in outputs]
        between, units, x = [], [], outputs[-1] if outputs else normalised
        for layer in model.grus:
            inputs, recurred = met(layer, x)
            between += largest_between(layer, inputs)
            units += [] if isinstance(layer, AnyGru) else [largest_state(layer, x, recurred)]
            x = recurred
    factor_gains = [INT8_MAX / max(value, 1e-6) for value in between]
    if is_forecaster(model):
        return Int8Forecaster(model, input_gain, gains, factor_gains, grids)
    return Int8Student(model, 2.0 ** math.floor(math.log2(input_gain)), gains, factor_gains, grids, units)


def _some(values: torch.Tensor) -> torch.Tensor:
    """Whole rows, drawn at random: at equal distances some features, or some steps, might never be seen."""
    rows = values.reshape(-1, values.shape[-1])
    wanted = max(1, MOST_VALUES // rows.shape[1])
    if len(rows) <= wanted:
        return rows
    return rows[torch.randint(len(rows), (wanted,), generator=torch.Generator().manual_seed(0))]


def _gain(values: torch.Tensor, activations: Range) -> float:
    some = _some(values).reshape(1, -1)
    share = float(activations.shares(some, _INT8_CODES))
    largest = values if share == 1 else some  # a share is of the largest of the values that it was found with
    return INT8_MAX / max(float(largest.abs().max()) * share, 1e-6)
