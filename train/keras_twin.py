"""The student in Keras, with the very weights of a PyTorch student: a second engine of training, and a way to TFLite.

Needs `pip install 'tinyrnn[keras]'` and no PyTorch: weights come as the .npz that `train.portable` writes. Outputs
differ from the student's by float32 rounding alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from device_runtime.errors import InputError

Weights = Mapping[str, npt.NDArray[Any]]
FLOAT32 = "float32"


@dataclass(frozen=True)
class KerasTwin:
    """Layers that share their weights with every model that is made of them."""

    feature_size: int
    dense: tuple[Any, ...]
    """Layers of (..., steps, inputs), a convolution for each that slides."""

    grus: tuple[Any, ...]
    head: Any

    @classmethod
    def load(cls, path: Path, precision: str = FLOAT32) -> KerasTwin:
        """The twin of a saved student; "mixed_bfloat16" and "mixed_float16" multiply in 16 bits."""
        with np.load(path) as weights:
            return cls.of(dict(weights), precision)

    @classmethod
    def of(cls, weights: Weights, precision: str = FLOAT32) -> KerasTwin:
        """The twin with these weights; InputError where they are not a student's."""
        try:
            inputs = size = int(weights["feature_size"])
            dense = [_normalizing(weights)]
            while f"dense.{len(dense) - 1}.hop" in weights:
                layer, inputs = _sliding(weights, f"dense.{len(dense) - 1}", inputs, precision)
                dense.append(layer)
            grus: list[Any] = []
            while f"grus.{len(grus)}.weight_ih_l0" in weights:
                grus.append(_gru(weights, f"grus.{len(grus)}", precision))
            head = _filled(tf.keras.layers.Dense(len(weights["head.bias"])), *_affine(weights, "head"))
        except KeyError as error:
            raise InputError(f"a student's weights need {error}, which is not among {', '.join(weights)}.") from error
        return cls(size, tuple(dense), tuple(grus), head)

    @property
    def state_size(self) -> int:
        """Of all layers together."""
        return sum(gru.units for gru in self.grus)

    def sequence(self) -> Any:
        """A Keras model of (batch, steps, feature_size) -> logits (batch, steps, labels)."""
        frames = tf.keras.Input((None, self.feature_size), name="frames")
        return tf.keras.Model(frames, self.continued(frames)[0])

    def step(self, frame: Any, state: Any) -> tuple[Any, Any]:
        """One step: (1, feature_size), (1, state_size) -> scores (1, labels), next state."""
        x, at, states = self._before_grus(frame[:, None])[:, 0], 0, []
        for gru in self.grus:
            x, _ = gru.cell(x, [state[:, at : at + gru.units]])
            states.append(x)
            at += gru.units
        return self.head(x), tf.concat(states, axis=1)

    def continued(self, frames: Any, states: Sequence[Any] = ()) -> tuple[Any, list[Any]]:
        """Logits of (batch, steps, feature_size) from where the states are, none at the start; and those behind."""
        x, behind = self._before_grus(frames), []
        for i, gru in enumerate(self.grus):
            x, state = gru(x, initial_state=states[i] if states else None)
            behind.append(state)
        return self.head(x), behind

    def recomputed(self, frames: Any, steps: int | None = None) -> Any:
        """The same logits, of which a gradient keeps the states between stretches and computes the rest again.

        None takes stretches of the square root of the length, as `train.recompute` does.
        """
        length = frames.shape[1]
        stretch = steps or max(1, math.ceil(math.sqrt(length)))
        states: list[Any] = [tf.zeros((len(frames), gru.units), gru.compute_dtype) for gru in self.grus]
        outputs = []
        for at in range(0, length, stretch):
            output, *states = tf.recompute_grad(self._stretch)(frames[:, at : at + stretch], *states)
            outputs.append(output)
        return tf.concat(outputs, axis=1)

    def _stretch(self, frames: Any, *states: Any) -> list[Any]:
        outputs, behind = self.continued(frames, states)
        return [outputs, *behind]

    def _before_grus(self, x: Any) -> Any:
        for layer in self.dense:
            x = layer(x)
        return x


def _normalizing(weights: Weights) -> Any:
    mean, std = float(weights["mean"]), float(weights["std"])
    return tf.keras.layers.Rescaling(1 / std, offset=-mean / std)


def _sliding(weights: Weights, name: str, inputs: int, precision: str) -> tuple[Any, int]:
    """The layer and how many outputs it has: windows of a frame are those of a convolution along its values."""
    weight, bias = weights[f"{name}.affine.weight"], weights[f"{name}.affine.bias"]
    (rows, columns), hop = weight.shape, int(weights[f"{name}.hop"])
    windows = 1 + (inputs - columns) // hop
    if windows == 1:  # a convolution of one window would be the same, but TensorFlow 2.21 computes it wrong in bfloat16
        return _filled(tf.keras.layers.Dense(rows, activation="relu", dtype=precision), weight.T, bias), rows
    kernel = weight.T.reshape(1, columns, 1, rows)
    slide = tf.keras.layers.Conv2D(rows, (1, columns), (1, hop), activation="relu", dtype=precision)
    slide.build((None, None, inputs, 1))
    slide.set_weights([kernel, bias])
    before, behind = tf.keras.layers.Reshape((-1, inputs, 1)), tf.keras.layers.Reshape((-1, windows * rows))
    return lambda x: behind(slide(before(x))), windows * rows


def _gru(weights: Weights, name: str, precision: str) -> Any:
    """Keras has the gates as z, r, n; PyTorch as r, z, n. Both reset after the product (`reset_after`)."""
    units = weights[f"{name}.weight_hh_l0"].shape[1]
    gru = tf.keras.layers.GRU(units, reset_after=True, return_sequences=True, return_state=True, dtype=precision)
    values = [weights[f"{name}.{part}_l0"] for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    kernel, recurrent, *biases = (_gates_of_keras(value, units) for value in values)
    return _filled(gru, kernel.T, recurrent.T, np.stack(biases))


def _gates_of_keras(value: npt.NDArray[Any], units: int) -> npt.NDArray[Any]:
    r, z, n = np.split(value, (units, 2 * units))
    return np.concatenate([z, r, n])


def _affine(weights: Weights, name: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    return weights[f"{name}.weight"].T, weights[f"{name}.bias"]


def _filled(layer: Any, *values: npt.NDArray[Any]) -> Any:
    """A layer with its weights; the first one has its inputs in rows."""
    inputs = values[0].shape[0]
    layer.build((None, None, inputs))
    layer.set_weights(list(values))
    return layer
