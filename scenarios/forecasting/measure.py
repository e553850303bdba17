"""What a build measures on the test part: each stage in torch, then the finished bundle through `Session`, then peers.

All on the same windows, every one of them. Errors are of the median, in standard deviations of the training part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from compress.report import Weights, describe
from device_runtime import weights
from device_runtime.bench import Cost, SensorCost
from device_runtime.bench import measure as measure_cost
from device_runtime.engines import available
from device_runtime.evaluate_forecast import ForecastEvaluation, evaluate
from device_runtime.progress import progress
from device_runtime.session import Session
from scenarios.bundling import Traced
from scenarios.forecasting.training import ForecastTrainings
from scenarios.peers.peer import hold
from train.bootstrap import Difference, paired_difference
from train.forecast_ensemble import Ensemble
from train.forecast_metrics import ForecastErrors, forecast_errors
from train.forecast_windows import ForecastWindows
from train.quantile_loss import errors


@dataclass(frozen=True)
class StageResult:
    """One row of the stage table."""

    name: str
    weights: Weights
    mse: float
    mae: float
    seconds: float
    """Of its training."""

    measured_with: str


@dataclass(frozen=True)
class PeerResult:
    """Another forecaster on the same windows, and how much worse the bundle's errors are than its own."""

    name: str
    mse: float
    mae: float
    squared: Difference
    absolute: Difference


@dataclass(frozen=True)
class Measured:
    """The finished bundle, streamed."""

    evaluation: ForecastEvaluation
    peers: list[PeerResult]
    costs: list[Cost | SensorCost]


def stages(trainings: ForecastTrainings, models: Mapping[str, nn.Module]) -> list[StageResult]:
    """The teachers' mean and every model that was made from it, in torch."""
    rows = []
    if trainings.scenario.teachers:
        windows = trainings.windows("test")
        teachers = trainings.teachers
        square, absolute = _ensemble_errors(teachers, windows)
        arrays = [p.detach().numpy() for one in teachers.forecasters for p in one.parameters()]
        size = describe(
            {str(i): array for i, array in enumerate(arrays + [one.weight.numpy() for one in teachers.maps])}
        )
        count = len(teachers.forecasters) + len(teachers.maps)
        how = "weighed mean" if teachers.weights else "mean"
        name = "teacher" if count == 1 else f"{how} of {count} teachers"
        rows.append(StageResult(name, size, square, absolute, _seconds(trainings, "teacher"), "torch"))
    windows = trainings.windows("test")
    for name, model in models.items():
        found = errors(model, windows)
        rows.append(StageResult(name, weights_of(model), found.mse, found.mae, _seconds(trainings, name), "torch"))
    return rows


def _ensemble_errors(teachers: Ensemble, windows: ForecastWindows) -> tuple[float, float]:
    square = absolute = count = 0.0
    for numbers in torch.arange(len(windows)).split(1024):
        missed = (teachers.lines(windows, numbers)[:, windows.config.median] - windows[numbers][1]).double()
        missed = missed[~missed.isnan()]
        square += float(missed.square().sum())
        absolute += float(missed.abs().sum())
        count += missed.numel()
    return square / count, absolute / count


def _seconds(trainings: ForecastTrainings, stage: str) -> float:
    return sum(history.seconds for name, history in trainings.histories.items() if name.startswith(stage))


def weights_of(model: nn.Module) -> Weights:
    """Parameters, non-zeros and bytes: int8 weights with float32 scales and biases once it is quantized."""
    if not hasattr(model, "trace"):
        return describe({name: p.detach().numpy() for name, p in model.named_parameters()})
    int8: Traced = model  # type: ignore[assignment]  # nothing else has a trace
    return describe(weights.arrays(int8.model()))


def bundle(path: Path, trainings: ForecastTrainings) -> Measured:
    """Every test window through `Session`, beside the scenario's peers, and what each engine costs."""
    evaluation = streamed(path, trainings)
    session = Session.open(path)
    return Measured(
        evaluation,
        list(peers(trainings, evaluation)),
        [measure_cost(path, name) for name in available(session.bundle)],
    )


def streamed(path: Path, trainings: ForecastTrainings) -> ForecastEvaluation:
    """Every test window through `Session`."""
    session = Session.open(path, every=1)
    first, last = trainings.splits.span("test")
    return evaluate(session, trainings.series.values, first, last, {"split": "test"}, progress("windows"))


def peers(trainings: ForecastTrainings, ours: ForecastEvaluation) -> Iterator[PeerResult]:
    """Each peer, fitted on training and validation data, on the very same windows."""
    config = trainings.scenario.forecaster
    read = trainings.standardised
    held = replace(read, values=hold(read.values))  # peers know no gaps; what was never measured is no target either
    windows = replace(
        held.windows("test", config.look_back, config.horizon),
        targets=read.windows("test", config.look_back, config.horizon).targets,
    )
    for peer in trainings.scenario.peers:
        fitted = peer.fit(held, config.look_back, config.horizon)
        yield _beside(peer.name, ours, forecast_errors(fitted, windows), config.look_back)


def _beside(name: str, ours: ForecastEvaluation, theirs: ForecastErrors, look_back: int) -> PeerResult:
    """A peer on the windows that the session told a forecast for: all, but behind a gap as long as a look-back.

    As for the bundle every reading counts once, so a window of which half was read counts half, in a draw, too.
    """
    read = theirs.known.sum(axis=1)
    known = (read > 0) & np.isfinite(ours.model.by_window).all(axis=1)
    counts = read[known] / read[known].mean()
    missed = [
        np.nansum(e * theirs.known, axis=1)[known] / read[known].mean() for e in (theirs.squared, theirs.absolute)
    ]
    mse, mae = (each.mean() for each in missed)
    block = min(look_back, int(known.sum()) // 2)
    squared, absolute = (
        paired_difference(counts * ours.model.by_window[known, kind], missed[kind], block) for kind in (0, 1)
    )
    return PeerResult(name, float(mse), float(mae), squared, absolute)
