"""The model's int8 weights as named arrays, and back, with every shape checked against the manifest.

Arrays of layer i are `layers.i.weight|scale|bias` for a dense layer, `layers.i.input.*` and `layers.i.state.*` for a
GRU layer; those of the head are `head.*`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from device_runtime.arithmetic import MAX_COLUMNS, Affine, Dense, Gru, Model
from device_runtime.errors import BundleError
from device_runtime.npz import Array

MAX_VALUES = 2**16
"""In the windows or outputs of a layer; keeps a hostile bundle from asking for gigabytes at the first step."""

MAX_SCALE = 1e6
"""Of scales and biases, so that no sum of finite products leaves float32."""


def describe(model: Model) -> dict[str, Any]:
    """The model without its arrays: the `model` field of the manifest."""
    layers = [
        {"kind": "dense", "hop": layer.hop, "output_gain": float(layer.output_gain)}
        if isinstance(layer, Dense)
        else {"kind": "gru"}
        for layer in model.layers
    ]
    return {"feature_size": model.feature_size, "input_gain": float(model.input_gain), "layers": layers}


def arrays(model: Model) -> dict[str, Array]:
    """The model's arrays by name, the content of model.npz."""
    affines: dict[str, Affine] = {}
    for i, layer in enumerate(model.layers):
        if isinstance(layer, Dense):
            affines[f"layers.{i}"] = layer.affine
        else:
            affines |= {f"layers.{i}.input": layer.input, f"layers.{i}.state": layer.state}
    affines["head"] = model.head
    return {
        f"{name}.{part}": np.asarray(getattr(affine, part))
        for name, affine in affines.items()
        for part in ("weight", "scale", "bias")
    }


def build(structure: Mapping[str, Any], arrays: Mapping[str, Array], labels: int, where: str) -> Model:
    """The model from the manifest's `model` field and the arrays of model.npz; `where` is its path, for messages."""
    taken = _Arrays(arrays, where)
    layers: list[Dense | Gru] = []
    size = structure["feature_size"]  # values that enter the next layer
    for i, entry in enumerate(structure["layers"]):
        layer, size = _KINDS[entry["kind"]](taken, f"layers.{i}", entry, size)
        layers.append(layer)
    head = taken.affine("head", labels, size)
    taken.check_nothing_is_left()
    return Model(structure["feature_size"], np.float32(structure["input_gain"]), tuple(layers), head)


class _Arrays:
    """Takes arrays by name; one that is missing, of another shape or not finite is a BundleError that says so."""

    def __init__(self, arrays: Mapping[str, Array], where: str) -> None:
        self.left = dict(arrays)
        self.where = where

    def affine(self, name: str, rows: int | None, columns: int | None) -> Affine:
        """One affine map; a size that is None may be anything."""
        weight = self._take(f"{name}.weight", np.int8, (rows, columns))
        rows, columns = weight.shape
        if columns > MAX_COLUMNS:
            raise BundleError(f"{self.where}: {name}.weight has {columns} columns; exact sums allow {MAX_COLUMNS}")
        return Affine(weight, self._finite(f"{name}.scale", rows), self._finite(f"{name}.bias", rows))

    def check_nothing_is_left(self) -> None:
        if self.left:
            raise BundleError(f"{self.where} holds {sorted(self.left)[0]}, which the manifest's layers do not have")

    def _finite(self, name: str, rows: int) -> Array:
        values = self._take(name, np.float32, (rows,))
        if not np.all(np.abs(values) <= MAX_SCALE):  # also false for NaN
            raise BundleError(f"{self.where}: {name} must hold finite numbers up to {MAX_SCALE:g}")
        return values

    def _take(self, name: str, dtype: type, expected: tuple[int | None, ...]) -> Array:
        array = self.left.pop(name, None)
        if array is None:
            raise BundleError(f"{self.where} has no array {name}, which the manifest's layers need")
        if array.dtype != dtype:
            raise BundleError(f"{self.where}: {name} must be {np.dtype(dtype)}, got {array.dtype}")
        fits = len(array.shape) == len(expected) and all(
            have > 0 and want in (None, have) for have, want in zip(array.shape, expected, strict=True)
        )
        if not fits:
            wanted = str(tuple("any" if size is None else size for size in expected)).replace("'", "")
            raise BundleError(f"{self.where}: {name} has the shape {array.shape}, expected {wanted}")
        return array


def _dense(taken: _Arrays, name: str, entry: Mapping[str, Any], inputs: int) -> tuple[Dense, int]:
    layer = Dense(taken.affine(name, None, None), entry["hop"], np.float32(entry["output_gain"]))
    if layer.affine.weight.shape[1] > inputs:
        raise BundleError(
            f"{taken.where}: {name}.weight has the shape {layer.affine.weight.shape}, "
            f"expected at most {inputs} columns, as many as the layer has inputs"
        )
    rows, columns = layer.affine.weight.shape
    values = layer.windows(inputs) * max(rows, columns)
    if values > MAX_VALUES:
        raise BundleError(f"{taken.where}: {name} would make {values} values a step; at most {MAX_VALUES} are allowed")
    return layer, layer.outputs(inputs)


def _gru(taken: _Arrays, name: str, entry: Mapping[str, Any], inputs: int) -> tuple[Gru, int]:
    state = taken.affine(f"{name}.state", None, None)
    hidden = state.weight.shape[1]
    if state.weight.shape[0] != 3 * hidden:
        raise BundleError(
            f"{taken.where}: {name}.state.weight has the shape {state.weight.shape}, "
            f"expected ({3 * hidden}, {hidden}): three gates of each unit"
        )
    return Gru(taken.affine(f"{name}.input", 3 * hidden, inputs), state), hidden


_KINDS: dict[str, Callable[..., tuple[Dense | Gru, int]]] = {"dense": _dense, "gru": _gru}
