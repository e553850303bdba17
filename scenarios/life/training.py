"""The trainings of a remaining-life scenario: teachers on made lives, then a student, and the workbench."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from device_runtime.arithmetic import Float32
from scenarios.life.scenario import LifeScenario
from train.life_channels import LifeChannels
from train.lives import Lives
from train.loop import AfterStep, Epochs, History, Schedule, fit
from train.measure import ERROR
from train.remaining_life import LifeConfig, LifeModel, life_errors, made_epochs
from train.training_losses import training_losses

CALIBRATION_LIVES = 200
EVERY = 5
"""Each fifth engine is one by which epochs are chosen; none of its cycles is learned from."""


@dataclass
class LifeTrainings:
    """One scenario's lives and models in a folder; what is there already is not trained again."""

    scenario: LifeScenario
    folder: Path

    def __post_init__(self) -> None:
        engines = self.scenario.data.train()
        self.channels = LifeChannels.of(engines)
        self.engines: list[Float32] = [self.channels.normalised(engine) for engine in engines]
        self.histories: dict[str, History] = {}

    @property
    def learned(self) -> list[Float32]:
        """Whole lives to learn from, (cycles, channels) each."""
        return [values for at, values in enumerate(self.engines) if at % EVERY]

    @property
    def held_out(self) -> list[Float32]:
        """Whole lives to choose by."""
        return self.engines[::EVERY]

    @cached_property
    def lives(self) -> Lives:
        """What training draws from."""
        return Lives(self.learned, self.scenario.variation)

    @cached_property
    def teachers(self) -> list[LifeModel]:
        """Trained, ready to teach."""
        scenario = self.scenario
        return [
            self._trained(f"teacher-{seed}", scenario.teacher_hidden, self._epochs(()), scenario.teacher_schedule, seed)
            for seed in range(scenario.seed, scenario.seed + scenario.teachers)
        ]

    def student(self) -> LifeModel:
        """A float student that has learned what the teachers say of made lives."""
        scenario = self.scenario
        batches = self._epochs(self.teachers)
        return self._trained("student", scenario.hidden, batches, scenario.schedule, scenario.seed)

    @cached_property
    def calibration(self) -> torch.Tensor:
        """Made lives, (lives, cycles, channels)."""
        generator = torch.Generator().manual_seed(self.scenario.seed)
        frames: torch.Tensor = self.lives.draw(CALIBRATION_LIVES, generator)[0]
        return frames

    def losses(self, model: nn.Module, batches: int) -> Iterator[torch.Tensor]:
        """What `tune` would learn from, so many batches of it."""
        return training_losses(model, self._epochs(self.teachers), self.scenario.loss, batches, self.scenario.seed)

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
        """Train on with the teachers, as the student was trained."""
        schedule = replace(self.scenario.schedule, epochs=epochs, learning_rate=learning_rate)
        batches = self._epochs(self.teachers)
        self._fit(title, model, batches, schedule, self.scenario.seed, after_step, best_from, settings)

    def value(self, model: nn.Module) -> float:
        """Minus the error that epochs are chosen by, for compress methods: higher is better."""
        return -self.error(model)

    def error(self, model: nn.Module) -> float:
        """What epochs are chosen by: RMSE in cycles over all cycles of the engines that were held out."""
        return life_errors(model, self.held_out, self.scenario.loss.cap).rmse

    def _epochs(self, teachers: Sequence[nn.Module]) -> Epochs:
        return made_epochs(self.lives, self.scenario.steps_an_epoch, self.scenario.batch_size, teachers)

    def _trained(self, name: str, hidden: int, batches: Epochs, schedule: Schedule, seed: int) -> LifeModel:
        torch.manual_seed(seed)
        model = LifeModel(LifeConfig(len(self.channels.names), hidden))
        self._fit(name, model, batches, schedule, seed)
        return model

    def _fit(
        self,
        name: str,
        model: nn.Module,
        batches: Epochs,
        schedule: Schedule,
        seed: int,
        after_step: AfterStep | None = None,
        best_from: float = 0.0,
        settings: str = "",
    ) -> None:
        scenario = self.scenario
        by = [] if name.startswith("teacher") else self.teachers
        told = (scenario.data, scenario.variation, scenario.batch_size, scenario.steps_an_epoch, scenario.loss)
        digest = hashlib.sha256(repr((told, schedule, seed, settings)).encode())
        for start in (value for made in (model, *by) for value in made.state_dict().values()):
            digest.update(start.numpy().tobytes())
        identity = digest.hexdigest()[:12]
        value: Callable[[nn.Module], float] = self.error
        checkpoint = self.folder / f"{name}-{identity}.ckpt"
        self.histories[name] = fit(
            model,
            batches,
            scenario.loss,
            value,
            schedule,
            checkpoint,
            seed,
            after_step,
            name,
            best_from,
            identity,
            ERROR,
        )
