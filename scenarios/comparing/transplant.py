"""One part of a model in the place of another's: exactly, whatever int8 scales the two were calibrated to.

A row's scale holds the scale of the int8 values that it reads. Where the two models round these differently, the rows
that move are told the grid of their new place, and the rows that read what a moved layer writes are told its grid.

The states of an SRU are in units of the largest one seen in calibration, which a bundle does not keep: its parts move
as they stand, relative to that, as if both models' largest states were equal.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from device_runtime.arithmetic import Affine, Decode, Dense, Factored, Gru, Model, Product, Sru
from device_runtime.weights import matrices
from scenarios.comparing.parts import SRU_GATES, Part, with_matrices


def transplant(part: Part, giver: Model, taker: Model) -> Model:
    """`taker` with that part of `giver`, which has the same shapes.

    A dense layer brings the gain that rounds its outputs, a GRU's input matrix the positions of a decoding layer that
    stand in its place, an SRU's gate how it hears the state.
    """
    given, held = matrices(giver), matrices(taker)
    fitted = {name: _rescaled(given[name], _gain(giver, name) / _gain(taker, name)) for name in part.matrices}
    made = with_matrices(taker, {name: _with_rows(part, held[name], fitted[name]) for name in part.matrices})
    for i, layer in enumerate(giver.layers):
        if f"layers.{i}" in part.matrices and isinstance(layer, Dense):
            made = _with_gain(made, i, layer.output_gain)
        if f"layers.{i - 1}.input" in part.matrices and isinstance(layer, Decode):
            made = _with_positions(made, i, layer.positions, part)
        if f"layers.{i}.input" in part.matrices and isinstance(layer, Sru):
            made = _with_peephole(made, i, layer.peephole, part)
    return made


def moved(part: Part, first: Model, second: Model) -> float:
    """How far the part's weights are from one model to the other, as a share of the first's size (Frobenius norms)."""
    before, after = (np.concatenate([_values(m, name, part) for name in part.matrices]) for m in (first, second))
    return float(np.linalg.norm(after - before)) / max(float(np.linalg.norm(before)), 1e-30)


def _values(model: Model, name: str, part: Part) -> np.ndarray:
    """The weights of the part as they act on what is not rounded, (any,)."""
    product = matrices(model)[name]
    factors = [factor.weight.astype(np.float64) * factor.scale[:, None] for factor in reversed(product.factors)]
    weights = np.linalg.multi_dot(factors) * product.gain if isinstance(product, Factored) else factors[0]
    return (weights * _gain(model, name))[part.rows(product.rows)].reshape(-1)


def _gain(model: Model, name: str) -> np.float64:
    """What multiplies the values that a matrix reads before they are rounded to int8; 1 for a state, which is fixed.

    Also 1 for the outputs of an SRU, relative to its largest state.
    """
    if name == "linear":
        return np.float64(model.input_gain)
    at = len(model.layers) if name == "head" else int(name.split(".")[1])
    if name.endswith(".state"):
        return np.float64(1)
    if at == 0:
        return np.float64(model.input_gain)
    before = model.layers[at - 1]
    return np.float64(before.output_gain) if isinstance(before, Dense) else np.float64(1)


def _rescaled(product: Product, ratio: np.float64) -> Product:
    """The same map of values that are rounded with another gain, `ratio` times smaller."""
    if isinstance(product, Factored):
        return replace(product, inner=replace(product.inner, scale=_times(product.inner.scale, ratio)))
    return replace(product, scale=_times(product.scale, ratio))


def _times(scale: np.ndarray, ratio: np.float64) -> np.ndarray:
    return (scale * ratio).astype(np.float32)


def _with_rows(part: Part, old: Product, new: Product) -> Product:
    if part.gate is None:
        return new
    assert isinstance(old, Affine)  # as `parts` of both models say
    assert isinstance(new, Affine)
    rows = part.rows(old.rows)
    arrays = {name: np.array(getattr(old, name)) for name in ("weight", "scale", "bias")}
    for name, array in arrays.items():
        array[rows] = getattr(new, name)[rows]
    return Affine(**arrays)


def _with_gain(model: Model, at: int, gain: np.float32) -> Model:
    """The layer rounds its outputs with another gain, and whoever reads them knows."""
    layer = model.layers[at]
    assert isinstance(layer, Dense)
    ratio = np.float64(layer.output_gain) / np.float64(gain)
    layers = (*model.layers[:at], replace(layer, output_gain=gain), *model.layers[at + 1 :])
    reader = "head"
    if at + 1 < len(layers):
        reader = f"layers.{at + 1}.input" if isinstance(layers[at + 1], Gru | Sru) else f"layers.{at + 1}"
    made = replace(model, layers=layers)
    return with_matrices(made, {reader: _rescaled(matrices(made)[reader], ratio)})


def _with_positions(model: Model, at: int, positions: np.ndarray, part: Part) -> Model:
    layer = model.layers[at]
    assert isinstance(layer, Decode)
    new = np.array(layer.positions)
    rows = part.rows(new.shape[1])
    new[:, rows] = positions[:, rows]
    return replace(model, layers=(*model.layers[:at], Decode(new), *model.layers[at + 1 :]))


def _with_peephole(model: Model, at: int, peephole: np.ndarray, part: Part) -> Model:
    layer = model.layers[at]
    assert isinstance(layer, Sru)
    new = np.array(layer.peephole)
    for row, letter in enumerate("fr"):
        if part.gate in (None, SRU_GATES.index(letter)):
            new[row] = peephole[row]
    return replace(model, layers=(*model.layers[:at], replace(layer, peephole=new), *model.layers[at + 1 :]))
