"""One training in several processes of `torchrun`: each takes its share of every batch, and all stay the same."""

from __future__ import annotations

import os

import torch
from torch import distributed, nn


class Processes:
    """This process among its like; alone, and free of charge, unless torchrun started several."""

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = 0
        if self.count > 1:
            if not distributed.is_initialized():
                distributed.init_process_group("gloo")
            self.rank = distributed.get_rank()

    def wrapped(self, model: nn.Module) -> nn.Module:
        """The model with gradients that are averaged over the processes; all start from the first one's weights."""
        return nn.parallel.DistributedDataParallel(model) if self.count > 1 else model

    def share(self, batch: torch.Tensor) -> torch.Tensor:
        """This process's part of a batch."""
        return batch[self.rank :: self.count] if self.count > 1 else batch

    def weight(self, count: int) -> float:
        """What the mean loss over this process's share of `count` examples counts, so that all average to the whole's.

        It is 1 where every process has equally many.
        """
        return len(range(self.rank, count, self.count)) * self.count / count

    def mean(self, value: float) -> float:
        """Over all processes: what each of them decides by must be one number."""
        if self.count == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(total)
        return float(total) / self.count

    def share_buffers(self, model: nn.Module) -> None:
        """Take the first process's buffers: the statistics of batch normalisation differ with the share."""
        if self.count > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, src=0)
