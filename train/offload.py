"""Activations kept elsewhere until the way back: in the CPU's memory, or on disk.

Saved-tensor hooks take each tensor that backpropagation will need and give it back when it does
(torch.autograd.graph.saved_tensors_hooks). On a machine whose training runs on its CPU only the disk frees memory.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.autograd.graph import save_on_cpu, saved_tensors_hooks

from device_runtime.errors import InputError

SMALLEST_BYTES = 4096
"""What is smaller stays where it is: a file would cost more than it frees."""


def to_cpu() -> AbstractContextManager[Any]:
    """From an accelerator into the CPU's memory."""
    return save_on_cpu(pin_memory=torch.cuda.is_available())


@contextmanager
def to_disk(model: nn.Module, folder: Path | None = None, smallest_bytes: int = SMALLEST_BYTES) -> Iterator[None]:
    """Into files in a folder (else a temporary one), which are gone afterwards; tensors below a size stay.

    The model's parameters and views of them stay, too: they are in memory anyway, and each step saves them again.
    """
    parameters = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    with tempfile.TemporaryDirectory(dir=folder, prefix="activations-") as home:
        numbers = itertools.count()

        def pack(tensor: torch.Tensor) -> torch.Tensor | _OnDisk:
            if tensor.ndim == 0 or tensor.nbytes < smallest_bytes or tensor.untyped_storage().data_ptr() in parameters:
                return tensor
            return _OnDisk(tensor.detach(), Path(home) / f"{next(numbers)}.bin")

        def unpack(kept: torch.Tensor | _OnDisk) -> torch.Tensor:
            return kept.read() if isinstance(kept, _OnDisk) else kept

        with saved_tensors_hooks(pack, unpack):
            yield


class _OnDisk:
    """A tensor in a file, which lives as long as somebody may still ask for it."""

    def __init__(self, tensor: torch.Tensor, path: Path):
        self._path, self._shape, self._dtype = path, tuple(tensor.shape), tensor.dtype
        self._device = tensor.device
        try:
            tensor.cpu().contiguous().view(torch.uint8).numpy().tofile(path)
        except OSError as error:
            raise InputError(
                f"an activation of {tensor.nbytes:,} bytes cannot be kept in {path.parent}: {error.strerror}. "
                "Make room there, or name another folder."
            ) from error

    def read(self) -> torch.Tensor:
        """As it was."""
        try:
            values = torch.from_numpy(np.fromfile(self._path, np.uint8))
        except OSError as error:
            raise InputError(
                f"an activation that was kept in {self._path.parent} cannot be read back: {error.strerror}. "
                "Call backward() before the end of `to_disk`, and leave its folder alone."
            ) from error
        return values.view(self._dtype).reshape(self._shape).to(self._device)

    def __del__(self) -> None:
        self._path.unlink(missing_ok=True)
