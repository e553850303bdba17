"""The float model that an int8 one stands for: the same sizes and, but for rounding, the same answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device_runtime import arithmetic
from device_runtime.arithmetic import Factored, Float32, Model, Product
from device_runtime.fixed_point import STATE_COPY_SCALE


@dataclass(frozen=True)
class FloatAffine:
    """weight . x + bias."""

    weight: Float32  # (rows, columns)
    bias: Float32  # (rows,)


@dataclass(frozen=True)
class FloatDense:
    """ReLU of an affine map that slides along its input."""

    affine: FloatAffine
    starts: tuple[int, ...]
    """Where each window begins."""

    @property
    def windows(self) -> np.ndarray:
        """The inputs of each window, (windows, columns)."""
        return np.array(self.starts)[:, None] + np.arange(self.affine.weight.shape[1])


@dataclass(frozen=True)
class FloatGru:
    """A GRU layer in PyTorch's gate order and reset-after form."""

    input: FloatAffine  # (3 hidden, inputs)
    state: FloatAffine  # (3 hidden, hidden)

    @property
    def hidden(self) -> int:
        """Units of the state."""
        return self.state.weight.shape[1]


@dataclass(frozen=True)
class FloatModel:
    """All that one step in float needs."""

    feature_size: int
    layers: tuple[FloatDense | FloatGru, ...]
    head: FloatAffine

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Units of each GRU layer, in order."""
        return tuple(layer.hidden for layer in self.layers if isinstance(layer, FloatGru))


def float_model(model: Model) -> FloatModel:
    """Undo the quantization: weights, input and state each get their real scale back."""
    gain, size = float(model.input_gain), model.feature_size
    layers: list[FloatDense | FloatGru] = []
    for layer in model.layers:
        if isinstance(layer, arithmetic.Dense):
            starts = tuple(layer.hop * window for window in range(layer.windows(size)))
            layers.append(FloatDense(_affine(layer.affine, gain), starts))
            gain, size = float(layer.output_gain), layer.outputs(size)
        else:
            assert isinstance(layer, arithmetic.Gru)
            layers.append(FloatGru(_affine(layer.input, gain), _affine(layer.state, STATE_COPY_SCALE)))
            gain, size = STATE_COPY_SCALE, layer.hidden
    return FloatModel(model.feature_size, tuple(layers), _affine(model.head, gain))


def _affine(product: Product, gain: float) -> FloatAffine:
    if isinstance(product, Factored):  # one matrix again
        inner, outer = _affine(product.inner, gain), _affine(product.outer, float(product.gain))
        return FloatAffine(outer.weight @ inner.weight, outer.bias + outer.weight @ inner.bias)
    return FloatAffine((product.weight * product.scale[:, None] * gain).astype(np.float32), product.bias)


def own_state(state: Float32, hidden: int) -> Float32:
    """The GRU's part of a session's first state, which begins with the int8 quantizer's error."""
    return state[len(state) - hidden :]
