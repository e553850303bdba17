"""What training asks of a data set, and the two labels that are no words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.recordings import Recording

SPLITS = ("train", "validation", "test")

UNKNOWN = "_unknown_"
"""Speech that is none of the words."""

SILENCE = "_silence_"
"""No speech at all: a room, a street, a fan."""


def known_split(split: str) -> str:
    """The split, if it is one; InputError else."""
    if split not in SPLITS:
        raise InputError(f"there is no split {split!r}. Choose one of: {', '.join(SPLITS)}.")
    return split


class Described(Protocol):
    """What a model card tells of whatever a model has heard."""

    @property
    def name(self) -> str:
        """Short, for reports and cache folders."""

    @property
    def source(self) -> str:
        """Where a user gets it: an address, or how it is made, with the versions of what makes it."""

    @property
    def licence(self) -> str:
        """Under which terms."""


class Recordings(Described, Protocol):
    """Files with a label, a speaker and a split; noise and negative speech are no more than that."""

    def recordings(self, split: str) -> list[Recording]:
        """Of "train", "validation" or "test"; no speaker is in two of them, where the set can promise that."""


class DataSet(Recordings, Protocol):
    """Recordings of words to be told apart."""

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of the scores."""


@dataclass(frozen=True)
class Clip:
    """A word that is in memory rather than in a file."""

    samples: Float32  # (16000 * seconds,)
    label: str
    speaker: str
