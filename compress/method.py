"""What a compress method is, and what it is handed: no method knows how its model was trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import torch
from torch import nn

AfterStep = Callable[[float], None]
"""Called after each optimizer step with the share of the training that is done, 0..1."""


class Workbench(Protocol):
    """The data, and a way to train on."""

    @property
    def calibration(self) -> torch.Tensor:
        """Frames as the device will meet them: (clips, steps, feature_size)."""

    def losses(self, model: nn.Module, batches: int) -> Iterator[torch.Tensor]:
        """The losses of so many training batches, to call `backward` on: what the weights are worth shows in gradients.

        The batches are the same in each call.
        """

    def value(self, model: nn.Module) -> float:
        """What epochs are chosen by, on the validation split; higher is better."""

    def tune(
        self,
        model: nn.Module,
        epochs: int,
        learning_rate: float,
        title: str,
        after_step: AfterStep | None = None,
        best_from: float = 0.0,
        settings: str = "",
    ) -> None:
        """Train on, in place, as the student was trained; the best epoch after the share `best_from` is kept.

        `settings` tells one use of a method from another: what was trained with other settings is not taken up again.
        """


class Method(Protocol):
    """One way to make a student smaller."""

    @property
    def name(self) -> str:
        """Of the stage in reports and checkpoints."""

    def apply(self, student: nn.Module, bench: Workbench) -> nn.Module:
        """The compressed student."""


def in_turn(student: nn.Module, methods: Sequence[Method], bench: Workbench) -> list[tuple[str, nn.Module]]:
    """The student, then what each method makes of a copy of the model before it: names of stages and models."""
    made = [("student", student)]
    for method in methods:
        made.append((method.name, method.apply(copy.deepcopy(made[-1][1]), bench)))
    return made
