"""From samples to scores: frame by frame, or in one call where the engine has a front end of its own."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.engines import Engine, SpeechEngine
from device_runtime.frontends import Frontend, SpeechFrontend
from device_runtime.frontends.speech import to_int16


class Hearing(Protocol):
    """One stream from its start; how its samples are cut into chunks changes nothing."""

    def push(self, samples: Float32) -> tuple[list[float], Float32]:
        """Take checked samples; the seconds of input at each step that they lead to, and its scores (steps, labels)."""
        ...


class FrameByFrame:
    """Any front end, any engine."""

    def __init__(self, frontend: Frontend, engine: Engine, initial_state: Float32) -> None:
        self._frontend, self._engine, self._state = frontend, engine, initial_state

    def push(self, samples: Float32) -> tuple[list[float], Float32]:
        """Make frames; step the model with each."""
        times_s, rows = [], []
        for frame in self._frontend.push(samples):
            scores, self._state = self._engine.step(frame.values, self._state)
            times_s.append(frame.time_s)
            rows.append(scores)
        return times_s, np.array(rows, np.float32)


class InOneCall:
    """Speech through an engine that takes samples."""

    def __init__(self, frontend: SpeechFrontend, engine: SpeechEngine) -> None:
        self._frontend = frontend
        self._stream = engine.stream(frontend.stride)
        self._steps = 0

    def push(self, samples: Float32) -> tuple[list[float], Float32]:
        """Hand the samples over."""
        scores = self._stream.push(to_int16(samples))
        first, self._steps = self._steps + 1, self._steps + len(scores)
        return [self._frontend.time_s(step) for step in range(first, self._steps + 1)], scores


def hearing(frontend: Frontend, engine: Engine, initial_state: Float32) -> Hearing:
    """The shortest way from the samples of this front end, which has heard nothing yet, to this engine's scores."""
    if isinstance(frontend, SpeechFrontend) and isinstance(engine, SpeechEngine):
        return InOneCall(frontend, engine)
    return FrameByFrame(frontend, engine, initial_state)
