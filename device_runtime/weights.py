"""The model's int8 weights as named arrays, and back, with every shape checked against the manifest.

Arrays of layer i are `layers.i.weight|scale|bias` for a dense layer, `layers.i.input.*` and `layers.i.state.*` for a
GRU layer, `layers.i.input.*` and `layers.i.peephole` for an SRU layer and `layers.i.positions` for a decoding one;
those of the head are `head.*`, of the linear map `linear.*`.
A matrix of two factors has `*.inner.weight|scale|bias`, `*.gain` and `*.outer.weight|scale|bias` in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from device_runtime.arithmetic import Decode, Dense, Gru, Layer, Linear, Model, Sru
from device_runtime.errors import BundleError
from device_runtime.npz import Array
from device_runtime.products import MAX_COLUMNS, MAX_GAIN, Affine, Factored, Product

MAX_VALUES = 2**16
"""In the windows or outputs of a layer, the positions or the scores; keeps a hostile bundle from asking for gigabytes
at the first step."""

MAX_SCALE = 1e6
"""Of scales, biases and positions, so that no sum of finite products leaves float32."""


_AGAIN = "Get the bundle again"


def describe(model: Model) -> dict[str, Any]:
    """The model without its arrays: the `model` field of the manifest."""
    described: dict[str, Any] = {
        "feature_size": model.feature_size,
        "input_gain": float(model.input_gain),
        "layers": [_describe_layer(layer) for layer in model.layers],
    }
    if model.linear is not None:
        described["linear"] = {"width": model.linear.width, "frames": model.linear.frames}
    return described


def _describe_layer(layer: Layer) -> dict[str, Any]:
    match layer:
        case Dense():
            return {"kind": "dense", "hop": layer.hop, "output_gain": float(layer.output_gain)}
        case Gru():
            return {"kind": "gru"}
        case Sru():
            return {"kind": "sru"}
        case Decode():
            return {"kind": "decode"}


def matrices(model: Model) -> dict[str, Product]:
    """The model's matrices by name, in the order in which inputs meet them."""
    named: dict[str, Product] = {}
    for i, layer in enumerate(model.layers):
        match layer:
            case Dense():
                named[f"layers.{i}"] = layer.affine
            case Gru():
                named |= {f"layers.{i}.input": layer.input, f"layers.{i}.state": layer.state}
            case Sru():
                named[f"layers.{i}.input"] = layer.input
            case Decode():
                pass  # it multiplies by the matrix of the GRU before it
    named["head"] = model.head
    if model.linear is not None:
        named["linear"] = model.linear.affine
    return named


def arrays(model: Model) -> dict[str, Array]:
    """The model's arrays by name, which `squeeze` makes the content of model.npz."""
    named: dict[str, Array] = {}
    for i, layer in enumerate(model.layers):
        match layer:
            case Dense():
                named |= _parts(f"layers.{i}", layer.affine)
            case Gru():
                named |= _parts(f"layers.{i}.input", layer.input) | _parts(f"layers.{i}.state", layer.state)
            case Sru():
                named |= _parts(f"layers.{i}.input", layer.input)
                named[f"layers.{i}.peephole"] = np.asarray(layer.peephole)
            case Decode():
                named[f"layers.{i}.positions"] = np.asarray(layer.positions)
    named |= _parts("head", model.head)
    return named if model.linear is None else named | _parts("linear", model.linear.affine)


def _parts(name: str, product: Product) -> dict[str, Array]:
    if isinstance(product, Factored):
        inner, outer = _parts(f"{name}.inner", product.inner), _parts(f"{name}.outer", product.outer)
        return inner | {f"{name}.gain": np.array([product.gain], np.float32)} | outer
    return {f"{name}.{part}": np.asarray(getattr(product, part)) for part in ("weight", "scale", "bias")}


def build(structure: Mapping[str, Any], arrays: Mapping[str, Array], labels: int, where: str) -> Model:
    """The model from the manifest's `model` field and the arrays of model.npz; `where` is its path, for messages.

    Each label has one score, or a row of them where positions are decoded or a linear map is added.
    """
    taken = _Arrays(arrays, where)
    layers: list[Layer] = []
    size = structure["feature_size"]  # values that enter the next layer
    for i, entry in enumerate(structure["layers"]):
        if layers and isinstance(layers[-1], Decode):
            raise BundleError(f"{where}: layers.{i} comes after a decode layer, which must be the last. {_AGAIN}")
        layer, size = _KINDS[entry["kind"]](taken, f"layers.{i}", entry, size, layers)
        layers.append(layer)
    decoded = layers[-1] if layers and isinstance(layers[-1], Decode) else None
    linear = _linear(taken, structure, 1 if decoded is None else len(decoded.positions))
    rows = labels * linear.width if linear else labels if decoded is None else None
    head = taken.product("head", rows, size)
    taken.check_nothing_is_left()
    model = Model(structure["feature_size"], np.float32(structure["input_gain"]), tuple(layers), head, linear)
    if head.rows % labels:
        raise BundleError(
            f"{where}: head.weight has {head.rows} rows, expected a multiple of the {labels} labels. {_AGAIN}"
        )
    values = model.positions * max(_outputs(head))
    if values > MAX_VALUES:
        raise BundleError(f"{where}: a step would make {values} scores; at most {MAX_VALUES} are allowed")
    return model


def _outputs(product: Product) -> list[int]:
    """The values that a product makes, and those between its factors."""
    return [factor.rows for factor in product.factors]


