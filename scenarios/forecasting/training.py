"""The trainings of one forecasting scenario: teachers, a student, and the workbench for compress methods."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import nn

from device_runtime.errors import InputError
from scenarios.forecasting.scenario import ForecastScenario
from train.data.dataset import SPLITS
from train.data.series import Series, Splits, shares
from train.forecast_ensemble import Ensemble
from train.forecast_teaching import taught
from train.forecast_windows import ForecastWindows, epochs, forecast_windows
from train.forecaster import Forecaster, ForecasterConfig
from train.loop import AfterStep, Epochs, History, Schedule, fit
from train.measure import ERROR
from train.quantile_loss import QuantileLoss, errors
from train.training_losses import training_losses

MOST_CALIBRATION_WINDOWS = 2000


@dataclass
class ForecastTrainings:
    """One scenario's series and models in a folder; what is there already is not trained again."""

    scenario: ForecastScenario
    folder: Path
    cache: Path

    def __post_init__(self) -> None:
        series = self.scenario.data.series()
        self.splits: Splits = series.splits or shares(len(series))
        self.series: Series = replace(series, splits=self.splits)
        for split in SPLITS:
            _must_be_read(self.series, split)
        self.standardised = self.series.standardised()
        self.histories: dict[str, History] = {}

    def windows(self, split: str, config: ForecasterConfig | None = None) -> ForecastWindows:
        """Every window of a split, of each channel."""
        return forecast_windows(self.standardised, split, config or self.scenario.forecaster)

    @cached_property
    def teachers(self) -> Ensemble:
        """Trained, ready to teach; where linear maps teach, too, validation data has weighed all of them."""
        scenario = self.scenario
        made: list[Forecaster] = []
        for number in range(scenario.teachers):
            config, seed = scenario.teacher[number % len(scenario.teacher)], scenario.seed + number
            torch.manual_seed(seed)
            teacher = Forecaster(config)
            windows, loss = self.windows("train", config), QuantileLoss(config)
            self._fit(f"teacher-{seed}", teacher, windows, loss, scenario.teacher_schedule, seed)
            made.append(teacher)
        if not scenario.maps:
            return Ensemble(made)
        train, validation = self.windows("train"), self.windows("validation")
        return Ensemble(made, [ridge.fit(train, validation) for ridge in scenario.maps]).weighed(validation)

    @cached_property
    def taught(self) -> ForecastWindows:
        """The training windows with the teachers' answers."""
        return taught(self.windows("train"), self.teachers, self.cache)

    def student(self, seed: int, soft: float | None = None, name: str = "student") -> Forecaster:
        """A float student: distilled as the scenario says, or (for comparison) with another share of the teachers."""
        torch.manual_seed(seed)
        student = Forecaster(self.scenario.forecaster)
        loss = self.loss(self.scenario.soft if soft is None else soft)
        self._fit(f"{name}-{seed}", student, self._windows(loss), loss, self.scenario.schedule, seed)
        return student

    def loss(self, soft: float) -> QuantileLoss:
        """Quantiles of the truth, and with the share `soft` of the teachers'."""
        return QuantileLoss(self.scenario.forecaster, soft=soft)

    @cached_property
    def calibration(self) -> torch.Tensor:
        """Training frames, (windows, segments, feature_size)."""
        windows = self.windows("train")
        return windows[torch.arange(0, len(windows), max(1, len(windows) // MOST_CALIBRATION_WINDOWS))][0]

    def losses(self, model: nn.Module, batches: int) -> Iterator[torch.Tensor]:
        """What `tune` would learn from, so many batches of it."""
        loss = self.loss(self.scenario.soft)
        return training_losses(model, self._epochs(self._windows(loss)), loss, batches, self.scenario.seed)

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
        scenario = self.scenario
        schedule = replace(scenario.schedule, epochs=epochs, learning_rate=learning_rate)
        loss = self.loss(scenario.soft)
        self._fit(title, model, self._windows(loss), loss, schedule, scenario.seed, after_step, best_from, settings)

    def value(self, model: nn.Module) -> float:
        """Minus the error that epochs are chosen by, for compress methods: higher is better."""
        return -self.error(model)

    def error(self, model: nn.Module, split: str = "validation") -> float:
        """What epochs are chosen by: the mean absolute error of the median, which the loss is made of."""
        return errors(model, self.windows(split)).mae

    def _windows(self, loss: QuantileLoss) -> ForecastWindows:
        """What this loss learns from."""
        return self.taught if loss.soft else self.windows("train")

    def _epochs(self, windows: ForecastWindows) -> Epochs:
        return epochs(windows, self.scenario.batch_size, self.scenario.share, self.scenario.swing)

    def _fit(
        self,
        name: str,
        model: nn.Module,
        windows: ForecastWindows,
        loss: QuantileLoss,
        schedule: Schedule,
        seed: int,
        after_step: AfterStep | None = None,
        best_from: float = 0.0,
        settings: str = "",
    ) -> None:
        scenario = self.scenario
        drawn = scenario.batch_size, scenario.share, scenario.swing
        told = repr((scenario.data, windows.config, drawn, loss, schedule, seed, settings))
        digest = hashlib.sha256(told.encode() + windows.values.numpy().tobytes())
        if windows.taught is not None:  # another teacher is another training
            digest.update(windows.taught[::97].contiguous().numpy().tobytes())
        for start in model.state_dict().values():  # what it starts from: another student is another pruning
            digest.update(start.numpy().tobytes())
        identity = digest.hexdigest()[:12]
        self.histories[name] = fit(
            model,
            self._epochs(windows),
            loss,
            lambda trained: errors(trained, self.windows("validation", windows.config)).mae,
            schedule,
            self.folder / f"{name}-{identity}.ckpt",
            seed,
            after_step,
            name,
            best_from,
            identity,
            ERROR,
        )


def _must_be_read(series: Series, split: str) -> None:
    assert series.splits is not None  # as they were just found
    first, last = series.splits.span(split)
    silent = np.isnan(series.values[first:last]).all(axis=0)
    if silent.any():
        name = series.channels[int(silent.argmax())]
        raise InputError(
            f"{series.name}: {name} has no reading at all in the {split} part (samples {first} to {last}), but every "
            "sensor needs some in each part. Leave its column out, or give a longer log."
        )
