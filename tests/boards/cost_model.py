"""The model whose cost is counted: the shape of the keyword spotter, with random weights that no training changes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from device_runtime import bundle, flat
from device_runtime.arithmetic import Int8, Model
from export.litert import Litert
from export.native import Native
from export.onnx import Onnx
from models import tiny_manifest, tiny_model
from scenarios.benchmarks import peer_litert_dynamic, peer_onnx
from scenarios.benchmarks.floats import float_model
from sparse_models import with_weights, without_blocks

LABELS = ("yes", "no", "up", "down", "unknown", "silence")
LAYERS = (("dense", 24, 40, 20), ("dense", 56, 216, 216), ("gru", 128))
SPARSITY = 0.63
SMALLEST_PRUNED = 2048
"""As compress.prune.Prune leaves it."""


def cost_model() -> Model:
    """The model."""
    prune = without_blocks(SPARSITY)

    def change(weight: Int8) -> Int8:
        return prune(weight) if weight.size >= SMALLEST_PRUNED else weight

    return with_weights(tiny_model(7, LAYERS, 200, len(LABELS)), change)


def write(folder: Path) -> None:
    """What the guests read: a bundle for every engine, the same in float for the peers, and flat files for hear.c."""
    model = cost_model()
    floats = float_model(model)
    backends = (Onnx(), Litert(), Native(LABELS))

    def write_files(temporary: Path) -> None:
        for backend in backends:
            backend.write(model, temporary / backend.filename)

    silent = {"thresholds": dict.fromkeys(LABELS[:4], 1.0)}
    manifest = tiny_manifest(labels=LABELS)
    manifest = dataclasses.replace(manifest, decoder={**manifest.decoder, **silent})
    bundle.write(folder / "cost.bundle", manifest, model, write_files)
    peer_litert_dynamic.write(floats, folder / "litert_dynamic_range.tflite")
    peer_onnx.write(floats, folder / "onnx_float_gru.onnx")
    (folder / "model.native").write_bytes(flat.to_bytes(model))
