"""The engine in C, on whatever the processor has; built when the package is installed where a C compiler is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime import extension, flat
from device_runtime.arithmetic import Float32
from device_runtime.bundle import Bundle
from device_runtime.errors import BundleError, EngineError


@dataclass(frozen=True)
class NativeStream:
    """One stream of speech: it remembers what it has heard."""

    stream: Any
    labels: int

    def push(self, samples: npt.NDArray[np.int16]) -> Float32:
        """Take any number of samples; return the scores of each step that they led to, (n, labels)."""
        return extension.rows(self.stream.push(samples), self.labels)

    def push_floats(self, samples: Float32) -> Float32:
        """The same for samples of -1..1, rounded as `to_int16` does; ValueError unless contiguous and finite."""
        scores: Float32 = self.stream.push_floats(samples)
        return scores

    def reset(self) -> None:
        """Forget everything heard so far."""
        self.stream.reset()


@dataclass(frozen=True)
class NativeEngine:
    """A loaded model. Threads may share it."""

    model: Any
    name: str = "native"
    step: Callable[[Float32, Float32], tuple[Float32, Float32]] = field(init=False, repr=False, compare=False)
    """(feature_size,), (state_size,) -> scores (labels,), next state (state_size,). It is the model's own: a function
    of Python around it would cost as much as the call."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", self.model.step)

    def step_into(self, frame: Float32, state: Float32, scores: Float32, next_state: Float32) -> None:
        """`step` that makes nothing new: it writes into the caller's arrays, and `next_state` may be `state` itself.

        All are contiguous float32, or bytes of such. It is for loops in which an array more counts.
        """
        self.model.step(frame, state, scores, next_state)

    def steps(self, frames: Float32, state: Float32) -> tuple[Float32, Float32]:
        """Many frames of one stream in one call: (n, feature_size), (state_size,) -> scores (n, labels), next state."""
        scores = np.empty((len(frames), self.model.score_count), np.float32)
        next_state = np.empty(self.model.state_size, np.float32)
        self.model.steps(_plain(frames), _plain(state), scores, next_state)
        return scores, next_state

    def streams(self, frames: Float32, states: Float32) -> tuple[Float32, Float32]:
        """One frame of each of many streams: (n, feature_size), (n, state_size) -> scores (n, labels), next states."""
        scores = np.empty((len(frames), self.model.score_count), np.float32)
        next_states = np.empty((len(frames), self.model.state_size), np.float32)
        self.model.streams(_plain(frames), _plain(states), scores, next_states)
        return scores, next_states

    def windows(self, frames: Float32, state: Float32) -> Float32:
        """Windows of frames, each from `state`: (windows, n, feature_size), (state_size,) -> scores of the last frames.

        What only the scores of the other frames need is left out.
        """
        scores = np.empty((len(frames), self.model.score_count), np.float32)
        self.model.windows(_plain(frames), _plain(state), scores)
        return scores

    def stream(self, stride: int) -> NativeStream:
        """A stream of 16 kHz samples through the speech front end, a frame every `stride` vectors."""
        return NativeStream(self.model.stream(stride), self.model.score_count)


def load_engine(bundle: Bundle) -> NativeEngine:
    """The engine for this bundle: from its model.native, or from its weights where it has none."""
    make = _model_class()
    if flat.FILE not in bundle.manifest.files:
        return NativeEngine(make(flat.to_bytes(bundle.model)))
    path = bundle.folder / flat.FILE
    try:
        model = make(path.read_bytes())
    except ValueError as error:
        raise BundleError(f"{path} cannot be run: {error}. Get the bundle again") from None
    found = (model.feature_size, model.state_size, model.score_count)
    expected = (bundle.model.feature_size, bundle.model.state_size, bundle.model.score_size)
    if found != expected:
        raise BundleError(
            f"{path} has frames, states and scores of {found}, but the model beside it of {expected}. "
            "Get the bundle again"
        )
    return NativeEngine(model)


def _model_class() -> Any:
    try:
        return extension.load().Model
    except ImportError as error:
        raise EngineError(
            f"the native engine cannot be loaded ({error}). Install a C compiler, then: pip install --force-reinstall "
            "tinyrnn-runtime, or use the reference engine"
        ) from None


def _plain(values: Float32) -> Float32:
    return np.ascontiguousarray(values, np.float32)
