"""Truncated backpropagation through time: one long sequence learned from piece by piece, the state carried on.

Memory follows the length of a piece and no longer that of the sequence; gradients end at a piece's start, so what is
further back is remembered but not learned (Williams & Peng 1990).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from device_runtime.errors import InputError
from train.recompute import Continued


def pieces(
    model: Continued, frames: torch.Tensor, steps: int, states: tuple[torch.Tensor, ...] = ()
) -> Iterator[tuple[torch.Tensor, slice]]:
    """Outputs of each piece of so many steps of (batch, all steps, features), and which steps they are.

    Learn from each before the next is asked for: its states are carried on, its graph is not.
    """
    if steps < 1:
        raise InputError(f"a piece of a sequence needs at least 1 step, got {steps}.")
    for at in range(0, frames.shape[1], steps):
        here = slice(at, min(at + steps, frames.shape[1]))
        outputs, states = model.continued(frames[:, here], states)
        states = tuple(state.detach() for state in states)
        yield outputs, here


def gradients(
    model: Continued, frames: torch.Tensor, loss: Callable[[torch.Tensor, slice], torch.Tensor], steps: int
) -> float:
    """Add the gradients of all pieces to the model's; return the loss, weighted by their steps."""
    total, length = 0.0, frames.shape[1]
    for outputs, here in pieces(model, frames, steps):
        value = loss(outputs, here) * ((here.stop - here.start) / length)
        value.backward()
        total += float(value.detach())
    return total
