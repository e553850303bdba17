"""Blocks of weights are set to zero, little by little or all at once, while the student trains on and heals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from compress.blocks import worth_mask, worth_masks
from compress.factored_cells import AnyGru, by_gate
from compress.method import AfterStep, Workbench
from compress.scores import Evidence, Magnitude, Score
from device_runtime.errors import InputError


@dataclass(frozen=True)
class Prune:
    """Zero the blocks that are worth least: none at first, `sparsity` of them at the end of the ramp.

    The ramp is cubic (Zhu & Gupta 2017, arXiv:1710.01878) over the first `ramp` of the training; the rest heals. A
    block is rows x columns: whole blocks are what an engine can skip and a bundle need not store. What is zero already
    stays so.
    """

    sparsity: float
    epochs: int
    block: tuple[int, int] = (8, 2)
    ramp: float = 0.6
    """Share of the training; 0 zeroes everything before the first step, and the training heals with masks held."""

    learning_rate: float = 4e-3
    smallest: int = 2048
    """Matrices with fewer weights stay dense: the first convolution and the head are worth their bytes."""

    score: Score = field(default_factory=Magnitude)
    scope: Literal["matrix", "model"] = "matrix"
    """Where blocks compete: each matrix loses `sparsity` of its own, or the model that share of all."""

    gates: tuple[float, float, float] | None = None
    """Sparsity of a GRU's rows for r (reset), z (update) and n (new state), instead of `sparsity`.

    Blocks start anew at each gate's first row: let the block's rows divide the hidden units.
    """

    name: str = "pruned"

    def __post_init__(self) -> None:
        if not (0 <= self.sparsity < 1 and 0 <= self.ramp <= 1 and min(self.block) >= 1):
            raise InputError(
                f"pruning got sparsity {self.sparsity}, ramp {self.ramp} and blocks of {self.block}: sparsity is a "
                "share from 0 to below 1, ramp one from 0 (all at once) to 1, and a block has at least 1 row and 1 "
                "column."
            )
        if self.epochs < 1 and self.ramp:
            raise InputError(
                f"pruning got {self.epochs} epochs for a ramp of {self.ramp}: blocks go while the student trains. "
                "Give 1 epoch or more, or ramp=0 to prune without training."
            )
        if self.scope not in ("matrix", "model"):
            raise InputError(
                f"pruning got scope {self.scope!r}: blocks compete within each 'matrix' or in the 'model'."
            )
        if self.gates is not None:
            self._check_gates(self.gates)

    def _check_gates(self, gates: tuple[float, ...]) -> None:
        if len(gates) != 3 or not all(0 <= share < 1 for share in gates):
            raise InputError(
                f"pruning got gates {gates}: give three sparsities from 0 to below 1, for the rows of r, z and n."
            )
        if self.scope == "model":
            raise InputError(
                f"pruning got gates {gates} and scope 'model', where blocks of all gates compete. Choose one."
            )

    def apply(self, student: nn.Module, bench: Workbench) -> nn.Module:
        """Prune in place while training on."""
        before, evidence = hold_zeros(student), Evidence(self.score, self._weights(student))
        if self.score.batches:
            evidence.look(student, bench.losses(student, self.score.batches))
        shares = [self._shares(student, weight) for weight in evidence.of]
        if self.gates is not None and self.gates not in shares:
            raise InputError(
                f"pruning got gates {self.gates}, but this model has no matrix of a GRU with {self.smallest} weights "
                "or more, whose rows are those of r, z and n. Leave gates out, or lower smallest."
            )

        def zero(part: float) -> None:
            before(part)
            with torch.no_grad():
                for weight, mask in zip(evidence.of, self._masks(evidence.worths(), shares, part), strict=True):
                    weight.mul_(mask)
            evidence.remember()

        def zero_more(done: float) -> None:
            if done <= self.ramp:  # from then on nothing is learned, and the same masks are held
                evidence.update()
            left = 1.0 - min(done / self.ramp, 1.0)
            zero(1.0 - left**3)

        if self.ramp:
            with evidence.kept_in(student):
                bench.tune(student, self.epochs, self.learning_rate, self.name, zero_more, self.ramp, repr(self))
            return student
        zero(1.0)
        if self.epochs:
            held = hold_zeros(student)
            bench.tune(student, self.epochs, self.learning_rate, self.name, held, settings=repr(self))
        return student

    def _weights(self, student: nn.Module) -> list[nn.Parameter]:
        """The matrices to prune."""
        head = set(getattr(student, "head", nn.Identity()).parameters())
        large = [matrix for matrix in _matrices(student) if matrix.numel() >= self.smallest]
        return [matrix for matrix in large if matrix not in head]

    def _shares(self, student: nn.Module, weight: nn.Parameter) -> tuple[float, ...]:
        """Sparsities of equal parts of this matrix's rows: three in a GRU whose gates are told apart, else one."""
        grus = (module for module in student.modules() if isinstance(module, AnyGru))
        of_gates = {matrix for gru in grus for matrix in by_gate(gru)}
        return self.gates if self.gates is not None and weight in of_gates else (self.sparsity,)

    def _masks(self, worths: list[torch.Tensor], shares: list[tuple[float, ...]], part: float) -> list[torch.Tensor]:
        """Of each matrix, when `part` of the zeros in the end are there."""
        if self.scope == "model":
            return worth_masks(worths, self.block, self.sparsity * part)
        return [
            torch.cat(
                [
                    worth_mask(rows, self.block, share * part)
                    for rows, share in zip(worth.chunk(len(each)), each, strict=True)
                ]
            )
            for worth, each in zip(worths, shares, strict=True)
        ]


def keep_zeros(model: nn.Module) -> list[tuple[nn.Parameter, torch.Tensor]]:
    """Each weight matrix with the mask of its non-zeros: multiply after each step, and pruned stays pruned."""
    return [(p, (p != 0).to(p.dtype)) for p in _matrices(model) if bool((p == 0).any())]


def hold_zeros(model: nn.Module) -> AfterStep:
    """What keeps a model's zeros at zero while it trains."""
    masks = keep_zeros(model)

    def stay_zero(done: float) -> None:
        with torch.no_grad():
            for weight, mask in masks:
                weight.mul_(mask)

    return stay_zero


def _matrices(model: nn.Module) -> list[nn.Parameter]:
    """The weight matrices; a forecaster's positions only look like one: each row is what the GRU adds as it is."""
    positions = getattr(model, "positions", None)
    return [p for p in model.parameters() if p.ndim == 2 and p is not positions]
