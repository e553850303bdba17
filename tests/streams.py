"""Models and streams that are hard on an exact engine: odd sizes, ties, saturation, zeros, silence."""

from __future__ import annotations

import dataclasses

import numpy as np

from device_runtime.arithmetic import Affine, Decode, Dense, Float32, Gru, Layer, Model, Sru
from models import SRUS, random_frames, tiny_model

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
    layers: list[Layer] = []
    for layer in model.layers:
        if isinstance(layer, Dense):
            layers.append(dataclasses.replace(layer, affine=_scaled(layer.affine, factor, weight)))
        elif isinstance(layer, Decode):
            layers.append(Decode(layer.positions * np.float32(factor)))
        elif isinstance(layer, Sru):
            layers.append(Sru(_scaled(layer.input, factor, weight), layer.peephole * np.float32(factor)))
        else:
            layers.append(Gru(_scaled(layer.input, factor, weight), _scaled(layer.state, factor, weight)))
    head = _scaled(model.head, factor, weight)
    linear = model.linear and dataclasses.replace(model.linear, affine=_scaled(model.linear.affine, factor, weight))
    return dataclasses.replace(model, layers=tuple(layers), head=head, linear=linear)


MODELS |= {
    "gates at the ends of their tables": scaled(MODELS["sliding dense and GRU"], 40),
    "the largest products": scaled(MODELS["the widest row"], 1, weight=-127),
    "scales and biases of zero": scaled(MODELS["two dense layers and two GRUs"], 0),
    "weights of zero": scaled(MODELS["two dense layers and two GRUs"], 1, weight=0),
}

FORECASTERS = {
    "a forecaster": tiny_model(21, (("dense", 20, 26, 26), ("gru", 24), ("decode", 5)), 26, 3, linear=(24, 30)),
    "decoding without a linear map": tiny_model(22, (("gru", 17), ("decode", 3)), 7, 6),
    "one position decoded": tiny_model(23, (("gru", 5), ("decode", 1)), 4, 2, linear=(4, 1)),
    "decoding from the second GRU": tiny_model(24, (("gru", 6), ("gru", 9), ("decode", 33)), 10, 1, linear=(3, 7)),
    "a linear map beside a GRU": tiny_model(25, (("gru", 8),), 12, 3, linear=(12, 16)),
    "a linear map beside a head": tiny_model(26, (), 3, 2, linear=(2, 1024)),
    "a pruned forecaster": tiny_model(27, (("gru", 32), ("decode", 4)), 24, 3, sparsity=0.8, linear=(24, 30)),
}
"""Models that decode positions or add a linear map."""

FORECASTERS |= {
    "a forecaster at the ends of its tables": scaled(FORECASTERS["a forecaster"], 40),
    "a forecaster with the largest products": scaled(FORECASTERS["a linear map beside a head"], 1, weight=-127),
    "a forecaster with weights of zero": scaled(FORECASTERS["a forecaster"], 1, weight=0),
}

SRU_MODELS = {
    "units of their own behind a dense layer": tiny_model(51, SRUS, 200, 6),
    "one unit of its own": tiny_model(52, (("sru", 1),), 1, 1),
    "as many units as inputs": tiny_model(53, (("sru", 33),), 33, 3),
    "a GRU among them": tiny_model(54, (("sru", 11), ("gru", 6), ("sru", 4)), 21, 20),
    "dense layers among them": tiny_model(
        55, (("sru", 12), ("dense", 3, 4, 2), ("sru", 17), ("dense", 5, 17, 1)), 10, 2
    ),
    "decoding from a GRU behind them": tiny_model(56, (("sru", 8), ("gru", 7), ("decode", 5)), 9, 3, linear=(6, 5)),
    "a linear map beside them": tiny_model(57, (("sru", 19),), 12, 3, linear=(12, 16)),
    "more units than a matrix has columns": tiny_model(58, (("sru", 1500), ("dense", 2, 1000, 100)), 3, 2),
    "the widest row into them": tiny_model(59, (("sru", 48),), 1024, 2),
    "nine in ten of their weights pruned": tiny_model(60, SRUS, 200, 6, sparsity=0.9),
}
"""Models of simple recurrent units."""

SRU_MODELS |= {
    "their gates at the ends of the table": scaled(SRU_MODELS["units of their own behind a dense layer"], 40),
    "their states at their limits": scaled(SRU_MODELS["a GRU among them"], 1e4),
    "their largest products": scaled(SRU_MODELS["the widest row into them"], 1, weight=-127),
    "their scales and biases of zero": scaled(SRU_MODELS["a GRU among them"], 0),
    "tiny values everywhere": scaled(SRU_MODELS["a GRU among them"], 1e-38),
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
