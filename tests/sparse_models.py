"""Random models whose weights lie as the compress methods leave them: in zero blocks, on a coarse grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from device_runtime.arithmetic import Affine, Decode, Dense, Factored, Int8, Layer, Model, Product, Sru

Change = Callable[[Int8], Int8]


def with_weights(model: Model, change: Change) -> Model:
    """The model with every weight matrix changed."""

    def changed_matrix(affine: Affine) -> Affine:
        return dataclasses.replace(affine, weight=change(affine.weight))

    def changed(product: Product) -> Product:
        if isinstance(product, Factored):
            return Factored(changed_matrix(product.inner), product.gain, changed_matrix(product.outer))
        return changed_matrix(product)

    layers: list[Layer] = []
    for layer in model.layers:
        if isinstance(layer, Dense):
            layers.append(dataclasses.replace(layer, affine=changed(layer.affine)))
        elif isinstance(layer, Decode):
            layers.append(layer)
        elif isinstance(layer, Sru):
            layers.append(dataclasses.replace(layer, input=changed(layer.input)))
        else:
            layers.append(dataclasses.replace(layer, input=changed(layer.input), state=changed(layer.state)))
    linear = model.linear and dataclasses.replace(model.linear, affine=changed_matrix(model.linear.affine))
    return dataclasses.replace(model, layers=tuple(layers), head=changed(model.head), linear=linear)


def without_blocks(share: float, block: tuple[int, int] = (8, 2), seed: int = 0) -> Change:
    """Zero so many of the blocks of rows x columns, chosen by chance."""
    rng = np.random.default_rng(seed)

    def change(weight: Int8) -> Int8:
        rows, columns = weight.shape
        kept = rng.random((-(-rows // block[0]), -(-columns // block[1]))) >= share
        return weight * np.kron(kept, np.ones(block, bool))[:rows, :columns].astype(np.int8)

    return change


def on_grid(step: int) -> Change:
    """Multiples of the step, -7 to 7 of them: 4 bits each."""
    return lambda weight: (np.clip(weight // 16, -7, 7) * step).astype(np.int8)


def with_own_steps(weight: Int8) -> Int8:
    """4 bits each, and every row has a step of its own."""
    steps = 1 + np.arange(len(weight)) % 18
    return (np.clip(weight // 16, -7, 7) * steps[:, None]).astype(np.int8)


def powers_of_two(weight: Int8) -> Int8:
    """0, and plus and minus 1, 2, 4, ... 64: 15 values."""
    size = 2 ** np.clip(np.round(np.log2(np.abs(weight.astype(np.float32)) + 0.1)), 0, 6)
    return (np.sign(weight) * size).astype(np.int8)
