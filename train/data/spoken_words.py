"""A data set that needs no data: any words, spoken by a cast of voices, with other words to tell them from."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import soundfile

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.recordings import Recording
from train.data.cache import CACHE_VARIABLE, cache_folder
from train.data.cast import SAMPLE_RATE_HZ, Cast, Speaker
from train.data.dataset import SPLITS, UNKNOWN, Clip, known_split
from train.data.other_words import OTHER_WORDS, near_misses, other_words
from train.data.voices import EVERYDAY

_MADE_BY = 2
"""Counted up whenever the same request gives other samples, so that nobody trains on a stale cache."""


@dataclass(frozen=True)
class _Utterance:
    text: str
    label: str
    voice: Speaker


@dataclass(frozen=True)
class SpokenWords:
    """Clips of words that nobody recorded.

    >>> data = SpokenWords(words=("yes", "no"), unknown_words=200)
    >>> data.labels
    ('yes', 'no', '_unknown_')
    """

    words: tuple[str, ...]
    cast: Cast = EVERYDAY
    """Who says them."""

    takes: int = 2
    """How often each voice says each word: at another rate, pitch and place in the clip each time."""

    unknown_words: int = 0
    """How many other words to learn not to hear: half of them sound near. Split by word, as voices are by speaker."""

    unknown_voices: int = 8
    """How many of a split's voices say each of the other words."""

    others: tuple[str, ...] = OTHER_WORDS
    """Where the other words come from."""

    language: str = "en"
    clip_s: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.words or len(set(self.words)) != len(self.words):
            raise InputError(f"words are {self.words!r}: give one or more different words.")

    @property
    def name(self) -> str:
        """Spoken, not recorded: reports must say so."""
        return f"spoken-{self.cast.name}"

    @property
    def source(self) -> str:
        """How the clips are made."""
        return self.cast.source

    @property
    def licence(self) -> str:
        """Of the clips."""
        return self.cast.licence

    @property
    def labels(self) -> tuple[str, ...]:
        """The words, then `_unknown_` where there are other words."""
        return self.words + ((UNKNOWN,) if self.unknown_words else ())

    def clips(self, split: str) -> list[Clip]:
        """The split's clips: spoken at the first call, read from the cache folder at the next."""
        length = round(self.clip_s * SAMPLE_RATE_HZ)
        utterances = self._utterances(split)
        generator = np.random.default_rng([self.seed, 3, SPLITS.index(split)])
        return [
            Clip(_place(samples, length, generator), said.label, said.voice.speaker)
            for said, samples in zip(utterances, self._spoken(split, utterances), strict=True)
        ]

    def recordings(self, split: str) -> list[Recording]:
        """The same clips as WAV files in the cache folder, for programs that read files."""
        folder = cache_folder() / "spoken" / self._key(split)
        clips = self.clips(split)
        recordings = []
        for number, clip in enumerate(clips):
            path = folder / clip.label / f"{number:05d}.wav"
            keep(path, clip.samples)
            recordings.append(Recording(path, clip.label, clip.speaker, split))
        return recordings

    def words_of(self, split: str) -> tuple[str, ...]:
        """The other words of a split: no split hears another's."""
        if not self.unknown_words:
            return ()
        near = near_misses(self.words, self.unknown_words // 2, self.others, self.language)
        rest = [word for word in other_words(self.words, self.others, self.language) if word not in set(near)]
        generator = np.random.default_rng([self.seed, 4])
        generator.shuffle(near)
        generator.shuffle(rest)
        wanted = self.unknown_words - len(near)
        if wanted > len(rest):
            raise InputError(
                f"{self.unknown_words} other words were asked for, but there are {len(near) + len(rest)}. "
                "Ask for fewer, or give more in `others`."
            )
        return share(near, split) + share(rest[:wanted], split)

    def _utterances(self, split: str) -> list[_Utterance]:
        known_split(split)
        speakers = self.cast.speakers(split)
        generator = np.random.default_rng([self.seed, 5, SPLITS.index(split)])
        said = [
            _Utterance(word, word, voice.another_take(generator) if take else voice)
            for word in self.words
            for voice in speakers
            for take in range(self.takes)
        ]
        for word in self.words_of(split):
            for i in generator.permutation(len(speakers))[: self.unknown_voices]:
                said.append(_Utterance(word, UNKNOWN, speakers[i].another_take(generator)))
        return said

    def _spoken(self, split: str, utterances: list[_Utterance]) -> list[Float32]:
        """What is said, trimmed; from the cache if this very request was made before."""
        path = cache_folder() / "spoken" / f"{self._key(split)}.npz"
        try:
            with path.open("rb") as file, np.load(file) as stored:
                samples, ends = stored["samples"], stored["ends"]
        except (OSError, KeyError, ValueError, zipfile.BadZipFile):  # not there, or not whole: make it
            longest_s = self.clip_s - 0.02
            pieces = [_to_int16(_speak_within(said.text, said.voice, longest_s)) for said in utterances]
            samples, ends = np.concatenate(pieces), np.cumsum([len(piece) for piece in pieces])
            with _whole(path) as whole:
                np.savez(whole, samples=samples, ends=ends)
        return [piece.astype(np.float32) / np.float32(32768) for piece in np.split(samples, ends[:-1])]

    def _key(self, split: str) -> str:
        request = [_MADE_BY, self.cast.source, split, repr(self)]
        return hashlib.sha256(json.dumps(request).encode()).hexdigest()[:16]


def share(words: list[str], split: str) -> tuple[str, ...]:
    """The split's part of the words: 60 / 20 / 20."""
    bounds = {"train": (0.0, 0.6), "validation": (0.6, 0.8), "test": (0.8, 1.0)}[split]
    first, last = (round(bound * len(words)) for bound in bounds)
    return tuple(words[first:last])


def _speak_within(text: str, speaker: Speaker, longest_s: float) -> Float32:
    """Spoken faster where it would not fit the clip."""
    samples = speaker.say(text)
    while len(samples) > longest_s * SAMPLE_RATE_HZ:
        hurried = speaker.faster()
        if hurried is None:
            raise InputError(
                f"{text!r} takes {len(samples) / SAMPLE_RATE_HZ:.1f} s at the fastest, but a clip is "
                f"{longest_s + 0.02:.1f} s. Give a longer clip_s, or a shorter text."
            )
        speaker = hurried
        samples = speaker.say(text)
    return samples


def _place(samples: Float32, length: int, generator: np.random.Generator) -> Float32:
    """Somewhere in a clip with a faint hiss, at some level: espeak's own digital silence exists in no room."""
    clip = generator.standard_normal(length).astype(np.float32) * np.float32(10 ** generator.uniform(-4.5, -3.3))
    start = int(generator.integers(0, length - len(samples) + 1))
    peak = max(float(np.abs(samples).max()), 1e-6)
    clip[start : start + len(samples)] += samples * np.float32(generator.uniform(0.3, 0.9) / peak)
    return clip


def _to_int16(samples: Float32) -> np.ndarray:
    return np.clip(np.floor(samples * 32768 + 0.5), -32768, 32767).astype(np.int16)


def keep(path: Path, samples: Float32) -> None:
    """As a WAV file in the cache folder, unless it is there."""
    if not path.exists():
        wav = io.BytesIO()  # libsndfile would hide that the disk is full
        soundfile.write(wav, samples, SAMPLE_RATE_HZ, "PCM_16", format="WAV")
        with _whole(path) as file:
            file.write(wav.getvalue())


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that is there as a whole or not at all, also when two processes make the same one."""
    partial = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".partial", delete=False) as file:
            partial = Path(file.name)
            yield file
        partial.replace(path)
    except OSError as error:
        if partial:
            partial.unlink(missing_ok=True)
        raise InputError(
            f"spoken words could not be kept in {path.parent}: {error.strerror}. "
            f"Make room, or choose another folder with {CACHE_VARIABLE}."
        ) from error
