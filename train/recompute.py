"""Gradient checkpointing over time: keep the state at the ends of stretches, compute what lies between twice.

Backpropagation through T steps keeps what every step computed. Kept at the ends of stretches of k steps alone, and
computed again stretch by stretch on the way back, T/k states and one stretch of k steps are in memory: least, about
2 sqrt(T), at k = sqrt(T) (Chen et al. 2016, arXiv:1604.06174; Gruslys et al. 2016, arXiv:1606.03401). The price is one
more forward pass, whatever k is, so a longer stretch is never slower: with a memory limit the longest that fits is
chosen. Gradients are the same: the same operations on the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from device_runtime.errors import InputError
from train.live_memory import LiveMemory

PROBED = 100, 200
"""Steps of two stretches: what memory costs a step is the slope between them. In shorter ones weights weigh more."""

OUTPUT_COPIES = 3
"""Of all steps: by stretch, joined, and what a loss makes of them."""


class Continued(Protocol):
    """A recurrent model that can go on from where it was."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """What it learns."""

    def continued(
        self, frames: torch.Tensor, states: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """(batch, steps, features) and the states before them (none at the start) to outputs and the states behind."""


@dataclass(frozen=True)
class Recompute:
    """Which stretches are computed twice.

    >>> Recompute().stretch(4000)
    64
    >>> Recompute(steps=100).stretch(4000)
    100
    """

    steps: int | None = None
    """In a stretch; None takes the square root of the sequence's length, which needs the least memory."""

    def __post_init__(self) -> None:
        if self.steps is not None and self.steps < 1:
            raise InputError(
                f"recomputing needs stretches of at least 1 step, got {self.steps}. Leave it out for sqrt."
            )

    def stretch(self, length: int) -> int:
        """Steps in a stretch of a sequence of that many."""
        return min(length, self.steps or max(1, math.ceil(math.sqrt(length))))

    def run(self, model: Continued, frames: torch.Tensor) -> torch.Tensor:
        """The model's outputs for (batch, steps, features), as without recomputing."""
        outputs: list[torch.Tensor] = []
        states: tuple[torch.Tensor, ...] = ()
        # The way that re-enters autograd: the other one calls Python for each tensor that a step would have kept, which
        # took twice as long as the steps themselves. It wants an input with a gradient, which frames need not have.
        wanted = torch.zeros((), requires_grad=torch.is_grad_enabled())
        for part in frames.split(self.stretch(frames.shape[1]), dim=1):
            output, *behind = checkpoint(_stretch, model, wanted, part, *states, use_reentrant=True)
            outputs.append(output)
            states = tuple(behind)
        return torch.cat(outputs, dim=1)


def _stretch(
    model: Continued, wanted: torch.Tensor, frames: torch.Tensor, *states: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    output, behind = model.continued(frames, states)
    return (output, *behind)


def fitting(model: Continued, frames: torch.Tensor, limit_bytes: float) -> Recompute | None:
    """The longest stretches with which activations stay within a limit; None where nothing must be computed twice.

    What a step costs, there and back, is measured on two stretches of these very frames; to that come the outputs of
    all steps and the states between stretches. Gradients that the model's parameters keep are not counted.
    InputError where no stretch is short enough, with what the least memory would be.
    """
    length = frames.shape[1]
    if length < 2:
        return None
    probed = (min(steps, length * steps // PROBED[1]) for steps in PROBED)
    (short, low), (long, high) = ((steps, _peak_bytes(model, frames[:, :steps])) for steps in probed)
    per_step = (high - low) / (long - short)
    output, states = model.continued(frames[:, :1], ())
    per_stretch = sum(state.nbytes for state in states)
    always = low - short * per_step + length * OUTPUT_COPIES * output.nbytes

    def needed(steps: int) -> float:
        return always + steps * per_step + math.ceil(length / steps) * per_stretch

    if always + length * per_step <= limit_bytes:
        return None
    for steps in range(length - 1, 0, -1):
        if needed(steps) <= limit_bytes:
            return Recompute(steps)
    least = min(needed(steps) for steps in range(1, length + 1))
    raise InputError(
        f"{limit_bytes / 1e6:.3g} MB of activations are too few for {length} steps of {len(frames)} sequences: even "
        f"with recomputing they need {least / 1e6:.3g} MB. Raise it, or take smaller batches or shorter sequences."
    )


def _peak_bytes(model: Continued, frames: torch.Tensor) -> int:
    """The most that is alive at once on the way there and back."""
    with LiveMemory() as memory, torch.enable_grad():
        output, _ = model.continued(frames, ())
        learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
        torch.autograd.grad(output.sum(), learned, allow_unused=True)
    return memory.peak_bytes
