"""Engines run one step of a bundle's model. A name becomes an engine here and nowhere else.

To add one: write a module with `load_engine(bundle) -> Engine`, and a line in ENGINES.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from device_runtime import extension, flat
from device_runtime.arithmetic import Float32
from device_runtime.bundle import MODEL, Bundle
from device_runtime.errors import EngineError
from device_runtime.meant import meant

_log = logging.getLogger("tinyrnn")


class Engine(Protocol):
    """One frame through the model, with the bits of `arithmetic.step`."""

    @property
    def name(self) -> str:
        """As in ENGINES."""
        ...

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        """(feature_size,), (state_size,) -> scores (labels,), next state (state_size,). Keeps nothing."""
        ...


class SpeechStream(Protocol):
    """16 kHz speech to scores; the only part of an engine that remembers."""

    def push(self, samples: npt.NDArray[np.int16]) -> Float32:
        """Take any number of samples; return the scores of each step that they led to, (n, labels)."""
        ...

    def push_floats(self, samples: Float32) -> Float32:
        """The same for samples of -1..1, rounded as `to_int16` does; ValueError unless contiguous and finite."""
        ...

    def reset(self) -> None:
        """Forget everything heard so far."""
        ...


@runtime_checkable
class SpeechEngine(Engine, Protocol):
    """An engine that has the speech front end in it, so that samples become scores in one call."""

    def stream(self, stride: int) -> SpeechStream:
        """A new stream for a model whose frames are vectors of speech, `stride` of them apart."""
        ...


@runtime_checkable
class WindowEngine(Engine, Protocol):
    """An engine that leaves out, within a window of frames, what only a step's own scores need."""

    def windows(self, frames: Float32, state: Float32) -> Float32:
        """(windows, n, feature_size), each from `state` (state_size,) -> the last step's scores, (windows, scores)."""
        ...


def last_scores(engine: Engine, initial_state: Float32, frames: Float32) -> Float32:
    """The scores after the last frame of each window, with the bits of single steps from the initial state.

    initial_state (state_size,), frames (windows, n, feature_size), n at least 1 -> (windows, scores).
    """
    if isinstance(engine, WindowEngine):
        return engine.windows(frames, initial_state)
    return np.stack([_last(engine, initial_state, window) for window in np.ascontiguousarray(frames, np.float32)])


def _last(engine: Engine, state: Float32, frames: Float32) -> Float32:
    for frame in frames:
        scores, state = engine.step(frame, state)
    return scores


@dataclass(frozen=True)
class Choice:
    """What an engine reads, where its code is, and what must be installed."""

    file: str
    module: str
    packages: tuple[str, ...] = ()
    """Any one of these is enough."""

    instead: str | None = None
    """Another engine with the same bits, which takes over where this one is not installed."""

    packed: Mapping[str, Callable[[Bundle], bytes]] = field(default_factory=dict)
    """Files that a bundle packed for it holds besides, and what makes each."""

    def is_installed(self) -> bool:
        """Whether its package is here."""
        return not self.packages or any(map(_is_there, self.packages))


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # nor is the package that it would be in
        return False


ENGINES = {
    "reference": Choice(MODEL, "device_runtime.engines.reference"),
    "native": Choice(
        MODEL, "device_runtime.engines.native", (extension.NAME,), "reference", {flat.FILE: flat.of_bundle}
    ),
    "onnx": Choice("model.onnx", "device_runtime.engines.onnx", ("onnxruntime",)),
    "litert": Choice("model.tflite", "device_runtime.engines.litert", ("ai_edge_litert", "tflite_runtime")),
}
REFERENCE = "reference"
"""Needs nothing but NumPy, and defines the bits of all others."""

DEFAULT = "native" if ENGINES["native"].is_installed() else REFERENCE
"""The fastest that is here: they have the same bits."""


def available(bundle: Bundle) -> list[str]:
    """The engines that can run this bundle here: its file is in the bundle and its package is installed."""
    return [name for name, choice in ENGINES.items() if choice.file in bundle.manifest.files and choice.is_installed()]


def load(name: str, bundle: Bundle) -> Engine:
    """The engine of that name, ready for this bundle's model.

    >>> load("reference", bundle).step(frame, state)  # doctest: +SKIP
    """
    if name not in ENGINES:
        raise EngineError(f"there is no engine {name!r}{meant(name, ENGINES)}. Choose one of: {', '.join(ENGINES)}")
    choice = ENGINES[name]
    if choice.file not in bundle.manifest.files:
        raise EngineError(
            f"the engine {name} needs {choice.file}, which {bundle.folder} does not have. "
            f"Choose one of: {', '.join(available(bundle))}"
        )
    if not choice.is_installed() and choice.instead is not None:
        # logging's own last resort writes one line to stderr; a program may route it elsewhere
        _log.warning("the %s engine is not built here; the %s engine takes over", name, choice.instead)
        return load(choice.instead, bundle)
    if not choice.is_installed():
        raise EngineError(
            f"the engine {name} needs the package {' or '.join(choice.packages)}. "
            f'Install it with: pip install "tinyrnn-runtime[{name}]"'
        )
    engine: Engine = importlib.import_module(choice.module).load_engine(bundle)
    return engine
