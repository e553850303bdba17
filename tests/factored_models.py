"""Random models whose matrices are two factors, of any rank."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from device_runtime.arithmetic import Affine, Decode, Dense, Factored, Layer, Model, Product, Sru
from models import tiny_model


def factored(model: Model, ranks: Sequence[int], seed: int = 0) -> Model:
    """The model with two factors for each matrix but the linear map's, these ranks one after the other; 0 leaves one.

    An input of the middle of the int8 grid makes values between the factors that use, and sometimes leave, their grid.
    """
    rng = np.random.default_rng(seed)
    left = list(ranks)

    def made(product: Product) -> Product:
        rank = left.pop(0)
        left.append(rank)
        if rank == 0:
            return product
        inner = _affine(rng, rank, product.columns, 1 / (40 * 60 * np.sqrt(product.columns)))
        outer = _affine(rng, product.rows, rank, 1 / (40 * 40 * np.sqrt(rank)))
        return Factored(inner, np.float32(rng.uniform(40, 90)), outer)

    layers: list[Layer] = []
    for layer in model.layers:
        if isinstance(layer, Dense):
            layers.append(dataclasses.replace(layer, affine=made(layer.affine)))
        elif isinstance(layer, Decode):
            layers.append(layer)
        elif isinstance(layer, Sru):
            layers.append(Sru(made(layer.input), layer.peephole))
        else:
            layers.append(dataclasses.replace(layer, input=made(layer.input), state=made(layer.state)))
    return dataclasses.replace(model, layers=tuple(layers), head=made(model.head))


def _affine(rng: np.random.Generator, rows: int, columns: int, scale: float) -> Affine:
    weight = np.clip(np.round(rng.normal(0, 40, (rows, columns))), -127, 127).astype(np.int8)
    scales = rng.uniform(0.5, 1.5, rows) * scale
    return Affine(weight, scales.astype(np.float32), rng.normal(0, 0.3, rows).astype(np.float32))


FACTORED = {
    "both matrices of a GRU": factored(tiny_model(31, (("gru", 24),), 40, 6), (8, 5, 0)),
    "the state alone": factored(tiny_model(32, (("dense", 16, 40, 20), ("gru", 96)), 200, 6), (0, 0, 32, 0)),
    "the input alone": factored(tiny_model(33, (("gru", 17),), 33, 3), (7, 0, 0)),
    "two GRUs": factored(tiny_model(34, (("gru", 17), ("gru", 9)), 30, 3), (1, 6, 11, 2, 0)),
    "rank one everywhere": factored(tiny_model(35, (("dense", 5, 6, 3), ("gru", 9)), 18, 3), (1,)),
    "sliding dense layers and a head": factored(
        tiny_model(36, (("dense", 16, 40, 20), ("dense", 5, 16, 8), ("gru", 20)), 200, 6), (5, 3, 9, 4, 2)
    ),
    "ranks above the matrix": factored(tiny_model(37, (("gru", 5),), 3, 2), (40, 33, 7)),
    "the widest factors": factored(tiny_model(38, (("dense", 40, 1024, 1), ("gru", 3)), 1024, 2), (5, 1024, 64, 130)),
    "a forecaster": factored(
        tiny_model(39, (("dense", 20, 26, 26), ("gru", 24), ("decode", 5)), 26, 3, linear=(24, 30)), (0, 9, 7, 10)
    ),
    "units of their own": factored(tiny_model(41, (("sru", 17), ("gru", 5), ("sru", 9)), 30, 3), (6, 0, 2, 11, 0)),
    "a head alone": factored(tiny_model(40, (), 17, 3), (2,)),
}
"""Models with matrices of two factors."""
