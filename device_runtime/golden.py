"""Golden frames: inputs with the exact answers, so that a board can prove that it computes the same bits.

golden.npz holds `frames` (n, feature_size), `scores` (n, score_size) and `states` (n, state_size), the state after each
frame of one stream that starts from zeros.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_runtime import arithmetic, npz
from device_runtime.arithmetic import Float32, Model
from device_runtime.bundle import Bundle
from device_runtime.engines import Engine
from device_runtime.errors import BundleError
from device_runtime.frontends.window import LARGEST

GOLDEN = "golden.npz"
MAX_VALUE = LARGEST
"""Of a golden number: times any input gain, it is still a finite float32."""


@dataclass(frozen=True)
class Golden:
    """Frames of one stream, and the scores and states that they must give."""

    frames: Float32  # (n, feature_size)
    scores: Float32  # (n, score_size)
    states: Float32  # (n, state_size)


def record(model: Model, frames: Float32) -> Golden:
    """What the reference arithmetic answers to these frames."""
    state = model.initial_state()
    steps = []
    for frame in frames:
        scores, state = arithmetic.step(model, frame, state)
        steps.append((scores, state))
    return Golden(frames, np.stack([s for s, _ in steps]), np.stack([s for _, s in steps]))


def write(path: Path, golden: Golden) -> None:
    """Store as golden.npz."""
    npz.write(path, {"frames": golden.frames, "scores": golden.scores, "states": golden.states})


def read(bundle: Bundle) -> Golden:
    """The golden frames of a bundle, their shapes checked against its model, and their values."""
    path = bundle.folder / GOLDEN
    if GOLDEN not in bundle.manifest.files:
        raise BundleError(
            f"{bundle.folder} has no {GOLDEN}, so there is nothing to check against. Check the bundle that it was "
            "packed from"
        )
    arrays = npz.read(path.read_bytes(), str(path))
    frames = max([1, *arrays["frames"].shape[:1]]) if "frames" in arrays else 1
    expected = {
        "frames": (frames, bundle.model.feature_size),
        "scores": (frames, bundle.model.score_size),
        "states": (frames, bundle.model.state_size),
    }
    for name, shape in expected.items():
        array = arrays.get(name)
        if array is None or array.shape != shape or array.dtype != np.float32:
            got = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise BundleError(f"{path}: {name} must be float32 {shape}, got {got}")
        if not np.all(np.abs(array) <= MAX_VALUE):  # also false for NaN
            raise BundleError(f"{path}: {name} must hold finite numbers up to {MAX_VALUE:g}. Get the bundle again")
    return Golden(**{name: arrays[name] for name in expected})


def replay(engine: Engine, golden: Golden) -> int:
    """How many values differ in any bit, over scores and states, when an engine streams the golden frames.

    The engine is fed its own states, as on a device: one wrong bit shows in all that follows from it.
    """
    state = np.zeros(golden.states.shape[1], np.float32)
    differing = 0
    for frame, expected_scores, expected_state in zip(golden.frames, golden.scores, golden.states, strict=True):
        scores, state = engine.step(frame, state)
        differing += _differing(scores, expected_scores) + _differing(state, expected_state)
    return differing


def _differing(got: Float32, expected: Float32) -> int:
    if got.shape != expected.shape or got.dtype != np.float32:
        return expected.size
    return int(np.count_nonzero(np.ascontiguousarray(got).view(np.uint32) != expected.view(np.uint32)))
