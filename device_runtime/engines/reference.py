"""The plain NumPy engine: the oracle for every other one, and the fallback where no wheel exists."""

from __future__ import annotations

from dataclasses import dataclass

from device_runtime import arithmetic
from device_runtime.arithmetic import Float32
from device_runtime.bundle import Bundle


@dataclass(frozen=True)
class ReferenceEngine:
    """Runs `arithmetic.step` on the bundle's weights."""

    model: arithmetic.Model
    name: str = "reference"

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        """(feature_size,), (state_size,) -> scores (labels,), next state (state_size,)."""
        return arithmetic.step(self.model, frame, state)


def load_engine(bundle: Bundle) -> ReferenceEngine:
    """The engine for this bundle."""
    return ReferenceEngine(bundle.model)
