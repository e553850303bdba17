"""From a trained int8 model to a bundle that every engine was held to: written, proved, then put in its place."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch

from device_runtime import bundle as bundles
from device_runtime import engines, golden
from device_runtime.arithmetic import Float32, Model
from device_runtime.bundle import MODEL
from device_runtime.errors import PromiseError
from device_runtime.manifest import Manifest
from export.backend import Backend
from export.parity import Parity, parity

GOLDEN_FRAMES = 25
PARITY_FRAMES = 12_000


@dataclass(frozen=True)
class Result:
    """Where a build left what it made."""

    bundle: Path
    report: Path
    missed: tuple[str, ...]
    """Promises of the budget that do not hold; empty when all is well."""


class Traced(Protocol):
    """A model in int8 arithmetic, trained in torch."""

    def trace(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores and states after each of (batch, steps, feature_size) frames, from the initial state."""

    def model(self) -> Model:
        """The very numbers, for the bundle."""


def write_bundle(
    folder: Path, manifest: Manifest, student: Traced, export: Sequence[Backend], frames: torch.Tensor
) -> None:
    """Write the model in every form, with the exact answers to the first of these frames (steps, feature_size)."""
    model = student.model()

    def write_files(folder: Path) -> None:
        for backend in export:
            backend.write(model, folder / backend.filename)
        golden.write(folder / golden.GOLDEN, golden.record(model, frames[:GOLDEN_FRAMES].numpy()))

    bundles.write(folder, manifest, model, write_files)


def prove(bundle: Path, student: Traced, frames: torch.Tensor) -> Parity:
    """Hold every engine that has its file in the bundle to the student, frame by frame."""
    opened = bundles.read(bundle)
    names = engines.available(opened)
    choices = {name: choice for name, choice in engines.ENGINES.items() if choice.file in opened.manifest.files}
    missing = [name for name, choice in choices.items() if name not in names and choice.instead is None]
    if missing:
        raise PromiseError(f"{bundle} cannot be proved for {', '.join(missing)}: install them, then build again.")

    def of_student(stream: Float32) -> tuple[Float32, Float32]:
        with torch.no_grad():
            scores, states = student.trace(torch.from_numpy(stream)[None])
        return scores[0].numpy(), states[0].numpy()

    return parity(of_student, [engines.load(name, opened) for name in names], frames.numpy())


def told(proof: Parity) -> str:
    """What was proved, in plain words.

    >>> told(Parity(frames=12_008, differing_bits={"reference": 0, "onnx": 0, "litert": 0}))
    '12,008 frames: 0 differing bits on reference, onnx and litert'
    """
    *first, last = proof.engines
    bits = sum(proof.differing_bits.values())
    return f"{proof.frames:,} frames: {bits} differing bits on {', '.join(first)}{' and ' * bool(first)}{last}"


def publish(proved: Path, bundle: Path, card: dict[str, Any]) -> None:
    """Move what was proved and measured to where the bundle before was, with its complete card."""
    opened = bundles.read(proved)

    def copy_files(folder: Path) -> None:
        if (folder / MODEL).read_bytes() != (proved / MODEL).read_bytes():
            raise PromiseError(
                f"{bundle} would not hold the {MODEL} that was proved. Build again; nothing has changed."
            )
        for name in set(opened.manifest.files) - {MODEL}:
            shutil.copyfile(proved / name, folder / name)

    bundles.write(bundle, replace(opened.manifest, card=card), opened.model, copy_files)
    shutil.rmtree(proved)
