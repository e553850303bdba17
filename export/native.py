"""model.native: the weights as the native engine reads them, without unpacking."""

from __future__ import annotations

from pathlib import Path

from device_runtime import flat
from device_runtime.arithmetic import Model


class Native:
    """Writes model.native: each matrix in the smallest form that loses nothing.

    >>> Native().write(model, Path("yes_no.bundle/model.native"))  # doctest: +SKIP
    """

    filename = flat.FILE

    def __init__(self, labels: tuple[str, ...] = (), stride: int = 0) -> None:
        self.labels = labels
        """What the scores stand for; firmware that has no manifest reads them from the file."""

        self.stride = stride
        """Of a model that hears speech: vectors of the front end from one frame to the next."""

    def write(self, model: Model, path: Path) -> None:
        """Write the flat file."""
        path.write_bytes(flat.to_bytes(model, self.labels, self.stride))
