"""Whole units are removed: the student that remains is dense, narrower, and trains on to heal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol, cast

import torch
from torch import nn

from compress.deployed import refuse_other_cells
from compress.method import Workbench
from compress.prune import hold_zeros
from compress.scores import Magnitude, Score
from device_runtime.errors import InputError

DENSE = ("channels", "projection")
"""What a student's config calls the rows of its dense layers, in their order; a layer that it lacks has 0."""

HIDDEN = "hidden"
"""What it calls the units of each recurrent layer."""


class Wide(Protocol):
    """What can be made narrower: dense layers, recurrent ones, a linear head, and the config that tells their sizes."""

    config: Any
    dense: Sequence[Any]
    grus: Sequence[Any]
    """Each an `nn.GRU`, or a `FloatSru`."""

    head: nn.Linear


@dataclass(frozen=True)
class RemoveUnits:
    """Keep this share of each recurrent layer's units, of the projection's rows and of the convolution's channels.

    With a unit go its rows in all gates, its column in the recurrent matrix, and its columns in whatever reads it: all
    that is left of the layer is what a smaller layer has (intrinsic sparse structures: Wen et al. 2018,
    arXiv:1709.05027). A unit is worth the sum of what would go with it: of its squared weights, or of weight x
    gradient, which tells what the loss would miss. Remove units before single blocks are zeroed: rows that move up
    would shift the blocks.
    """

    keep: float
    epochs: int
    learning_rate: float = 4e-3
    rounds: int = 1
    """1 removes all at once; more remove them bit by bit, each round followed by its part of the epochs."""

    score: Score = field(default_factory=Magnitude)
    projection: float | None = None
    """Share of the projection's rows that stays, if not `keep`."""

    channels: float | None = None
    """Share of the convolution's channels that stays, if not `keep`."""

    name: str = "narrowed"

    def __post_init__(self) -> None:
        for what, share in (("keep", self.keep), *((part, getattr(self, part)) for part in DENSE)):
            if share is not None and not 0 < share <= 1:
                raise InputError(
                    f"RemoveUnits got {what} {share}: it is the share of units that stays, above 0 and up to 1, "
                    "such as 0.75."
                )
        if self.rounds < 1 or self.epochs < 0:
            raise InputError(
                f"RemoveUnits got {self.rounds} rounds and {self.epochs} epochs: units are removed in 1 round or more, "
                "and trained on for 0 epochs or more."
            )

    def apply(self, student: nn.Module, bench: Workbench) -> nn.Module:
        """Narrow in place, training on after each round."""
        refuse_other_cells(student)
        wide = [layer.units for layer in layers(student)]
        for done in range(1, self.rounds + 1):
            found = layers(student)
            worths = self._worths(student, found, bench)
            for layer, worth, units in zip(found, worths, wide, strict=True):
                gone = (1 - self._share(layer.part)) * done / self.rounds
                layer.narrow(worth, max(1, round((1 - gone) * units)))
            _declare_sizes(cast(Wide, student), found)
            epochs = self.epochs * done // self.rounds - self.epochs * (done - 1) // self.rounds
            if epochs:
                title = self.name if done == self.rounds else f"{self.name}-{done}"
                held = hold_zeros(student)
                bench.tune(student, epochs, self.learning_rate, title, held, settings=repr(self))
        return student

    def _share(self, part: str) -> float:
        own: float | None = getattr(self, part, None)
        return self.keep if own is None else own

    def _worths(self, student: nn.Module, found: Sequence[Layer], bench: Workbench) -> list[torch.Tensor]:
        """Of the units of each layer."""
        if not self.score.batches:
            return [layer.per_unit(lambda weight: self.score.worth(weight, weight)) for layer in found]
        learned = [torch.zeros(layer.units) for layer in found]
        for loss in bench.losses(student, self.score.batches):
            student.zero_grad(set_to_none=True)
            loss.backward()
            products = [layer.per_unit(_product) for layer in found]
            learned = [self.score.learned(*known) for known in zip(learned, products, strict=True)]
        student.zero_grad(set_to_none=True)
        return [self.score.worth(known, known) for known in learned]


