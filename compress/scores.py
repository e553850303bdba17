"""What a weight is worth: by its size, by what the loss would miss, or by where training moves it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn

from device_runtime.errors import InputError


class Score(Protocol):
    """How the worth of weights is told; the least worth are removed first."""

    @property
    def batches(self) -> int:
        """Of training data, looked at before anything is removed; 0 where the weights alone tell."""

    def learned(self, so_far: torch.Tensor, product: torch.Tensor) -> torch.Tensor:
        """What is known after one more batch, whose `product` of weight and gradient is what the loss would miss.

        Of each weight, or summed over what goes together: a unit's products cancel where its weights do.
        """

    def worth(self, weight: torch.Tensor, learned: torch.Tensor) -> torch.Tensor:
        """Of each weight (blocks compete by the mean of it), or of whatever it was learned of."""


@dataclass(frozen=True)
class Magnitude:
    """Large weights stay: the worth is the square of the weight, so that blocks compete by their mean square."""

    @property
    def batches(self) -> int:
        """None."""
        return 0

    def learned(self, so_far: torch.Tensor, product: torch.Tensor) -> torch.Tensor:
        """Nothing is learned from gradients."""
        return so_far

    def worth(self, weight: torch.Tensor, learned: torch.Tensor) -> torch.Tensor:
        """Its square."""
        return weight**2


@dataclass(frozen=True)
class Gradient:
    """Weights stay whose absence the loss would notice: |weight x gradient|, a moving average over batches.

    The first term of the loss's Taylor expansion (Molchanov et al. 2017, arXiv:1611.06440), taken weight by weight.
    """

    momentum: float = 0.99
    """Share of what was known before that each new batch leaves, 0 to below 1."""

    batches: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise InputError(f"Gradient got momentum {self.momentum}: it is a share from 0 to below 1, such as 0.99.")
        _look_at_some(self, self.batches)

    def learned(self, so_far: torch.Tensor, product: torch.Tensor) -> torch.Tensor:
        """The moving average with one more batch in it."""
        return self.momentum * so_far + (1 - self.momentum) * product.abs()

    def worth(self, weight: torch.Tensor, learned: torch.Tensor) -> torch.Tensor:
        """The average itself."""
        return learned


@dataclass(frozen=True)
class Movement:
    """Weights stay that training drives away from zero: -weight x gradient, summed over batches.

    After Sanh, Wolf & Rush 2020 (arXiv:2005.07683). A small weight that grows stays, a large one that shrinks goes.
    The sum goes on while the model trains; a weight that is zero has none to add.
    """

    batches: int = 64

    def __post_init__(self) -> None:
        _look_at_some(self, self.batches)

    def learned(self, so_far: torch.Tensor, product: torch.Tensor) -> torch.Tensor:
        """The sum with one more batch in it."""
        return so_far - product

    def worth(self, weight: torch.Tensor, learned: torch.Tensor) -> torch.Tensor:
        """The sum itself; negative where training drives the weight towards zero."""
        return learned


def _look_at_some(score: Score, batches: int) -> None:
    if batches < 1:
        raise InputError(
            f"{type(score).__name__} got {batches} batches, but needs 1 or more to see gradients before it removes "
            "anything. Take for example 64."
        )


class Evidence:
    """What a score has learned of some weights so far."""

    def __init__(self, score: Score, weights: Sequence[nn.Parameter]):
        self.score, self.of = score, list(weights)
        seen = self.of if score.batches else []
        self.learned = [torch.zeros_like(weight) for weight in seen]
        self.before = [weight.detach().clone() for weight in seen]

    @contextmanager
    def kept_in(self, model: nn.Module) -> Iterator[None]:
        """Meanwhile the model's buffers hold the evidence: an interrupted training finds it in its checkpoint."""
        held = {f"evidence_{number}": value for number, value in enumerate((*self.learned, *self.before))}
        for name, value in held.items():
            model.register_buffer(name, value)
        try:
            yield
        finally:
            for name in held:
                delattr(model, name)

    def look(self, model: nn.Module, losses: Iterable[torch.Tensor]) -> None:
        """Learn from the gradients of these losses; the model stays as it is."""
        for loss in losses:
            model.zero_grad(set_to_none=True)
            loss.backward()
            self.update()
        model.zero_grad(set_to_none=True)

    def update(self) -> None:
        """Learn from the gradients that are there now, which are of the weights as last remembered."""
        with torch.no_grad():
            for weight, so_far, before in zip(self.of, self.learned, self.before, strict=False):
                if weight.grad is not None and bool(weight.grad.isfinite().all()):  # a float16 step may overflow
                    so_far.copy_(self.score.learned(so_far, before * weight.grad))

    def remember(self) -> None:
        """The weights as they are now, of which the next gradients will be."""
        for weight, before in zip(self.of, self.before, strict=False):
            before.copy_(weight.detach())

    def worths(self) -> list[torch.Tensor]:
        """Of each weight, in the order and shapes of the weights; -inf where it is zero already and stays so."""
        learned = self.learned or self.of
        told = ((weight.detach(), known.detach()) for weight, known in zip(self.of, learned, strict=True))
        return [self.score.worth(weight, known).masked_fill(weight == 0, -math.inf) for weight, known in told]
