"""Models and streams that are hard on an exact engine: odd sizes, ties, saturation, zeros, silence."""

from __future__ import annotations

import dataclasses

import numpy as np

from device_runtime.arithmetic import Affine, Dense, Float32, Gru, Model
from models import random_frames, tiny_model

MODELS = {
    "sliding dense and GRU": tiny_model(1, (("dense", 16, 40, 20), ("gru", 96)), 200, 6),
    "two GRUs": tiny_model(2, (("gru", 17), ("gru", 3)), 3, 2),
    "one of everything": tiny_model(3, (("gru", 1),), 1, 1),
    "dense over the whole frame": tiny_model(4, (("dense", 33, 96, 1), ("gru", 17)), 96, 3),
    "windows that leave inputs over": tiny_model(5, (("dense", 3, 5, 4), ("gru", 17)), 18, 3),
    "one window on part of the frame": tiny_model(6, (("dense", 3, 5, 9), ("gru", 4)), 12, 3),
    "two dense layers and two GRUs": tiny_model(
        7, (("dense", 8, 6, 3), ("dense", 5, 16, 8), ("gru", 9), ("gru", 20)), 30
    ),
    "a dense layer between GRUs": tiny_model(8, (("gru", 12), ("dense", 3, 4, 2), ("gru", 5)), 10, 2),
    "no recurrence": tiny_model(9, (("dense", 17, 3, 2),), 17, 96),
    "a head alone": tiny_model(10, (), 17, 3),
    "the widest row": tiny_model(11, (("dense", 2, 1024, 1), ("gru", 3)), 1024, 2),
    "nine in ten weights pruned": tiny_model(12, (("dense", 16, 40, 20), ("gru", 24)), 200, 6, sparsity=0.9),
}


def _scaled(affine: Affine, factor: float, weight: int | None = None) -> Affine:
    changed = affine.weight if weight is None else np.full_like(affine.weight, weight)
    return Affine(changed, affine.scale * np.float32(factor), affine.bias * np.float32(factor))


def scaled(model: Model, factor: float, weight: int | None = None) -> Model:
    """The model with every scale and bias multiplied, and perhaps every weight replaced."""
    layers: list[Dense | Gru] = []
    for layer in model.layers:
        if isinstance(layer, Dense):
            layers.append(dataclasses.replace(layer, affine=_scaled(layer.affine, factor, weight)))
        else:
            layers.append(Gru(_scaled(layer.input, factor, weight), _scaled(layer.state, factor, weight)))
    return dataclasses.replace(model, layers=tuple(layers), head=_scaled(model.head, factor, weight))


MODELS |= {
    "gates at the ends of their tables": scaled(MODELS["sliding dense and GRU"], 40),
    "the largest products": scaled(MODELS["the widest row"], 1, weight=-127),
    "scales and biases of zero": scaled(MODELS["two dense layers and two GRUs"], 0),
    "weights of zero": scaled(MODELS["two dense layers and two GRUs"], 1, weight=0),
}


def streams(model: Model, count: int) -> dict[str, Float32]:
    """Frames by what is hard about them, (count, feature_size) each."""
    size = model.feature_size
    lively = random_frames(count, size, seed=size)
    ties = np.floor(lively * 20) / (2 * model.input_gain)  # at or near k + 1/2 before rounding
    return {
        "lively": lively,
        "constant": np.broadcast_to(np.abs(lively[0]) / 3, lively.shape).astype(np.float32),
        "saturating": np.sign(lively) * np.float32(1e6),
        "zero": np.zeros_like(lively),
        "negative zero": np.negative(np.zeros_like(lively)),
        "tiny": lively * np.float32(1e-25),
        "ties": ties.astype(np.float32),
    }
