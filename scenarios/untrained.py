"""The model that a recipe makes, without training: what cannot be made shows in a second, not after hours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from compress.method import AfterStep, in_turn
from compress.qat import Int8Student
from device_runtime.arithmetic import Model
from device_runtime.errors import InputError
from scenarios.scenario import Scenario
from train.student import Student


@dataclass(frozen=True)
class Untrained:
    """A workbench that does not train: a method leaves the model as it would at the end of its training."""

    calibration: torch.Tensor

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
        """Only what follows the last step."""
        if after_step:
            after_step(1.0)

    def value(self, model: nn.Module) -> float:
        """The same for all: nothing was learned."""
        return 0.0

    def losses(self, model: nn.Module, batches: int) -> Iterator[torch.Tensor]:
        """Of nothing in particular."""
        for _ in range(batches):
            yield model(self.calibration).square().mean()


def untrained(scenario: Scenario) -> Model:
    """The int8 model of a scenario with random weights, compressed by its methods.

    InputError for what no bundle can hold: methods that do not go together or not with this shape, no Int8 at the end.
    """
    torch.manual_seed(scenario.seed)
    model: nn.Module = Student(scenario.student, len(scenario.mix.labels))
    with torch.no_grad():
        for weight in (weight for weight in model.parameters() if weight.ndim == 2):
            weight.normal_(0, weight.shape[1] ** -0.5)
    workbench = Untrained(torch.randn(2, 6, scenario.student.bands * scenario.student.stack) * 6 + 10)
    last, model = in_turn(model, scenario.compress, workbench)[-1]
    if not isinstance(model, Int8Student):
        raise InputError(f"{scenario.name} ends with {last}, but a bundle holds int8. Put Int8 last.")
    return model.model()
