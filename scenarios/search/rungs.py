"""How a candidate is trained: a little at first, then more where that was promising, going on from its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass, replace

from torch import nn

from compress.method import Method, in_turn
from compress.qat import Int8Student
from scenarios.scenario import Scenario
from scenarios.training import Trainings


@dataclass(frozen=True)
class Rungs:
    """Each rung is a training of its own, with a warm-up and half the learning rate of the one before.

    After each, a copy is compressed by the recipe's own methods, shortened by the same share, and validated in int8:
    what is compared is what would be deployed.
    """

    shares: tuple[float, ...] = (0.25, 0.5, 1.0)
    """Of the epochs that the scenario trains its student for."""

    keep: float = 0.5
    """Share of the candidates that go on from a rung."""

    def climb(self, scenario: Scenario, trainings: Trainings) -> Iterator[tuple[float, Int8Student]]:
        """The validation accuracy and the compressed student after each rung; `trainings` are of `first(scenario)`."""
        student: nn.Module | None = None
        for rung, share in enumerate(self.shares):
            if student is None:
                student = trainings.student(scenario.seed)
            else:
                rate = scenario.schedule.learning_rate / 2**rung
                trainings.tune(student, _epochs(scenario.schedule.epochs, share), rate, f"rung{rung}")
            small = compressed(student, scenario, trainings, share)
            yield trainings.student_value(small), small

    def first(self, scenario: Scenario) -> Scenario:
        """The scenario whose student is trained as long as the first rung."""
        epochs = _epochs(scenario.schedule.epochs, self.shares[0])
        return replace(scenario, schedule=replace(scenario.schedule, epochs=epochs, validate_every=epochs))


QUICK = Rungs(shares=(0.25, 0.5))
"""For a first look."""


def compressed(student: nn.Module, scenario: Scenario, trainings: Trainings, share: float) -> Int8Student:
    """A copy of the student after all methods, each with this share of its epochs."""
    _, model = in_turn(student, [shortened(method, share) for method in scenario.compress], trainings)[-1]
    assert isinstance(model, Int8Student)  # as it was when its bytes were measured
    return model


def shortened(method: Method, share: float) -> Method:
    """The method with this share of its epochs, where it has a number of them, and at least one."""
    if not is_dataclass(method) or all(field.name != "epochs" for field in fields(method)):
        return method
    epochs: int = getattr(method, "epochs")  # noqa: B009  # only some methods have it
    return replace(method, epochs=_epochs(epochs, share)) if epochs else method


def _epochs(all_of_them: int, share: float) -> int:
    return max(1, round(all_of_them * share))
