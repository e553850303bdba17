"""Free Spoken Digit Dataset: ten digits by a handful of speakers, 50 takes each, at 8 kHz."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from device_runtime.recordings import FSDD_NAME, Recording, list_recordings
from train.data.download import Archive, find

HOMEPAGE = "https://github.com/Jakobovski/free-spoken-digit-dataset"
ARCHIVE = Archive(
    f"{HOMEPAGE}/archive/v1.0.9.tar.gz",
    sha256="8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0",
)
"""The newest release whose hash is published (TensorFlow Datasets checks the same one): 5 speakers, 2,500 clips."""

VALIDATION_TAKES = range(5, 10)
"""The set has no validation split of its own: five takes of each digit and speaker leave the training set."""


@dataclass(frozen=True)
class SpokenDigits:
    """The digits 0 to 9.

    Takes 0-4 are the test, officially; 5-9 are for validation, 10-49 for training. Every speaker is in all three, so
    that accuracy here says nothing about speakers who were never heard.
    """

    data: Path | None = None
    """The folder of the data set or one above it; else `TINYRNN_DATA`, the cache folder, or a download."""

    @property
    def name(self) -> str:
        """The folder's name under `TINYRNN_DATA`."""
        return "fsdd"

    @property
    def source(self) -> str:
        """The authors' repository."""
        return HOMEPAGE

    @property
    def licence(self) -> str:
        """Of the recordings."""
        return "CC BY-SA 4.0"

    @property
    def labels(self) -> tuple[str, ...]:
        """As the file names spell them."""
        return tuple("0123456789")

    def folder(self) -> Path:
        """Where it is on this machine."""
        return find(self.name, _holds, ARCHIVE, HOMEPAGE, self.data)

    def recordings(self, split: str) -> list[Recording]:
        """Of a split, by the number of the take."""
        every = [_with_validation(recording) for recording in list_recordings(self.folder())]
        return [recording for recording in every if recording.split == split]


def _with_validation(recording: Recording) -> Recording:
    name = FSDD_NAME.fullmatch(recording.path.stem)
    if name and int(name["take"]) in VALIDATION_TAKES:
        return dataclasses.replace(recording, split="validation")
    return recording


def _holds(folder: Path) -> bool:
    recordings = folder / "recordings"
    return recordings.is_dir() and any(FSDD_NAME.fullmatch(path.stem) for path in recordings.iterdir())
