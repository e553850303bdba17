"""A training of a few hundred weights, for tests of the loop."""

from __future__ import annotations

import torch
from torch import nn

from train.loop import Epochs, History, Schedule, fit

SCHEDULE = Schedule(epochs=4, learning_rate=0.05)
STEPS = 3


def fresh_model(seed: int = 0) -> nn.Module:
    """With dropout and batch statistics, which a resumed training must also get back."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))


def epochs(before_step=lambda step: None) -> Epochs:
    steps_drawn = 0

    def draw(generator):
        nonlocal steps_drawn
        for _ in range(STEPS):
            before_step(steps_drawn)
            steps_drawn += 1
            x = torch.randn(16, 5, generator=generator)
            yield x, x[:, :3].argmax(dim=1)

    return Epochs(draw, STEPS)


def loss(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def accuracy(model) -> float:
    x = torch.randn(64, 5, generator=torch.Generator().manual_seed(9))
    return float((model(x).argmax(dim=1) == x[:, :3].argmax(dim=1)).double().mean())


def train(model, checkpoint=None, schedule=SCHEDULE, batches=None, validate=accuracy, objective=loss, **more):
    return fit(model, batches or epochs(), objective, validate, schedule, checkpoint, seed=3, **more)


def bits(model) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def trained_at_once() -> tuple[dict[str, bytes], History]:
    """The bits and the history of a training that nothing interrupts."""
    model = fresh_model()
    history = train(model)
    return bits(model), history


def values_in_turn(*values):
    """A validation that answers these, one after the other."""
    turn = iter(values)
    return lambda model: next(turn)
