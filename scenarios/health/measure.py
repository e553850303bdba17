"""What a build measures on the benchmark: the bundle through `Session`, and peers that know nothing of a GRU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from compress.report import Weights, describe
from device_runtime import bundle as bundles
from device_runtime import weights
from device_runtime.bench import Cost, SensorCost
from device_runtime.bench import measure as measure_cost
from device_runtime.engines import available
from device_runtime.evaluate_anomaly import evaluate
from device_runtime.nab import NabFile
from device_runtime.nab_score import PROFILES, Corpus
from device_runtime.progress import progress
from scenarios.bundling import Traced
from scenarios.health.scenario import HealthScenario
from scenarios.peers.gaussian import windowed_gaussian
from scenarios.peers.half_space_trees import half_space_trees
from scenarios.peers.pca import pca
from train.predictor import MOVED, WARM_UP, quantile_loss

PEERS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "windowed Gaussian": windowed_gaussian,
    "PCA": pca,
    "half-space trees (river)": half_space_trees,
}
"""Values (samples,) to scores 0..1."""


@dataclass(frozen=True)
class StageResult:
    """One row of the stage table."""

    name: str
    weights: Weights
    pinball: float
    """Mean loss over the quantiles of the next reading's move, on series that were held out."""

    seconds: float


@dataclass(frozen=True)
class Measured:
    """The finished bundle on the benchmark."""

    numbers: dict[str, Any]
    """What `tinyrnn evaluate` prints."""

    peers: dict[str, dict[str, float]]
    """Scores by profile, each at the threshold that is best for it on all files."""

    costs: list[Cost | SensorCost]

    def card(self) -> dict[str, Any]:
        """The headline numbers, for the model card."""
        best = self.numbers["threshold_chosen_on_all_files"]
        return {
            "engine": self.numbers["engine"],
            "files": self.numbers["files"],
            "threshold": self.numbers["threshold"],
            **{f"nab_{profile.name}": self.numbers[profile.name] for profile in PROFILES},
            **{f"nab_{profile.name}_by_its_protocol": best[profile.name]["score"] for profile in PROFILES},
            "microseconds_a_sample": self.numbers["microseconds_a_sample"],
        }


def stages(models: Mapping[str, nn.Module], frames: torch.Tensor, seconds: float) -> list[StageResult]:
    """Each model's loss on held-out series; `seconds` is how long the first one was trained."""
    rows: list[StageResult] = []
    with torch.no_grad():
        for name, model in models.items():
            loss = quantile_loss(model(frames)[:, WARM_UP:-1], frames[:, WARM_UP + 1 :, MOVED])
            rows.append(StageResult(name, _weights_of(model), float(loss), 0.0 if rows else seconds))
    return rows


def _weights_of(model: nn.Module) -> Weights:
    if not hasattr(model, "trace"):
        return describe({name: p.detach().numpy() for name, p in model.named_parameters()})
    int8: Traced = model  # type: ignore[assignment]  # nothing else has a trace
    return describe(weights.arrays(int8.model()))


def bundle(path: Path, scenario: HealthScenario, files: Sequence[NabFile]) -> Measured:
    """Every file sample by sample through the reference engine, whose time a sample is promised."""
    numbers = evaluate(path, scenario.benchmark.folder, "reference", progress("samples"))
    corpus = Corpus([file.labelled for file in files])
    peers = {}
    for name, detect in PEERS.items():
        scores = [detect(file.values) for file in files]
        peers[name] = {profile.name: corpus.best(scores, profile).value for profile in PROFILES}
    costs = [measure_cost(path, name) for name in available(bundles.read(path))]
    return Measured(numbers, peers, costs)
