"""From samples to scores: frame by frame, or in one call where the engine has a front end of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.engines import Engine, SpeechEngine
from device_runtime.frontends import Frontend, SpeechFrontend


class Hearing(Protocol):
    """One stream from its start; how its samples are cut into chunks changes nothing."""

    def push(self, samples: Float32) -> tuple[Iterable[float], Float32]:
        """Take samples; the seconds of input at each step that they lead to, and its scores (steps, labels).

        The seconds are to be read once. InputError, with nothing heard, unless the front end takes such samples.
        """
        ...


class FrameByFrame:
    """Any front end, any engine."""

    def __init__(self, frontend: Frontend, engine: Engine, initial_state: Float32) -> None:
        self._frontend, self._engine, self._state = frontend, engine, initial_state

    def push(self, samples: Float32) -> tuple[Iterable[float], Float32]:
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

    def push(self, samples: Float32) -> tuple[Iterable[float], Float32]:
        """Hand the samples over."""
        if type(samples) is not np.ndarray or samples.ndim != 1 or samples.dtype != np.float32:
            self._frontend.check(samples)
        try:
            scores = self._stream.push_floats(samples)
        except ValueError:  # a view with gaps: the rare case pays for the copy; or not a finite number
            self._frontend.check(samples)
            scores = self._stream.push_floats(np.ascontiguousarray(samples))
        first, self._steps = self._steps + 1, self._steps + len(scores)
        return map(self._frontend.time_s, range(first, self._steps + 1)), scores


def hearing(frontend: Frontend, engine: Engine, initial_state: Float32) -> Hearing:
    """The shortest way from the samples of this front end, which has heard nothing yet, to this engine's scores."""
    if isinstance(frontend, SpeechFrontend) and isinstance(engine, SpeechEngine):
        return InOneCall(frontend, engine)
    return FrameByFrame(frontend, engine, initial_state)
