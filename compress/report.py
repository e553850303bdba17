"""What a model weighs at each stage of its life, and what that did to its accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Weights:
    """The size of a set of weights, counted and not estimated."""

    parameters: int
    nonzeros: int
    bytes: int

    @property
    def sparsity(self) -> float:
        """The share of the parameters that are exactly zero, 0..1."""
        return 1.0 - self.nonzeros / self.parameters if self.parameters else 0.0


def describe(arrays: Mapping[str, NDArray[Any]], bytes_per_value: int | None = None) -> Weights:
    """Count parameters, non-zeros and bytes; without `bytes_per_value`, each array weighs what its dtype does.

    >>> describe({"weight": np.array([0, 3, -1, 0], np.int8), "bias": np.ones(1, np.float32)})
    Weights(parameters=5, nonzeros=3, bytes=8)
    """
    return Weights(
        parameters=sum(array.size for array in arrays.values()),
        nonzeros=sum(int(np.count_nonzero(array)) for array in arrays.values()),
        bytes=sum(array.size * (bytes_per_value or array.itemsize) for array in arrays.values()),
    )


@dataclass(frozen=True)
class Stage:
    """One row of the stage table: a model, its size and how often it is right.

    >>> weights = describe({"weight": np.eye(2, dtype=np.int8)})
    >>> Stage.of("int8", weights, accuracy=0.97, interval_95=(0.96, 0.98), split="test", clips=2_000).sparsity
    0.5
    """

    name: str
    """"teacher", "student", "pruned", "int8"."""

    accuracy: float
    """Clips for which the highest smoothed score was the right word, 0..1."""

    interval_95: tuple[float, float]
    parameters: int
    nonzeros: int
    bytes: int
    sparsity: float
    split: str
    clips: int

    seconds: float = 0.0
    """Time that it took to train this stage; 0 where it was not measured."""

    measured_with: str = ""
    """What ran the model: "torch, whole clips", "Session, warm"."""

    @classmethod
    def of(
        cls,
        name: str,
        weights: Weights,
        *,
        accuracy: float,
        interval_95: tuple[float, float],
        split: str,
        clips: int,
        seconds: float = 0.0,
        measured_with: str = "",
    ) -> Stage:
        """A stage from counted weights and a measured accuracy."""
        return cls(
            name=name,
            accuracy=accuracy,
            interval_95=interval_95,
            parameters=weights.parameters,
            nonzeros=weights.nonzeros,
            bytes=weights.bytes,
            sparsity=weights.sparsity,
            split=split,
            clips=clips,
            seconds=seconds,
            measured_with=measured_with,
        )
