"""The noise recordings that some data sets carry, as a source of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from device_runtime.recordings import Recording
from train.data.dataset import Recordings


class HasNoise(Recordings, Protocol):
    """A data set with long recordings of noise."""

    def noise(self, split: str) -> list[Recording]:
        """The noises of a split; no noise is in two splits."""


@dataclass(frozen=True)
class BackgroundNoise:
    """The noise of a data set without its words."""

    of: HasNoise

    @property
    def name(self) -> str:
        """Says which part it is."""
        return f"{self.of.name}, noise"

    @property
    def source(self) -> str:
        """The data set's."""
        return self.of.source

    @property
    def licence(self) -> str:
        """The data set's."""
        return self.of.licence

    def recordings(self, split: str) -> list[Recording]:
        """The noises of a split."""
        return self.of.noise(split)
