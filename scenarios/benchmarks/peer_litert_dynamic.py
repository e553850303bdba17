"""LiteRT's dynamic-range step: int8 weights with a scale for each row, inputs quantized by the kernel at every step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from scenarios.benchmarks import peer_litert
from scenarios.benchmarks.floats import FloatAffine, FloatModel
from scenarios.benchmarks.peer_litert import LitertPeer

NAME = "dynamic-range LiteRT"


def load(path: Path, hidden: int) -> LitertPeer:
    """Ready to step."""
    return replace(peer_litert.load(path, hidden), name=NAME)


def write(model: FloatModel, path: Path) -> None:
    """Write the graph of one step."""
    peer_litert.write_with(_hybrid, model, path)


def _hybrid(graph: Any, affine: FloatAffine, x: Any) -> Any:
    weight, scale = int8_rows(affine.weight)
    constants = [graph.constant(weight, np.int8, scale=scale), graph.constant(affine.bias)]
    return graph.op("FULLY_CONNECTED", [x, *constants], (x.shape[0], len(affine.bias)), np.float32)


def int8_rows(weight: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """Float rows as int8, with the scale of each."""
    largest = np.abs(weight).max(axis=1)
    scale = np.where(largest > 0, largest, 1) / 127
    return np.round(weight / scale[:, None]).astype(np.int8), tuple(float(value) for value in scale)
