"""Arabic Speech Commands: 40 words by 30 speakers, split by speaker in its own csv files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from device_runtime.errors import InputError
from device_runtime.meant import meant
from device_runtime.recordings import Recording, audio_files, list_recordings
from train.data.dataset import SILENCE
from train.data.download import Archive, find

WORDS = (
    *("backward", "cancel", "close", "digit", "direction", "disable", "down", "eight", "enable", "enter"),
    *("five", "forward", "four", "left", "move", "next", "nine", "no", "ok", "one"),
    *("open", "options", "previous", "receive", "record", "right", "rotate", "send", "seven", "six"),
    *("start", "stop", "three", "two", "undo", "up", "yes", "zero", "zoom in", "zoom out"),
)
"""The set's own English names of the Arabic words."""

HOMEPAGE = "https://github.com/abdulkaderghandoura/arabic-speech-commands-dataset"
ARCHIVE = Archive(f"{HOMEPAGE}/archive/refs/heads/master.tar.gz")
"""Packed by GitHub on request, so without a hash: what arrives is held to the files that its csv tables list."""


@dataclass(frozen=True)
class ArabicCommands:
    """All 40 words or some of them.

    >>> len(ArabicCommands().labels)
    40
    """

    words: tuple[str, ...] | None = None
    data: Path | None = None
    """The folder of the data set or one above it; else `TINYRNN_DATA`, the cache folder, or a download."""

    @property
    def name(self) -> str:
        """The folder's name under `TINYRNN_DATA`."""
        return "arabic_speech_commands"

    @property
    def source(self) -> str:
        """The authors' repository."""
        return f"{HOMEPAGE} (doi:10.5281/zenodo.4662481)"

    @property
    def licence(self) -> str:
        """Of the recordings."""
        return "CC BY 4.0"

    @property
    def labels(self) -> tuple[str, ...]:
        """The words, in alphabetical order unless they were chosen."""
        return WORDS if self.words is None else self.words

    def folder(self) -> Path:
        """Where it is on this machine."""
        return find(self.name, _holds, ARCHIVE, HOMEPAGE, self.data)

    def recordings(self, split: str) -> list[Recording]:
        """Of one of the three speaker-disjoint splits: 18, 6 and 6 speakers."""
        for word in self.labels:
            if word not in WORDS:
                hint = meant(word, WORDS)
                raise InputError(f"there is no word {word!r} in {self.name}{hint}. It holds: {', '.join(WORDS)}.")
        return [r for r in list_recordings(self.folder()) if r.split == split and r.label in self.labels]

    def noise(self, split: str) -> list[Recording]:
        """The archive's background recordings, if any are there, as `_silence_`; a noise is in one split only."""
        folders = sorted(path for path in self.folder().rglob("background_noise") if path.is_dir())
        files = [path for folder in folders for path in audio_files(folder)]
        splits = ("train", "train", "train", "validation", "test")
        every = [Recording(path, SILENCE, path.stem, splits[i % len(splits)]) for i, path in enumerate(files)]
        return [recording for recording in every if recording.split == split]


def _holds(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("train.csv", "val.csv", "test.csv"))
