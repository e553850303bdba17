"""What the stamps of Tux Paint say of themselves: thousands of short phrases by real people in a dozen languages.

"A frog.", "Une grenouille.", "Жаба.": nobody collected them to train on, which is what makes them good to learn
not to hear from: a single person a language, at home, into whatever microphone there was.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from device_runtime.recordings import Recording
from train.data.dataset import UNKNOWN, known_split
from train.data.download import find
from train.data.other_words import say_one_like

HOMEPAGE = "https://tuxpaint.org/stamps/"
INSTALLED = Path("/usr/share/tuxpaint/stamps")
"""Where Debian's and Ubuntu's package tuxpaint-stamps-default puts them."""

LANGUAGES = {
    "train": ("be", "bg", "ca", "en", "es", "fr", "lt", "nl", "ro", "ru"),
    "validation": ("da", "el"),
    "test": (),
}
"""By language, which keeps people apart: most languages have one speaker. None is for a test: few are English."""

_SPOKEN = re.compile(r"(?P<stamp>.+)_desc(_(?P<language>[a-z]{2}))?\.ogg")
_TEXT = re.compile(r"(?P<language>[a-z]{2})\.utf8=(?P<text>.*)")
_ALIKE = 0.5
"""Sounds may differ from a user's word by one vowel: "no" is the same word in half of these languages."""


@dataclass(frozen=True)
class TuxPaintStamps:
    """Descriptions of pictures, one phrase a file.

    >>> TuxPaintStamps(without=("yes", "no")).name
    'tuxpaint_stamps'
    """

    without: tuple[str, ...] = ()
    """The user's English words: phrases with a word that is spelled like one, or sounds nearly so, are left out."""

    data: Path | None = None

    @property
    def name(self) -> str:
        """The folder's name under `TINYRNN_DATA`/speech."""
        return "tuxpaint_stamps"

    @property
    def source(self) -> str:
        """The project's page."""
        return HOMEPAGE

    @property
    def licence(self) -> str:
        """Of text, pictures and sounds."""
        return "GPL-2.0"

    def folder(self) -> Path:
        """Where they are on this machine: installed with the distribution's package, or among the user's data."""
        if self.data is None and _holds(INSTALLED):
            return INSTALLED
        page = f"{HOMEPAGE} (Debian, Ubuntu: sudo apt install tuxpaint-stamps-default)"
        return find(self.name, _holds, None, page, self.data)

    def recordings(self, split: str) -> list[Recording]:
        """All as `_unknown_`; the speaker is the language's."""
        known_split(split)
        if not LANGUAGES[split]:
            return []
        said: dict[str, list[tuple[Path, str]]] = defaultdict(list)
        for path in sorted(self.folder().rglob("*_desc*.ogg")):
            found = _SPOKEN.fullmatch(path.name)
            language = found and (found["language"] or "en")
            if found and language in LANGUAGES[split] and (text := _text(path.with_name(found["stamp"]), language)):
                said[language].append((path, text))
        return [
            Recording(path, UNKNOWN, f"tuxpaint-{language}", split)
            for language, phrases in sorted(said.items())
            for path, _ in self._harmless(phrases, language)
        ]

    def _harmless(self, phrases: list[tuple[Path, str]], language: str) -> list[tuple[Path, str]]:
        """The phrases that say none of the user's words."""
        banned = say_one_like([text for _, text in phrases], self.without, _ALIKE, language)
        return [phrase for phrase, says in zip(phrases, banned, strict=True) if not says]


def _text(stamp: Path, language: str) -> str:
    """What a stamp says in a language; empty where nobody wrote it down, so that it cannot be checked."""
    path = stamp.with_name(stamp.name + ".txt")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    if language == "en":
        return lines[0] if lines else ""
    texts = (found for line in lines if (found := _TEXT.fullmatch(line.strip())))
    return next((found["text"] for found in texts if found["language"] == language), "")


def _holds(folder: Path) -> bool:
    return any(folder.glob("*/*/*_desc*.ogg")) or any(folder.glob("*/*_desc*.ogg"))
