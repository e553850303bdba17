"""LiteRT, or its predecessor tflite_runtime on older boards, runs model.tflite on one thread."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime.arithmetic import Float32, Model
from device_runtime.bundle import Bundle
from device_runtime.engines import signature
from device_runtime.errors import BundleError, EngineError
from device_runtime.quiet import quiet

FILE = "model.tflite"
INTERPRETERS = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")
"""The first that is installed is used; both run the same file to the same bits."""


@dataclass(frozen=True)
class LitertEngine:
    """A loaded graph. The interpreter has one set of buffers: one thread at a time."""

    interpreter: Any
    inputs: tuple[int, int]
    outputs: tuple[int, int]
    name: str = "litert"

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        """(feature_size,), (state_size,) -> scores (labels,), next state (state_size,)."""
        # set_tensor and get_tensor copy, and are faster than views into the interpreter (17.3 against 18.1 us a step).
        self.interpreter.set_tensor(self.inputs[0], frame)
        self.interpreter.set_tensor(self.inputs[1], state)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.outputs[0]), self.interpreter.get_tensor(self.outputs[1])


def load_engine(bundle: Bundle) -> LitertEngine:
    """The engine for this bundle; its graph is checked and has run once."""
    path = bundle.folder / FILE
    make = _interpreter_class()
    frame = bundle.model.initial_state()[: bundle.model.feature_size]
    try:
        with quiet():
            interpreter = make(model_content=path.read_bytes(), num_threads=1)
            _check(path, bundle.model, interpreter)  # before memory is taken
            interpreter.allocate_tensors()
            _check(path, bundle.model, interpreter)  # what the file said of its outputs need not be true
            engine = LitertEngine(
                interpreter,
                _places(interpreter.get_input_details(), signature.INPUTS),
                _places(interpreter.get_output_details(), signature.OUTPUTS),
            )
            engine.step(frame, bundle.model.initial_state())
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise BundleError(f"{path} is not a graph that LiteRT can run: {reason}. Get the bundle again") from None
    except (ImportError, SystemError):  # tflite_runtime installs beside a NumPy that it cannot use
        raise EngineError(
            f"{make.__module__} cannot run beside NumPy {np.__version__}: it was built for another one. "
            'Choose: pip install "numpy<2", or pip install "tinyrnn-runtime[litert]"'
        ) from None
    return engine


def _interpreter_class() -> Any:
    reasons = []
    for module in INTERPRETERS:
        try:
            return importlib.import_module(module).Interpreter
        except ImportError as error:
            reasons.append(str(error))
    raise EngineError(
        f'LiteRT cannot be imported ({"; ".join(reasons)}). Install it with: pip install "tinyrnn-runtime[litert]"'
    )


def _check(path: Path, model: Model, interpreter: Any) -> None:
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    signature.check(path, model, _tensors(inputs), _tensors(outputs))


def _tensors(details: list[dict[str, Any]]) -> dict[str, str]:
    return {
        entry["name"]: signature.tensor(entry["dtype"].__name__, tuple(int(size) for size in entry["shape"]))
        for entry in details
    }


def _places(details: list[dict[str, Any]], names: tuple[str, str]) -> tuple[int, int]:
    by_name = {entry["name"]: int(entry["index"]) for entry in details}
    return by_name[names[0]], by_name[names[1]]
