"""The ways to train on a long sequence that `training_memory` compares: each one step of a training."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch.nn import functional

from train import offload, truncated
from train.optimizers import AdamW, AdamW8bit, Optimizer
from train.precision import Products
from train.recompute import Recompute, fitting
from train.student import Student

PIECE = 100
"""Steps that truncated backpropagation learns from at once."""

SMALLEST_ON_DISK = 512
LIMIT_MB = 8.0

Learn = Callable[[Student, torch.Tensor, torch.Tensor, Products], None]
"""(model, frames, labels, products): adds the gradients to the model's parameters."""


def loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """A label for every step."""
    return functional.cross_entropy(outputs.flatten(0, 1), labels.flatten())


def plain(model: Student, frames: torch.Tensor, labels: torch.Tensor, products: Products) -> None:
    """All steps at once, everything kept."""
    with products.mixed():
        value = loss(model.continued(frames, ())[0], labels)
    products.backward(value)


def recomputed(stretches: Recompute | None) -> Learn:
    """Stretches computed twice; none where there is no need."""
    if stretches is None:
        return plain

    def learn(model: Student, frames: torch.Tensor, labels: torch.Tensor, products: Products) -> None:
        products.backward(loss(stretches.run(model, frames), labels))

    return learn


def within(context: Callable[[Student], AbstractContextManager]) -> Learn:
    """All steps at once, where what is kept goes elsewhere."""

    def learn(model: Student, frames: torch.Tensor, labels: torch.Tensor, products: Products) -> None:
        with context(model):
            plain(model, frames, labels, products)

    return learn


def in_pieces(model: Student, frames: torch.Tensor, labels: torch.Tensor, products: Products) -> None:
    """Truncated: the state is carried on, the gradient is not."""
    truncated.gradients(model, frames, lambda outputs, here: loss(outputs, labels[:, here]), PIECE)


def accumulated(model: Student, frames: torch.Tensor, labels: torch.Tensor, products: Products) -> None:
    """One sequence of the batch after the other."""
    for one, its_labels in zip(frames.split(1), labels.split(1), strict=True):
        products.backward(loss(model.continued(one, ())[0], its_labels) / len(frames))


@dataclass(frozen=True)
class Way:
    """One way to take a step."""

    name: str
    ready: Callable[[Student, torch.Tensor], Learn] = lambda model, frames: plain
    """What is decided once for sequences of this length."""

    products: Callable[[], Products] = Products
    optimizer: Optimizer = AdamW()  # noqa: RUF009  # frozen, without fields


WAYS = (
    Way("plain"),
    Way("recomputed, sqrt(T) steps", lambda *_: recomputed(Recompute())),
    Way("recomputed, 200 steps", lambda *_: recomputed(Recompute(200))),
    Way(f"recomputed to fit {LIMIT_MB:g} MB", lambda model, frames: recomputed(fitting(model, frames, LIMIT_MB * 1e6))),
    Way(f"truncated to {PIECE} steps", lambda *_: in_pieces),
    Way("a sequence at a time", lambda *_: accumulated),
    Way("kept in the CPU's memory", lambda *_: within(lambda model: offload.to_cpu())),
    Way("kept on disk", lambda *_: within(lambda model: offload.to_disk(model, smallest_bytes=SMALLEST_ON_DISK))),
    Way("bfloat16", products=lambda: Products(torch.bfloat16)),
    Way("float16, scaled loss", products=lambda: Products(torch.float16)),
    Way("8-bit optimizer state", optimizer=AdamW8bit()),
)
"""The first one gives the gradients that the others are held against."""