class _Arrays:
    """Takes arrays by name; one that is missing, of another shape or not finite is a BundleError that says so."""

    def __init__(self, arrays: Mapping[str, Array], where: str) -> None:
        self.left = dict(arrays)
        self.where = where

    def product(self, name: str, rows: int | None, columns: int | None) -> Product:
        """One affine map or two factors of one, whichever the arrays' names tell."""
        if not any(held.startswith((f"{name}.inner.", f"{name}.outer.")) for held in self.left):
            return self.affine(name, rows, columns)
        inner = self.affine(f"{name}.inner", None, columns)
        gain = self._finite(f"{name}.gain", (1,))[0]
        if gain < 1 / MAX_GAIN:
            raise BundleError(f"{self.where}: {name}.gain must be at least {1 / MAX_GAIN:g}, got {gain:g}. {_AGAIN}")
        return Factored(inner, gain, self.affine(f"{name}.outer", rows, inner.rows))

    def affine(self, name: str, rows: int | None, columns: int | None) -> Affine:
        """One affine map; a size that is None may be anything."""
        weight = self._take(f"{name}.weight", np.int8, (rows, columns))
        rows, columns = weight.shape
        if columns > MAX_COLUMNS:
            raise BundleError(f"{self.where}: {name}.weight has {columns} columns; exact sums allow {MAX_COLUMNS}")
        return Affine(weight, self._finite(f"{name}.scale", (rows,)), self._finite(f"{name}.bias", (rows,)))

    def floats(self, name: str, rows: int | None, columns: int) -> Array:
        """Numbers that are no matrix of a product; a size that is None may be anything."""
        return self._finite(name, (rows, columns))

    def check_nothing_is_left(self) -> None:
        if self.left:
            raise BundleError(f"{self.where} holds {sorted(self.left)[0]}, which the manifest's layers do not have")

    def _finite(self, name: str, expected: tuple[int | None, ...]) -> Array:
        values = self._take(name, np.float32, expected)
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


_Before = Sequence[Layer]
"""The layers before one."""


def _dense(taken: _Arrays, name: str, entry: Mapping[str, Any], inputs: int, before: _Before) -> tuple[Dense, int]:
    layer = Dense(taken.product(name, None, None), entry["hop"], np.float32(entry["output_gain"]))
    rows, columns = layer.affine.rows, layer.affine.columns
    if columns > inputs:
        raise BundleError(
            f"{taken.where}: {name}.weight has the shape {(rows, columns)}, "
            f"expected at most {inputs} columns, as many as the layer has inputs"
        )
    values = layer.windows(inputs) * max([columns, *_outputs(layer.affine)])
    if values > MAX_VALUES:
        raise BundleError(f"{taken.where}: {name} would make {values} values a step; at most {MAX_VALUES} are allowed")
    return layer, layer.outputs(inputs)


def _gru(taken: _Arrays, name: str, entry: Mapping[str, Any], inputs: int, before: _Before) -> tuple[Gru, int]:
    state = taken.product(f"{name}.state", None, None)
    hidden = state.columns
    if state.rows != 3 * hidden:
        raise BundleError(
            f"{taken.where}: {name}.state.weight has the shape {(state.rows, hidden)}, "
            f"expected ({3 * hidden}, {hidden}): three gates of each unit"
        )
    return Gru(taken.product(f"{name}.input", 3 * hidden, inputs), state), hidden


def _sru(taken: _Arrays, name: str, entry: Mapping[str, Any], inputs: int, before: _Before) -> tuple[Sru, int]:
    product = taken.product(f"{name}.input", None, inputs)
    hidden, beyond = divmod(product.rows, 4)
    if beyond:
        raise BundleError(
            f"{taken.where}: {name}.input.weight has {product.rows} rows, expected four for each unit. {_AGAIN}"
        )
    return Sru(product, taken.floats(f"{name}.peephole", 2, hidden)), hidden


def _decode(taken: _Arrays, name: str, entry: Mapping[str, Any], inputs: int, before: _Before) -> tuple[Decode, int]:
    if not before or not isinstance(before[-1], Gru):
        raise BundleError(f"{taken.where}: {name} decodes, but no GRU layer comes right before it. {_AGAIN}")
    positions = taken.floats(f"{name}.positions", None, 3 * before[-1].hidden)
    if positions.size > MAX_VALUES:
        raise BundleError(
            f"{taken.where}: {name} would make {positions.size} values a step; at most {MAX_VALUES} are allowed"
        )
    return Decode(positions), before[-1].hidden


_KINDS: dict[str, Callable[..., tuple[Layer, int]]] = {"dense": _dense, "gru": _gru, "sru": _sru, "decode": _decode}


def _linear(taken: _Arrays, structure: Mapping[str, Any], positions: int) -> Linear | None:
    """The linear map, where the manifest has one."""
    if "linear" not in structure:
        return None
    width, frames = structure["linear"]["width"], structure["linear"]["frames"]
    if width > structure["feature_size"]:
        raise BundleError(
            f"{taken.where}: the linear map takes {width} features of a frame, but a frame has "
            f"{structure['feature_size']}. {_AGAIN}"
        )
    if max(frames, positions) * width > MAX_VALUES:
        raise BundleError(
            f"{taken.where}: the linear map would keep {max(frames, positions) * width} values; "
            f"at most {MAX_VALUES} are allowed"
        )
    return Linear(taken.affine("linear", positions, frames), width)