def _product(weight: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight * weight.grad


@dataclass(frozen=True)
class Met:
    """Where the units of a layer are met: along `dim` of a parameter, index i belongs to unit i modulo units.

    That holds for gates one below the other and for the outputs of a convolution, window after window, alike.
    """

    module: nn.Module
    name: str
    dim: int = 0

    @property
    def weight(self) -> nn.Parameter:
        """The parameter as it is now."""
        return cast(nn.Parameter, getattr(self.module, self.name))

    def per_unit(self, worth: torch.Tensor, units: int) -> torch.Tensor:
        """What the parameter's numbers are worth, summed for each unit: (units,)."""
        return worth.movedim(self.dim, 0).reshape(worth.shape[self.dim] // units, units, -1).sum(dim=(0, 2))

    def narrow(self, kept: torch.Tensor, units: int) -> None:
        """Leave only what belongs to the kept units."""
        split = self.weight.detach().unflatten(self.dim, (-1, units)).index_select(self.dim + 1, kept)
        setattr(self.module, self.name, nn.Parameter(split.flatten(self.dim, self.dim + 1).contiguous()))


@dataclass(frozen=True)
class Layer:
    """The units of one layer, and everywhere that they are met."""

    part: str
    """What the student's config calls their number."""

    units: int
    mets: tuple[Met, ...]

    def per_unit(self, of: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Something of each number that goes with a unit, summed: (units,)."""
        with torch.no_grad():
            return torch.stack([met.per_unit(of(met.weight), self.units) for met in self.mets]).sum(dim=0)

    def narrow(self, worth: torch.Tensor, count: int) -> None:
        """Keep so many units, those that are worth most, in the order they had."""
        kept = worth.argsort(descending=True, stable=True)[:count].sort().values
        for met in self.mets:
            met.narrow(kept, self.units)


def layers(student: nn.Module) -> list[Layer]:
    """The layers of a student from which units can be removed: dense ones, then recurrent ones."""
    wide, parts = cast(Wide, student), _parts(student)
    found: list[Layer] = []
    for at, (dense, part) in enumerate(zip(wide.dense, parts, strict=True)):
        after = wide.dense[at + 1].affine if at + 1 < len(wide.dense) else None
        reader = Met(after, "weight", 1) if after else _of_inputs(wide.grus[0])
        mets = Met(dense.affine, "weight"), Met(dense.affine, "bias"), reader
        found.append(Layer(part, dense.affine.out_features, mets))
    for at, layer in enumerate(wide.grus):
        last = at + 1 == len(wide.grus)
        readers = [Met(wide.head, "weight", 1) if last else _of_inputs(wide.grus[at + 1])]
        if last and hasattr(student, "positions"):  # a forecaster's decoding steps: what the last GRU adds
            readers.append(Met(student, "positions", 1))
        found.append(Layer(HIDDEN, _units(layer), (*_own(layer), *readers)))
    return found


def _units(layer: Any) -> int:
    units: int = layer.hidden_size if isinstance(layer, nn.GRU) else len(layer.v) // 2
    return units


def _of_inputs(layer: Any) -> Met:
    """The columns that read what comes before a recurrent layer."""
    return Met(layer, "weight_ih_l0", 1) if isinstance(layer, nn.GRU) else Met(layer.affine, "weight", 1)


def _own(layer: Any) -> tuple[Met, ...]:
    """What a recurrent layer has of each unit."""
    if isinstance(layer, nn.GRU):
        rows = (Met(layer, f"{what}_l0") for what in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        return (*rows, Met(layer, "weight_hh_l0", 1))
    return Met(layer.affine, "weight"), Met(layer.affine, "bias"), Met(layer, "v")


def _parts(student: nn.Module) -> list[str]:
    """What the config calls the rows of each dense layer; InputError where this is no student that can be narrowed."""
    config, dense, grus = (getattr(student, what, None) for what in ("config", "dense", "grus"))
    known = (type(layer) is nn.GRU or type(getattr(layer, "affine", None)) is nn.Linear for layer in grus or ())
    plain = [type(layer.affine) is nn.Linear for layer in dense or ()] + list(known)
    if config is None or dense is None or not grus or not all(plain):
        raise InputError(
            f"RemoveUnits got a {type(student).__name__}, whose layers it does not know: it narrows dense and "
            "recurrent layers of a float student. Put it before the methods that replace them."
        )
    return [part for part in DENSE if getattr(config, part, 0)][: len(dense)]


def _declare_sizes(student: Wide, narrowed: Sequence[Layer]) -> None:
    """Let modules and config say how large the weights are now."""
    before = None
    for dense, layer in zip(student.dense, narrowed, strict=False):
        affine = dense.affine
        if before is not None:  # windows slide over whole windows of the layer before
            dense.hop = dense.hop // before.units * before.mets[0].weight.shape[0]
        affine.out_features, affine.in_features = affine.weight.shape
        before = layer
    for gru in student.grus:
        if isinstance(gru, nn.GRU):
            inputs, states = gru.all_weights[0][:2]
            gru.input_size, gru.hidden_size = inputs.shape[1], states.shape[1]
        else:
            gru.affine.out_features, gru.affine.in_features = gru.affine.weight.shape
    student.head.in_features = student.head.weight.shape[1]
    sizes = {layer.part: layer.mets[0].weight.shape[0] for layer in narrowed}
    sizes[HIDDEN] = student.head.in_features
    known = {known.name for known in fields(student.config)}
    student.config = replace(student.config, **{part: size for part, size in sizes.items() if part in known})
