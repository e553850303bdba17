"""One hidden unit of a model silenced: it stays zero, so that nothing that reads it learns anything from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from device_runtime.arithmetic import Affine, Decode, Gru, Layer, Model, Product, Sru
from device_runtime.products import Factored


@dataclass(frozen=True)
class Unit:
    """A hidden unit of one of the model's recurrent layers."""

    layer: int
    index: int

    @property
    def name(self) -> str:
        """As it is told: layers.2 unit 17."""
        return f"layers.{self.layer} unit {self.index}"


def units(model: Model) -> list[Unit]:
    """All of them, layer after layer."""
    return [
        Unit(i, index)
        for i, layer in enumerate(model.layers)
        if isinstance(layer, Gru | Sru)
        for index in range(layer.hidden)
    ]


def silenced(unit: Unit, model: Model) -> Model:
    """The model whose unit never leaves the zero that it starts from.

    A GRU's candidate is tanh(0) at every step, an SRU's 0, and nothing passes by its cell.
    """
    layers: list[Layer] = list(model.layers)
    layer = layers[unit.layer]
    if isinstance(layer, Sru):
        passing = 3 * layer.hidden + unit.index
        layers[unit.layer] = replace(layer, input=_without(_without(layer.input, unit.index), passing))
        return replace(model, layers=tuple(layers))
    assert isinstance(layer, Gru)  # as `units` says
    row = 2 * layer.hidden + unit.index  # of the candidate gate
    layers[unit.layer] = Gru(_without(layer.input, row), _without(layer.state, row))
    if unit.layer + 1 < len(layers):
        after = layers[unit.layer + 1]
        if isinstance(after, Decode):  # its positions stand where the input does
            positions = np.array(after.positions)
            positions[:, row] = 0
            layers[unit.layer + 1] = Decode(positions)
    return replace(model, layers=tuple(layers))


def _without(product: Product, row: int) -> Product:
    if isinstance(product, Factored):
        return replace(product, outer=_zeroed(product.outer, row))
    return _zeroed(product, row)


def _zeroed(affine: Affine, row: int) -> Affine:
    weight, bias = np.array(affine.weight), np.array(affine.bias)
    weight[row], bias[row] = 0, 0
    return Affine(weight, affine.scale, bias)
