"""What one step of a training costs: bytes of each kind, seconds, and how far its gradients are from the plain ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import nn

from device_runtime.errors import InputError
from scenarios.benchmarks.training_ways import Way
from train.live_memory import LiveMemory
from train.optimizers import AdamW, AdamW8bit, Optimizer, state_bytes
from train.student import Student, StudentConfig
from train.teacher import Teacher, TeacherConfig

BATCH, LABELS = 4, 12
CONFIG = StudentConfig(channels=0, projection=0, hidden=64, bands=40, stack=1)


@dataclass(frozen=True)
class Cost:
    """Of one way at one length; megabytes of 10^6 bytes."""

    way: str
    steps: int
    activations_mb: float
    """The most that is alive at once of what a step makes, beside the following three."""

    kept_mb: float
    """What of that is still there when the forward pass is over, before the way back."""

    parameters_mb: float
    gradients_mb: float
    optimizer_mb: float
    seconds: float
    gradient_difference: float
    """The largest, against the largest gradient of the plain way."""

    @property
    def peak_mb(self) -> float:
        """All together."""
        return self.activations_mb + self.parameters_mb + self.gradients_mb + self.optimizer_mb


def can_run(way: Way) -> bool:
    """Is what its optimizer needs installed?"""
    return not isinstance(way.optimizer, AdamW8bit) or find_spec("torchao") is not None


def measure(lengths: Sequence[int], ways: Sequence[Way], repeats: int = 2) -> Iterator[Cost]:
    """Every way at every length that it can do, on the same weights and frames."""
    for length in lengths:
        generator = torch.Generator().manual_seed(length)
        frames = torch.randn(BATCH, length, CONFIG.bands, generator=generator)
        labels = torch.randint(LABELS, (BATCH, length), generator=generator)
        expected: torch.Tensor | None = None
        for way in ways:
            try:
                cost, gradients = _one(way, frames, labels, repeats)
            except InputError:  # even the least that so many steps need is above its limit
                continue
            expected = gradients if expected is None else expected
            off = float((gradients - expected).abs().max() / expected.abs().max())
            yield Cost(way.name, length, **cost, gradient_difference=off)


def _one(way: Way, frames: torch.Tensor, labels: torch.Tensor, repeats: int) -> tuple[dict[str, float], torch.Tensor]:
    torch.manual_seed(0)
    model = Student(CONFIG, LABELS)
    learn = way.ready(model, frames)
    products, optimizer = way.products(), way.optimizer.over(model.parameters(), 1e-9, 0.0)
    for parameter in model.parameters():  # there before the step, so that they do not count as made by it
        parameter.grad = torch.zeros_like(parameter)
    kept: list[int] = []
    with LiveMemory() as memory:
        hook = model.head.weight.register_hook(lambda gradient: kept.append(memory.live_bytes))
        learn(model, frames, labels, products)
    hook.remove()
    products.step(optimizer, model.parameters(), clip_norm=float("inf"))
    found = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    gradients = torch.cat([gradient.flatten() for gradient in found])

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        learn(model, frames, labels, products)
        products.step(optimizer, model.parameters(), clip_norm=float("inf"))

    numbers = {
        "activations_mb": memory.peak_bytes,
        "kept_mb": max(kept),
        "parameters_mb": sum(parameter.nbytes for parameter in model.parameters()),
        "gradients_mb": gradients.nbytes,
        "optimizer_mb": state_bytes(optimizer),
    }
    megabytes = {name: value / 1e6 for name, value in numbers.items()}
    return {**megabytes, "seconds": least_seconds(step, repeats)}, gradients


def least_seconds(step: Callable[[], None], repeats: int) -> float:
    """CPU time of the quickest of a few."""
    took = []
    for _ in range(repeats):
        started = time.process_time()
        step()
        took.append(time.process_time() - started)
    return min(took)


@dataclass(frozen=True)
class OptimizerCost:
    """Of one optimizer on a whole teacher."""

    name: str
    parameters: int
    state_mb: float
    seconds: float
    """Of the optimizer's own step."""


def optimizers() -> Iterator[OptimizerCost]:
    """What is remembered of a teacher's weights: a student's matrices are mostly too small for codes."""
    torch.manual_seed(0)
    chosen: dict[str, Optimizer] = {"AdamW": AdamW(), "AdamW in 8 bits": AdamW8bit()}
    for name, optimizer in chosen.items():
        if can_run(Way(name, optimizer=optimizer)):
            yield _of_teacher(name, optimizer, Teacher(TeacherConfig(), LABELS))


def _of_teacher(name: str, optimizer: Optimizer, model: nn.Module) -> OptimizerCost:
    rule = optimizer.over(model.parameters(), 1e-3, 0.01)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    rule.step()
    count = sum(parameter.numel() for parameter in model.parameters())
    return OptimizerCost(name, count, state_bytes(rule) / 1e6, least_seconds(lambda: rule.step() and None, 3))
