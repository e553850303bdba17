"""How many bytes of tensors are alive at once: counted from the tensors themselves, so the same on every machine.

A process's own peak also holds libraries and whatever the allocator keeps, and says nothing about what the bytes are.
Every storage that an operation makes is noted while it lives; the largest sum is the peak.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveMemory(TorchDispatchMode):
    """Within it, `peak_bytes` is the most that was alive at once of what was made within it.

    >>> with LiveMemory() as memory:
    ...     kept = torch.ones(1000)
    ...     gone = (torch.ones(2000) + 1).sum()
    >>> memory.peak_bytes >= 4 * (1000 + 2000 + 2000)
    True
    >>> memory.live_bytes
    4004
    """

    def __init__(self) -> None:
        super().__init__()
        self.live_bytes = self.peak_bytes = 0
        self._noted: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation; note the storages that it made, not those that it was given and gives back as a view."""
        given = {storage._cdata for storage in _storages((args, kwargs))}
        made = func(*args, **(kwargs or {}))
        for storage in _storages(made):
            if storage._cdata not in given:
                self._note(storage)
        return made

    def _note(self, storage: torch.UntypedStorage) -> None:
        address, size = storage._cdata, storage.nbytes()
        if address in self._noted or size == 0:
            return
        self._noted.add(address)
        self.live_bytes += size
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        weakref.finalize(storage, self._forget, address, size)

    def _forget(self, address: int, size: int) -> None:
        self._noted.discard(address)
        self.live_bytes -= size


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]
