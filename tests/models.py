"""Random models and bundles of any shape, for tests that need no training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from device_runtime import bundle, engines, golden
from device_runtime.arithmetic import Affine, Decode, Dense, Float32, Gru, Layer, Linear, Model, Sru
from device_runtime.manifest import Manifest

NATIVE = ["native"] if engines.ENGINES["native"].is_installed() else []
"""The native engine, where it is built: it runs every bundle."""

LABELS = ("silence", "unknown", "yes", "no")
SPEECH = {
    "kind": "speech",
    "sample_rate_hz": 16_000,
    "window_ms": 30,
    "hop_ms": 10,
    "bands": 40,
    "stack": 5,
    "stride": 3,
}
SMOOTH = {
    "kind": "smooth",
    "window_ms": 300,
    "thresholds": {"yes": 0.5, "no": 0.6},
    "release": 0.4,
    "refractory_ms": 500,
}

SLIDING_AND_GRU = (("dense", 16, 40, 20), ("gru", 24))
"""The shape that is shipped, smaller: (kind, rows, columns, hop) slides along the input; (kind, units) recurs."""

SRUS = (("dense", 16, 40, 20), ("sru", 24), ("sru", 9))
"""Units that hear their own state alone: (kind, units)."""

FORECASTER = (("gru", 12), ("decode", 4))
"""What a forecaster has behind it: (kind, positions) decodes."""


def tiny_model(
    seed: int = 0,
    layers: Sequence[tuple[str, *tuple[int, ...]]] = SLIDING_AND_GRU,
    feature_size: int = 200,
    labels: int = len(LABELS),
    sparsity: float = 0.0,
    linear: tuple[int, int] | None = None,
) -> Model:
    """A random model whose values stay in the lively part of the tables; frames are expected in about -3..3.

    `linear` is the width and the frames of a linear map, where there is one.
    """
    rng = np.random.default_rng(seed)
    built: list[Layer] = []
    size = feature_size
    for kind, rows, *rest in layers:
        if kind == "dense":
            columns, hop = rest
            affine = _affine(rng, rows, columns, sparsity)
            built.append(Dense(affine, hop, np.float32(rng.uniform(20, 60))))
            size = built[-1].outputs(size)
        elif kind == "gru":
            built.append(Gru(_affine(rng, 3 * rows, size, sparsity), _affine(rng, 3 * rows, rows, sparsity)))
            size = rows
        elif kind == "sru":
            peephole = rng.normal(0, 1, (2, rows)).astype(np.float32)
            built.append(Sru(_affine(rng, 4 * rows, size, sparsity), peephole))
            size = rows
        else:
            built.append(Decode(rng.normal(0, 1, (rows, 3 * size)).astype(np.float32)))
    input_gain = np.float32(rng.uniform(30, 60))
    if linear is None:
        return Model(feature_size, input_gain, tuple(built), _affine(rng, labels, size, sparsity))
    width, frames = linear
    head = _affine(rng, labels * width, size, sparsity)
    positions = layers[-1][1] if layers and layers[-1][0] == "decode" else 1
    return Model(feature_size, input_gain, tuple(built), head, Linear(_affine(rng, positions, frames, sparsity), width))


def _affine(rng: np.random.Generator, rows: int, columns: int, sparsity: float) -> Affine:
    weight = np.clip(np.round(rng.normal(0, 40, (rows, columns))), -127, 127)
    weight *= rng.random((rows, columns)) >= sparsity
    scale = rng.uniform(0.5, 1.5, rows) / (40 * 60 * np.sqrt(columns))
    return Affine(weight.astype(np.int8), scale.astype(np.float32), rng.normal(0, 0.3, rows).astype(np.float32))


def random_frames(count: int, feature_size: int = 200, seed: int = 0) -> Float32:
    """Frames with a loud one and a constant stretch among them, (count, feature_size)."""
    frames = np.random.default_rng(seed).standard_normal((count, feature_size)).astype(np.float32)
    frames[count // 3] *= 10  # saturates the int8 input
    frames[count // 2 : count // 2 + count // 10] = frames[0]
    return frames


def tiny_manifest(name: str = "tiny", labels: tuple[str, ...] = LABELS) -> Manifest:
    """A manifest that fits `tiny_model()`."""
    return Manifest(
        name=name, task="keyword_spotting", labels=labels, frontend=SPEECH, decoder=SMOOTH, card={"seed": 0}
    )


def write_tiny_bundle(folder: Path, model: Model | None = None, frames: int = 20) -> bundle.Bundle:
    """A bundle that the reference engine runs: weights and golden frames."""
    model = model or tiny_model()

    def write_files(temporary: Path) -> None:
        golden.write(temporary / golden.GOLDEN, golden.record(model, random_frames(frames, model.feature_size)))

    labels = model.head.rows // (model.linear.width if model.linear else 1)
    bundle.write(folder, tiny_manifest(labels=LABELS[:labels]), model, write_files)
    return bundle.read(folder)
