"""Quantization-aware training whose forward pass *is* the int8 arithmetic.

`Int8Student(student)` computes, for whole batches and with gradients, bit for bit what `device_runtime.arithmetic.step`
computes one frame at a time; a test holds the one to the other.
"""

from __future__ import annotations

import numpy as np
import torch

from compress.int8_layers import Int8Layers
from device_runtime import arithmetic


class Int8Student(Int8Layers):
    """A student that computes in int8 and can still be trained."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(batch, steps, feature_size) -> scores (batch, steps, labels)."""
        return self.trace(frames)[0]

    def trace(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores, and the state vector after each step: (batch, steps, state_size)."""
        made = self.run(frames)
        return self.head(made.output, made.scale), torch.cat([made.errors, *made.states], dim=-1)

    def model(self) -> arithmetic.Model:
        """The very numbers that `forward` uses, for the bundle."""
        with torch.no_grad():
            layers, scale = self.layers()
            head = self.head.affine(scale)
            return arithmetic.Model(self.feature_size, np.float32(self.input_gain), tuple(layers), head)
