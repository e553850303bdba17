"""The parts of a model that can be taken by themselves: each matrix, each gate, and each gate of each matrix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from device_runtime.arithmetic import Affine, Decode, Dense, Factored, Gru, Layer, Linear, Model, Product, Sru
from device_runtime.weights import matrices

GATES = ("r", "z", "n")
"""Of a GRU: reset, update and candidate, in the order of their rows."""

SRU_GATES = ("x", "f", "r", "p")
"""Of an SRU: candidate, forget, reset and what passes by the cell, in the order of their rows."""


@dataclass(frozen=True)
class Part:
    """A whole matrix, or the rows of one gate in one or both matrices of a GRU, or in the matrix of an SRU.

    >>> Part("layers.1.state.z", ("layers.1.state",), gate=1).rows(30)
    slice(10, 20, None)
    >>> Part("layers.1 gate f", ("layers.1.input",), gate=1, gates=4).rows(40)
    slice(10, 20, None)
    """

    name: str
    matrices: tuple[str, ...]
    """As in model.npz: `layers.0`, `layers.2.input`, `layers.2.state`, `head`, `linear`."""

    gate: int | None = None
    """Which of its gates; None takes all rows."""

    gates: int = len(GATES)
    """How many gates the rows are those of."""

    def rows(self, count: int) -> slice:
        """Its rows in a matrix of so many."""
        if self.gate is None:
            return slice(0, count)
        return slice(self.gate * count // self.gates, (self.gate + 1) * count // self.gates)


def parts(model: Model) -> list[Part]:
    """From the input to the head. The gates of a factored matrix share a factor, so that they are no parts."""
    found: list[Part] = []
    held = matrices(model)
    for i, layer in enumerate(model.layers):
        if isinstance(layer, Gru):
            both = (f"layers.{i}.input", f"layers.{i}.state")
            found += [Part(name, (name,)) for name in both]
            whole = [name for name in both if isinstance(held[name], Affine)]
            if len(whole) == len(both):
                found += [Part(f"layers.{i} gate {letter}", both, gate) for gate, letter in enumerate(GATES)]
            found += [Part(f"{name}.{letter}", (name,), gate) for name in whole for gate, letter in enumerate(GATES)]
        elif isinstance(layer, Sru):
            name = f"layers.{i}.input"
            found.append(Part(name, (name,)))
            if isinstance(layer.input, Affine):
                of = len(SRU_GATES)
                found += [Part(f"layers.{i} gate {letter}", (name,), at, of) for at, letter in enumerate(SRU_GATES)]
        elif isinstance(layer, Dense):
            found.append(Part(f"layers.{i}", (f"layers.{i}",)))
    return found + [Part(name, (name,)) for name in ("head", "linear") if name in held]


def with_matrices(model: Model, changed: Mapping[str, Product]) -> Model:
    """The model with other matrices of the same shapes under these names."""
    layers = tuple(_layer(layer, f"layers.{i}", changed) for i, layer in enumerate(model.layers))
    linear = model.linear
    other = changed.get("linear")
    if linear is not None and isinstance(other, Affine):
        linear = Linear(other, linear.width)
    return replace(model, layers=layers, head=changed.get("head", model.head), linear=linear)


def _layer(layer: Layer, name: str, changed: Mapping[str, Product]) -> Layer:
    match layer:
        case Dense():
            return replace(layer, affine=changed.get(name, layer.affine))
        case Gru():
            return Gru(changed.get(f"{name}.input", layer.input), changed.get(f"{name}.state", layer.state))
        case Sru():
            return replace(layer, input=changed.get(f"{name}.input", layer.input))
        case Decode():
            return layer


def each_factor(product: Product, change: Callable[[Affine], Affine]) -> Product:
    """The matrix with each of its factors changed."""
    if isinstance(product, Factored):
        return replace(product, inner=change(product.inner), outer=change(product.outer))
    return change(product)


def difference(first: Model, second: Model) -> str:
    """Why the parts of one model do not fit into the other; empty where they do."""
    if first.feature_size != second.feature_size:
        return f"frames of {first.feature_size} and {second.feature_size} features"
    kinds = [[_described(layer) for layer in model.layers] for model in (first, second)]
    if kinds[0] != kinds[1]:
        return f"layers {', '.join(kinds[0])} and {', '.join(kinds[1])}"
    shapes = [{name: (m.rows, m.columns) for name, m in matrices(model).items()} for model in (first, second)]
    for name in {**shapes[0], **shapes[1]}:
        sizes = ["none" if name not in shape else "{}x{}".format(*shape[name]) for shape in shapes]
        if sizes[0] != sizes[1]:
            return f"{name} of {sizes[0]} and {sizes[1]}"
    return ""


def _described(layer: Layer) -> str:
    match layer:
        case Dense():
            return f"dense by {layer.hop}"
        case Gru():
            return f"GRU of {layer.hidden}"
        case Sru():
            return f"SRU of {layer.hidden}"
        case Decode():
            return f"decode of {len(layer.positions)}"
