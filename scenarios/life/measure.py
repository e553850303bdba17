"""What a build measures on the test engines: each stage in torch, the bundle through `Session`, and peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from compress.report import Weights, describe
from device_runtime import bundle as bundles
from device_runtime import weights
from device_runtime.bench import Cost, SensorCost
from device_runtime.bench import measure as measure_cost
from device_runtime.engines import available
from device_runtime.evaluate_life import LifeEvaluation, evaluate_folder, interval, nasa_score, rmse
from scenarios.bundling import Traced
from scenarios.life.training import LifeTrainings
from scenarios.peers.life_linear import LinearLife
from scenarios.peers.life_trees import TreeLife


@dataclass(frozen=True)
class StageResult:
    """One row of the stage table."""

    name: str
    weights: Weights
    rmse: float
    """Of the last estimate of each test engine."""

    held_out: float
    """Of all cycles of the engines by which epochs were chosen."""

    seconds: float


@dataclass(frozen=True)
class PeerResult:
    """Another estimator on the same engines."""

    name: str
    rmse: float
    interval_95: tuple[float, float]
    nasa_score: float


@dataclass(frozen=True)
class Measured:
    """The finished bundle, streamed."""

    evaluation: LifeEvaluation
    peers: list[PeerResult]
    costs: list[Cost | SensorCost]


def stages(trainings: LifeTrainings, models: Mapping[str, nn.Module]) -> list[StageResult]:
    """The teachers' mean and every model that was made from it, in torch."""
    teachers = _Mean(trainings.teachers)
    size = describe({name: value.detach().numpy() for name, value in teachers.named_parameters()})
    name = f"mean of {len(trainings.teachers)} teachers"
    rows = [_row(trainings, name, teachers, size, "teacher")]
    return rows + [_row(trainings, name, model, _weights_of(model), name) for name, model in models.items()]


class _Mean(nn.Module):
    def __init__(self, models: list) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return torch.stack([model(frames) for model in self.models]).mean(dim=0)


def _row(trainings: LifeTrainings, name: str, model: nn.Module, size: Weights, trained: str) -> StageResult:
    cap, missed = trainings.scenario.loss.cap, []
    with torch.no_grad():
        for engine in trainings.scenario.data.test():
            values = torch.from_numpy(trainings.channels.normalised(engine))[None]
            told = float(np.sort(model(values)[0, -1].double().numpy())[1]) * cap
            missed.append(min(max(told, 0.0), cap) - min(float(engine.remaining()[-1]), cap))
    seconds = sum(h.seconds for key, h in trainings.histories.items() if key.startswith(trained))
    return StageResult(name, size, rmse(np.array(missed)), trainings.error(model), seconds)


def _weights_of(model: nn.Module) -> Weights:
    if not hasattr(model, "trace"):
        return describe({name: p.detach().numpy() for name, p in model.named_parameters()})
    int8: Traced = model  # type: ignore[assignment]  # nothing else has a trace
    return describe(weights.arrays(int8.model()))


def bundle(path: Path, trainings: LifeTrainings) -> Measured:
    """Each test engine from its first cycle through `Session`, beside peers, and what each engine costs."""
    evaluation = evaluate_folder(path, trainings.scenario.data.folder())
    costs = [measure_cost(path, name) for name in available(bundles.read(path))]
    return Measured(evaluation, peers(trainings), costs)


def peers(trainings: LifeTrainings) -> list[PeerResult]:
    """A linear model, boosted trees, and the mean of the training targets."""
    data, cap = trainings.scenario.data, trainings.scenario.loss.cap
    truth = np.array([min(float(engine.remaining()[-1]), cap) for engine in data.test()])
    rows = []
    for peer in (LinearLife(), TreeLife()):
        estimate = peer.fit(data.train())
        told = np.array([min(max(estimate(engine.values), 0.0), cap) for engine in data.test()])
        rows.append(_peer(peer.name, told - truth))
    usual = float(np.concatenate([engine.remaining().clip(max=cap) for engine in data.train()]).mean())
    return [*rows, _peer("mean of the training cycles", usual - truth)]


def _peer(name: str, missed: np.ndarray) -> PeerResult:
    return PeerResult(name, rmse(missed), interval(missed), nasa_score(missed))
