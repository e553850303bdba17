"""Losses of training batches without a training: for whoever wants to look at gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from train.loop import Batch, Epochs


def training_losses(
    model: nn.Module, epochs: Epochs, loss: Callable[[nn.Module, Batch], torch.Tensor], batches: int, seed: int
) -> Iterator[torch.Tensor]:
    """The losses of the first so many batches, ready for `backward`; the same batches for the same seed.

    The model is in training mode meanwhile, and in evaluation mode afterwards.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)  # dropout
    model.train()
    left = batches
    while left:
        for batch in epochs.draw(generator):
            yield loss(model, batch)
            left -= 1
            if not left:
                break
    model.eval()
