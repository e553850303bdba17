"""What an export backend is: one file of a bundle, written from the model."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from device_runtime.arithmetic import Model


class Backend(Protocol):
    """Writes a model's step for one runtime."""

    filename: str
    """Its file in the bundle."""

    def write(self, model: Model, path: Path) -> None:
        """Write the file; parity holds it to the student afterwards."""
