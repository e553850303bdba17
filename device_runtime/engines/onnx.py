"""ONNX Runtime runs model.onnx: exact integer products and float32 operations, on one thread."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_runtime.arithmetic import Float32
from device_runtime.bundle import Bundle
from device_runtime.engines import signature
from device_runtime.errors import BundleError, EngineError

FILE = "model.onnx"


@dataclass(frozen=True)
class OnnxEngine:
    """A loaded graph. Safe to share between threads and streams: the session keeps nothing between runs."""

    session: Any
    name: str = "onnx"

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        """(feature_size,), (state_size,) -> scores (labels,), next state (state_size,)."""
        # Bound buffers save 3 us of 45 a step, but then no two threads may share the engine.
        scores, next_state = self.session.run(signature.OUTPUTS, {"frame": frame, "state": state})
        return scores, next_state


def load_engine(bundle: Bundle) -> OnnxEngine:
    """The engine for this bundle; its graph is checked and has run once."""
    path = bundle.folder / FILE
    session = _session(path)
    signature.check(path, bundle.model, _tensors(session.get_inputs()), _tensors(session.get_outputs()))
    engine = OnnxEngine(session)
    frame = bundle.model.initial_state()[: bundle.model.feature_size]
    try:
        engine.step(frame, bundle.model.initial_state())
    except _refusals() as error:
        raise _unusable(path, error) from None
    return engine


def session_options() -> Any:
    """How the graph is run: one thread, one operation after another, nothing fused."""
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineError(
            f'ONNX Runtime cannot be imported ({error}). Install it with: pip install "tinyrnn-runtime[onnx]"'
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Enough to fold the tables; the levels above fuse operations, which could change bits, and gain nothing here.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 4  # errors reach the caller as exceptions, once
    return options


def _session(path: Path) -> Any:
    options = session_options()
    import onnxruntime

    try:
        # From bytes, so that a hostile graph cannot name other files to be read.
        # Its "fallback" would try the same once more and print.
        providers = ["CPUExecutionProvider"]
        return onnxruntime.InferenceSession(path.read_bytes(), options, providers=providers, enable_fallback=0)
    except _refusals() as error:
        raise _unusable(path, error) from None


def _refusals() -> tuple[type[Exception], ...]:
    """All that ONNX Runtime raises about a graph: its exceptions have no common base."""
    from onnxruntime.capi import onnxruntime_pybind11_state as raised

    return (
        raised.Fail,
        raised.InvalidArgument,
        raised.InvalidGraph,
        raised.InvalidProtobuf,
        raised.NotImplemented,
        raised.RuntimeException,
        UnicodeDecodeError,  # its message quotes a damaged name
    )


def _unusable(path: Path, error: Exception) -> BundleError:
    reason = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error).strip().partition("\n")[0]).rstrip(".")
    return BundleError(f"{path} is not a graph that ONNX Runtime can run: {reason}. Get the bundle again")


def _tensors(values: list[Any]) -> dict[str, str]:
    """ONNX Runtime says "tensor(float)" where NumPy says float32."""
    return {
        value.name: signature.tensor("float32" if value.type == "tensor(float)" else value.type, tuple(value.shape))
        for value in values
    }
