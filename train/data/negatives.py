"""Negative speech: recordings in which none of the words is said, and which a good model therefore ignores.

Their splits keep speakers and words apart where the set has several, so that the test is on people and words that
training never heard. Recordings that may contain one of the user's words are left out by what their names tell.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from device_runtime.errors import InputError
from device_runtime.recordings import Recording, audio_files
from train.data.dataset import SPLITS, UNKNOWN, known_split
from train.data.download import find
from train.data.other_words import OTHER_WORDS

PRECISE_HOMEPAGE = "https://github.com/MycroftAI/Precise-Community-Data"
ASTERISK_HOMEPAGE = "https://downloads.asterisk.org/pub/telephony/sounds/"

PRECISE_SPLITS = {"amelia": "validation", "heysavant": "test"}
"""By folder, which keeps people apart too: the contributors of amelia and of heysavant ("hey savant", and what rhymes
with it) gave nothing else. The other folders share words and people, and are for training."""

_NOT_SPEECH = re.compile(r"silence__|.*(tone|beep|monkeys|weasels)")


@dataclass(frozen=True)
class PreciseCommunity:
    """Wake words and near misses that people gave to Mycroft: athena, amelia, hey computer, hey savant.

    >>> PreciseCommunity(without=("computer",)).name
    'precise_community'
    """

    without: tuple[str, ...] = ()
    """The user's words: folders named after one are left out."""

    data: Path | None = None

    @property
    def name(self) -> str:
        """The folder's name under `TINYRNN_DATA`."""
        return "precise_community"

    @property
    def source(self) -> str:
        """The collectors' repository."""
        return PRECISE_HOMEPAGE

    @property
    def licence(self) -> str:
        """Each contributor's own waiver is beside the recordings."""
        return "public domain (per contributor, see licenses/)"

    def folder(self) -> Path:
        """Where it is on this machine."""
        return find(self.name, _is_precise, None, self.source, self.data)

    def recordings(self, split: str) -> list[Recording]:
        """All as `_unknown_`; the speaker is the contributor whose waiver lists the file, else the folder's."""
        folder = self.folder()
        contributor = _contributors(folder / "licenses")
        chosen = []
        for path in audio_files(folder):
            word = path.relative_to(folder).parts[0]
            if PRECISE_SPLITS.get(word, "train") == known_split(split) and not _may_say(word, self.without):
                chosen.append(Recording(path, UNKNOWN, contributor.get(path.stem, word), split))
        return chosen


@dataclass(frozen=True)
class AsteriskPrompts:
    """Telephone prompts by one speaker, split 60 / 20 / 20 by prompt; tones, beeps and silence are left out."""

    without: tuple[str, ...] = ()
    """The user's words: prompts whose names hint at one are left out ("vm-nomore" for "no")."""

    data: Path | None = None

    @property
    def name(self) -> str:
        """The folder's name under `TINYRNN_DATA`/speech."""
        return "negatives/asterisk_en"

    @property
    def source(self) -> str:
        """The publisher's download folder."""
        return ASTERISK_HOMEPAGE

    @property
    def licence(self) -> str:
        """Recorded by Allison Smith for Digium."""
        return "CC BY-SA 3.0"

    def folder(self) -> Path:
        """Where it is on this machine."""
        return find(self.name, _is_prompts, None, self.source, self.data)

    def recordings(self, split: str) -> list[Recording]:
        """All as `_unknown_`, by the one speaker."""
        known_split(split)
        return [
            Recording(path, UNKNOWN, "allison", split)
            for path in audio_files(self.folder())
            if split_by_chance(path.stem) == split
            and not _NOT_SPEECH.match(path.stem)
            and not _may_say(path.stem, self.without)
        ]


@dataclass(frozen=True)
class AudioFolder:
    """Any folder of speech or of noise, split 60 / 20 / 20: by sub-folder if there are three or more, else by file.

    >>> AudioFolder(Path("my-recordings")).name
    'my-recordings'
    """

    path: Path
    label: str = UNKNOWN
    """`_unknown_` for speech, `_silence_` for noise."""

    without: tuple[str, ...] = ()
    """The user's words: files whose names hint at one are left out."""

    source: str = "the user's own recordings"
    licence: str = "the user's own"

    @property
    def name(self) -> str:
        """The folder's."""
        return self.path.name

    def recordings(self, split: str) -> list[Recording]:
        """The sub-folder, where there is one, is taken for the speaker."""
        known_split(split)
        if not self.path.is_dir():
            raise InputError(f"there is no folder {self.path}. Expected a folder of recordings; check the path.")
        files = [path for path in audio_files(self.path) if not _may_say(path.stem, self.without)]
        top = {path: path.relative_to(self.path).parts[0] if path.parent != self.path else "" for path in files}
        by_speaker = len({name for name in top.values() if name}) >= len(SPLITS)
        return [
            Recording(path, self.label, top[path], split)
            for path in files
            if split_by_chance(top[path] if by_speaker and top[path] else str(path.relative_to(self.path))) == split
        ]


def split_by_chance(key: str) -> str:
    """60 / 20 / 20 by hash: adding files never moves another one."""
    place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) % 10
    return "train" if place < 6 else "validation" if place < 8 else "test"


def _may_say(name: str, words: Iterable[str]) -> bool:
    """Whether a name has one of the words in it, alone or run together with others: "enteringno", "vm-nomore"."""
    parts = re.findall(r"[^\W\d_]+", name.casefold())
    wanted = [word.casefold().replace(" ", "") for word in words]
    return any(
        part == word or (part not in _common() and (part.startswith(word) or part.endswith(word)))
        for part in parts
        for word in wanted
    )


@cache
def _common() -> frozenset[str]:
    """Whole words: "now" is not "no" run together with a w."""
    return frozenset(OTHER_WORDS)


def _contributors(licences: Path) -> dict[str, str]:
    """Who waived the rights in each file, by its stem: `license-20190814-NAME.txt` lists the files of NAME."""
    owner = {}
    for waiver in sorted(licences.glob("license-*-*.txt")) if licences.is_dir() else []:
        for line in waiver.read_text(encoding="utf-8", errors="replace").splitlines():
            owner[Path(line.strip()).stem] = waiver.stem.split("-", 2)[2]
    return owner


def _is_precise(folder: Path) -> bool:
    return (folder / "licenses").is_dir() and (folder / "not-wake-words").is_dir()


def _is_prompts(folder: Path) -> bool:
    return any(folder.glob("*vm-goodbye.*"))
