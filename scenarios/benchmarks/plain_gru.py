"""A GRU of any size with random weights, for costs that depend on sizes and zeros alone; no scenario is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from device_runtime import bundle
from device_runtime.arithmetic import Affine, Gru, Int8, Model, Product
from device_runtime.bundle import Bundle
from device_runtime.manifest import Manifest
from export.litert import Litert
from export.onnx import Onnx

SCORES = 16


def plain_gru(units: int, inputs: int, seed: int = 0) -> Model:
    """One GRU layer and a head; frames are expected in about -3..3, and the gates then use their whole range."""
    rng = np.random.default_rng(seed)
    layer = Gru(_affine(rng, 3 * units, inputs), _affine(rng, 3 * units, units))
    return Model(inputs, np.float32(40), (layer,), _affine(rng, SCORES, units))


def with_zero_blocks(model: Model, share: float, block: tuple[int, int], seed: int = 0) -> Model:
    """The same GRU with this share of the blocks (rows x columns) of its two matrices at zero; the head stays dense."""
    (layer,) = model.layers
    assert isinstance(layer, Gru)
    rng = np.random.default_rng(seed)
    sparse = Gru(_without(rng, layer.input, share, block), _without(rng, layer.state, share, block))
    return replace(model, layers=(sparse,))


def as_bundle(model: Model, folder: Path) -> Bundle:
    """On disk, with the graphs of ONNX Runtime and LiteRT, so that every engine opens it as it opens any other."""

    def write_graphs(temporary: Path) -> None:
        for backend in (Onnx(), Litert()):
            backend.write(model, temporary / backend.filename)

    labels = tuple(f"score {i}" for i in range(model.head.rows))
    hears = {"kind": "speech", "sample_rate_hz": 16_000, "window_ms": 30, "hop_ms": 10, "bands": model.feature_size}
    decoder = {"kind": "smooth", "window_ms": 300, "thresholds": {}, "release": 0.4, "refractory_ms": 500}
    manifest = Manifest(
        name="plain_gru",
        task="keyword_spotting",
        labels=labels,
        frontend={**hears, "stack": 1, "stride": 1},
        decoder=decoder,
    )
    bundle.write(folder, manifest, model, write_graphs)
    return bundle.read(folder)


def random_frames(model: Model, count: int = 256) -> np.ndarray:
    """Frames that every contestant is given, (count, inputs)."""
    return np.random.default_rng(1).standard_normal((count, model.feature_size)).astype(np.float32)


def _affine(rng: np.random.Generator, rows: int, columns: int) -> Affine:
    weight: Int8 = np.clip(np.round(rng.normal(0, 40, (rows, columns))), -127, 127).astype(np.int8)
    scale = rng.uniform(0.5, 1.5, rows) / (40 * 60 * np.sqrt(columns))
    return Affine(weight, scale.astype(np.float32), rng.normal(0, 0.3, rows).astype(np.float32))


def _without(rng: np.random.Generator, affine: Product, share: float, block: Sequence[int]) -> Affine:
    assert isinstance(affine, Affine)
    rows, columns = affine.weight.shape
    high, wide = -(-rows // block[0]), -(-columns // block[1])
    is_kept = np.ones(high * wide, bool)
    is_kept[rng.permutation(high * wide)[: round(share * high * wide)]] = False
    mask = np.kron(is_kept.reshape(high, wide), np.ones(block, bool))[:rows, :columns]
    return replace(affine, weight=(affine.weight * mask).astype(np.int8))
