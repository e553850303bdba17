"""Google Speech Commands v0.02: 35 English words by 2,618 speakers, in the official folders and lists."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from device_runtime.errors import InputError
from device_runtime.meant import meant
from device_runtime.recordings import Recording, audio_files, list_recordings
from train.data.dataset import SILENCE, UNKNOWN
from train.data.download import Archive, find

WORDS = (
    *("backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward", "four", "go", "happy"),
    *("house", "learn", "left", "marvin", "nine", "no", "off", "on", "one", "right", "seven", "sheila", "six"),
    *("stop", "three", "tree", "two", "up", "visual", "wow", "yes", "zero"),
)
"""What the official archive holds."""

ARCHIVE = Archive(
    "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
    sha256="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
)
NOISE_FOLDER = "_background_noise_"
NOISE_SPLITS = {"exercise_bike": "validation", "running_tap": "test"}
"""Noise that training never hears; the other four files are for training."""


@dataclass(frozen=True)
class SpeechCommands:
    """Some of the words, told from the others and from silence.

    >>> SpeechCommands(words=("yes", "no")).labels
    ('yes', 'no', '_unknown_', '_silence_')
    """

    words: tuple[str, ...] = WORDS
    unknown: bool = True
    """Have the label `_unknown_`; the set's own other words fill it, as far as they are there."""

    unknown_clips: int | None = None
    """At most this many of the other words in a split, always the same ones; None takes all."""

    silence: bool = True
    """Have the label `_silence_`: noise fills it, see `noise`."""

    data: Path | None = None
    """The folder of the data set or one above it; else `TINYRNN_DATA`, the cache folder, or a download."""

    @property
    def name(self) -> str:
        """As its official archive is called."""
        return "speech_commands_v0.02"

    @property
    def source(self) -> str:
        """The official archive."""
        return ARCHIVE.url

    @property
    def licence(self) -> str:
        """Of the recordings."""
        return "CC BY 4.0"

    @property
    def labels(self) -> tuple[str, ...]:
        """The words, `_unknown_`, `_silence_`."""
        return self.words + (UNKNOWN,) * self.unknown + (SILENCE,) * self.silence

    def folder(self) -> Path:
        """Where it is on this machine."""
        return find(self.name, _holds, ARCHIVE, ARCHIVE.url, self.data)

    def recordings(self, split: str) -> list[Recording]:
        """The words of a split by the official lists, then the other words as `_unknown_`."""
        folder = self.folder()
        every = list_recordings(folder)
        self._check_words(folder, {recording.label for recording in every})
        mine = [r for r in every if r.split == split]
        words = [r for r in mine if r.label in self.words]
        return words + self._unknown([r for r in mine if r.label not in self.words])

    def noise(self, split: str) -> list[Recording]:
        """The long background recordings of a split, as `_silence_`; a noise is in one split only."""
        files = audio_files(self.folder() / NOISE_FOLDER)
        every = [Recording(path, SILENCE, path.stem, NOISE_SPLITS.get(path.stem, "train")) for path in files]
        return [recording for recording in every if recording.split == split]

    def _unknown(self, others: list[Recording]) -> list[Recording]:
        """Chosen by hash, so that a larger number only adds to the smaller."""
        chosen = others if self.unknown else []
        if self.unknown_clips is not None:
            by_chance = sorted(others, key=lambda r: hashlib.sha256(f"{r.label}/{r.path.stem}".encode()).digest())
            chosen = by_chance[: self.unknown_clips] if self.unknown else []
        return [Recording(r.path, UNKNOWN, r.speaker, r.split) for r in chosen]

    def _check_words(self, folder: Path, there: set[str]) -> None:
        for word in self.words:
            if word in there:
                continue
            hint = f". The official archive has it: {ARCHIVE.url}" if word in WORDS else meant(word, sorted(there))
            raise InputError(f"there is no word {word!r} in {folder}{hint}. It holds: {', '.join(sorted(there))}.")


def _holds(folder: Path) -> bool:
    return (folder / "testing_list.txt").is_file() and (folder / "validation_list.txt").is_file()
