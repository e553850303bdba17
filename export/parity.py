"""Parity: every engine is held to the student, frame by frame, and not one bit may differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.engines import Engine
from device_runtime.errors import PromiseError

PROMISED_FRAMES = 10_000

Student = Callable[[Float32], tuple[Float32, Float32]]
"""Frames of one stream (n, feature_size) -> scores (n, score_size) and the state after each frame (n, state_size).

A forecaster's windows may follow one another as one stream: its state is carried, and every step is compared.
"""

OUTPUTS = ("scores", "next_state")


@dataclass(frozen=True)
class Parity:
    """What was compared. That it exists means that every count is 0.

    >>> Parity(frames=10_000, differing_bits={"reference": 0, "onnx": 0}).engines
    ('reference', 'onnx')
    """

    frames: int
    differing_bits: dict[str, int]
    """By engine name, over the scores and the states of all frames."""

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that were compared, by name."""
        return tuple(self.differing_bits)


def parity(
    student: Student, engines: Iterable[Engine], frames: Float32, promised_frames: int = PROMISED_FRAMES
) -> Parity:
    """Stream the frames through each engine from zeros and compare all bits with the student's.

    An engine is fed its own states, as on a device. Zeros of another sign count as different: bits are bits.
    """
    if len(frames) < promised_frames:
        raise PromiseError(
            f"parity was asked for over {len(frames)} frames, but the promise is {promised_frames}. "
            "Give longer recordings"
        )
    expected = student(frames)
    differing = {
        engine.name: _differing_bits(engine.name, _stream(engine, frames, expected), expected) for engine in engines
    }
    return Parity(len(frames), differing)


def _stream(engine: Engine, frames: Float32, expected: tuple[Float32, Float32]) -> tuple[Float32, Float32]:
    """What an engine answers to one stream, in the form of the student's answer."""
    state = np.zeros(expected[1].shape[1], np.float32)
    scores, states = [], []
    for frame in frames:
        scored, state = engine.step(frame, state)
        scores.append(scored)
        states.append(state)
    return np.stack(scores), np.stack(states)


def _differing_bits(name: str, got: tuple[Float32, Float32], expected: tuple[Float32, Float32]) -> int:
    for output, ours, theirs in zip(OUTPUTS, got, expected, strict=True):
        if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape) or theirs.dtype != np.float32:
            raise PromiseError(
                f"{name} gives {output} as {ours.dtype} {ours.shape}, but the student as {theirs.dtype} "
                f"{theirs.shape}. Both must be float32 (frames, size)"
            )
    flips = [_bits(ours) ^ _bits(theirs) for ours, theirs in zip(got, expected, strict=True)]
    count = sum(int(np.bitwise_count(flip).sum()) for flip in flips)
    if count:
        raise PromiseError(f"{name} differs from the student by {count} bits, {_first(flips, got, expected)}")
    return count


def _first(flips: list[np.ndarray], got: tuple[Float32, Float32], expected: tuple[Float32, Float32]) -> str:
    """Where the trouble starts: later differences follow from it through the state."""
    frame = min(int(np.flatnonzero(flip.any(axis=1))[0]) for flip in flips if flip.any())
    which = next(i for i, flip in enumerate(flips) if flip[frame].any())
    at = int(np.flatnonzero(flips[which][frame])[0])
    ours, theirs = (float(values[which][frame, at]) for values in (got, expected))
    ours_bits, theirs_bits = (int(_bits(values[which])[frame, at]) for values in (got, expected))
    return (
        f"first in frame {frame}, {OUTPUTS[which]}[{at}]: 0x{ours_bits:08x} ({ours!r}) "
        f"where the student has 0x{theirs_bits:08x} ({theirs!r})"
    )


def _bits(values: Float32) -> np.ndarray:
    return np.ascontiguousarray(values).view(np.uint32)
