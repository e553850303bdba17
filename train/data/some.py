"""A part of a data set, where all of it would drown the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device_runtime.recordings import Recording
from train.data.dataset import Recordings


@dataclass(frozen=True)
class Some:
    """At most `count` recordings of each split, chosen once by chance."""

    of: Recordings
    count: int
    seed: int = 0

    @property
    def name(self) -> str:
        """The whole set's."""
        return self.of.name

    @property
    def source(self) -> str:
        """The whole set's."""
        return self.of.source

    @property
    def licence(self) -> str:
        """The whole set's."""
        return self.of.licence

    def recordings(self, split: str) -> list[Recording]:
        """In the order of the whole set."""
        every = self.of.recordings(split)
        if len(every) <= self.count:
            return every
        chosen = np.random.default_rng(self.seed).choice(len(every), self.count, replace=False)
        return [every[i] for i in sorted(chosen)]
