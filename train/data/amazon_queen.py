"""Actors' speech with its text: the dialogues of Flight of the Amazon Queen, a game of 1995 that is free since 2004.

Two and a half hours of thirty characters who talk, shout, whisper and sneer, which telephone prompts and synthesizers
do not. The recordings have nothing above 5.5 kHz.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.quiet import quiet
from device_runtime.recordings import Recording
from train.data.cache import cache_folder
from train.data.cast import SAMPLE_RATE_HZ
from train.data.dataset import UNKNOWN, known_split
from train.data.download import find
from train.data.other_words import say_one_like
from train.data.queen_archive import Line, files, lines
from train.data.spoken_words import keep

HOMEPAGE = "https://www.scummvm.org/games/"
INSTALLED = Path("/usr/share/scummvm/flight-of-the-amazon-queen")
"""Where Debian's and Ubuntu's package flight-of-the-amazon-queen puts it."""

ARCHIVE = "queen.1c"

VALIDATION = frozenset({"LARIS", "CHEF", "SEC", "LOLA"})
"""Characters for validation; the others are for training. None is for a test: an actor may have several parts."""

_ALIKE = 0.2
"""Sounds must be the word's own: what is nearly one of the user's words ("knew", "cup") is what must be learned."""


@dataclass(frozen=True)
class AmazonQueen:
    """Lines of dialogue, one a recording, less those that say one of the user's words.

    >>> AmazonQueen(without=("yes", "no")).name
    'amazon_queen'
    """

    without: tuple[str, ...] = ()
    data: Path | None = None

    @property
    def name(self) -> str:
        """The folder's name under `TINYRNN_DATA`/speech."""
        return "amazon_queen"

    @property
    def source(self) -> str:
        """Where the game is given away."""
        return HOMEPAGE

    @property
    def licence(self) -> str:
        """Of the whole game."""
        return "Flight of the Amazon Queen licence: free to use, change and pass on, not to be sold alone"

    def folder(self) -> Path:
        """Where it is on this machine: installed with the distribution's package, or among the user's data."""
        if self.data is None and _holds(INSTALLED):
            return INSTALLED
        page = f"{HOMEPAGE} (Debian, Ubuntu: sudo apt install flight-of-the-amazon-queen)"
        return find(self.name, _holds, None, page, self.data)

    def recordings(self, split: str) -> list[Recording]:
        """All as `_unknown_`, the speaker is the character: WAV files in the cache folder, made at the first call."""
        known_split(split)
        path = self.folder() / ARCHIVE
        archive = path.read_bytes()
        listed = files(archive, path)
        chosen = []
        for line in self._harmless([line for line in lines(archive, path) if _split(line) == split]):
            recording = cache_folder() / self.name / f"{Path(line.name).stem}.wav"
            if not recording.exists():
                first, size = listed[line.name]
                keep(recording, _decoded(archive[first : first + size], f"{line.name} in {path}"))
            chosen.append(Recording(recording, UNKNOWN, _character(line).lower(), split))
        return chosen

    def _harmless(self, said: list[Line]) -> list[Line]:
        banned = say_one_like([line.text for line in said], self.without, _ALIKE)
        return [line for line, says in zip(said, banned, strict=True) if not says]


def _character(line: Line) -> str:
    return "JOE" if line.by_joe else line.scene.rstrip("0123456789")


def _split(line: Line) -> str:
    return "validation" if _character(line) in VALIDATION else "train"


def _decoded(mp3: bytes, where: str) -> Float32:
    """At 16 kHz. The game's encoder left out what the first frames refer to: the decoder would complain of each."""
    try:
        with quiet():
            samples, rate_hz = soundfile.read(io.BytesIO(mp3), dtype="float32")
    except soundfile.LibsndfileError as error:
        raise InputError(f"{where} is no MP3 file that can be decoded. Install the game's package again.") from error
    return np.asarray(soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ), np.float32)


def _holds(folder: Path) -> bool:
    return (folder / ARCHIVE).is_file()
