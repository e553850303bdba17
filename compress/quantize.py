"""Post-training quantization and quantization-aware training: the student in the device's own arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from compress.factored_gru import FactoredGru
from compress.int8_forecaster import Int8Forecaster, is_forecaster
from compress.int8_layers import FloatLayers, dense_outputs
from compress.method import Workbench
from compress.prune import keep_zeros
from compress.qat import Int8Student
from device_runtime.fixed_point import INT8_MAX


@dataclass(frozen=True)
class Int8:
    """Calibrate on the largest values seen, then train on in int8 arithmetic for some epochs (0: calibration only).

    Activations are calibrated on their maximum: clipping at the 99.95th percentile cost up to 1.3 %.
    """

    epochs: int = 0
    learning_rate: float = 1e-3
    name: str = "int8"

    def apply(self, student: nn.Module, bench: Workbench) -> nn.Module:
        """A new module in int8 arithmetic; the student stays as it is."""
        int8 = calibrate(cast(FloatLayers, student), bench.calibration)
        if self.epochs:
            masks = keep_zeros(int8)

            def stay_pruned(done: float) -> None:
                with torch.no_grad():
                    for weight, mask in masks:
                        weight.mul_(mask)

            bench.tune(int8, self.epochs, self.learning_rate, self.name, stay_pruned, settings=repr(self))
        return int8


def calibrate(model: FloatLayers, frames: torch.Tensor) -> Int8Student | Int8Forecaster:
    """Choose every gain so that the largest value in these frames (clips, steps, feature_size) becomes 127 or less.

    States need none: they lie between -1 and 1, decoded ones too. A student's input gain is a power of two: the speech
    features are multiples of 5/128, and then so are the errors that the quantizer feeds back, which makes golden frames
    a third of their size. The frames of a forecaster lie on no grid.
    """
    with torch.no_grad():
        input_gain = INT8_MAX / max(float(frames.abs().max()), 1e-6)
        normalised, *outputs = dense_outputs(model, frames)
        gains = [INT8_MAX / max(float(output.max()), 1e-6) for output in outputs]
        between = _between_factors(model, outputs[-1] if outputs else normalised)
    if is_forecaster(model):
        return Int8Forecaster(model, input_gain, gains, between)
    return Int8Student(model, 2.0 ** math.floor(math.log2(input_gain)), gains, between)


def _between_factors(model: FloatLayers, x: torch.Tensor) -> list[float]:
    """The gains between the factors of the GRUs' matrices, for what x (clips, steps, inputs) makes of them."""
    largest: list[float] = []
    if any(isinstance(gru, FactoredGru) for gru in model.grus):
        for gru in model.grus:
            largest += gru.largest_between(x) if isinstance(gru, FactoredGru) else []
            x, _ = gru(x)
    return [INT8_MAX / max(value, 1e-6) for value in largest]
