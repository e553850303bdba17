"""Synthetic speech without the user's words: by one voice as negative speech, by several at once as babble."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.recordings import Recording
from train.data.cache import cache_folder
from train.data.cast import SAMPLE_RATE_HZ, Cast, Speaker
from train.data.dataset import SILENCE, SPLITS, UNKNOWN, known_split
from train.data.other_words import OTHER_WORDS, other_words
from train.data.spoken_words import keep, share
from train.data.voices import EVERY_SPEAKER

_MADE_BY = 2
"""Counted up whenever the same request gives other samples."""


@dataclass(frozen=True)
class SpokenStreams:
    """Phrases of common words, one after the other; words and speakers of a split are in no other.

    >>> babble = SpokenStreams(without=("yes", "no"), at_once=5)
    >>> babble.label
    '_silence_'
    """

    without: tuple[str, ...]
    """The user's words, which are never said, nor what sounds exactly like them."""

    cast: Cast = EVERY_SPEAKER
    """Who speaks."""

    streams: int = 10
    """Recordings in each split, by another voice each."""

    seconds: float = 30.0
    at_once: int = 1
    """How many talk at the same time: from about four on nobody understands a word, and it is noise."""

    others: tuple[str, ...] = OTHER_WORDS
    language: str = "en"
    seed: int = 0

    @property
    def name(self) -> str:
        """Spoken, not recorded: reports must say so."""
        return f"spoken-{'streams' if self.at_once == 1 else 'babble'}-{self.cast.name}"

    @property
    def source(self) -> str:
        """How the streams are made."""
        return f"{self.cast.source}, {self.at_once} at once"

    @property
    def licence(self) -> str:
        """Of the recordings."""
        return self.cast.licence

    @property
    def label(self) -> str:
        """Speech is `_unknown_`, babble is noise."""
        return UNKNOWN if self.at_once == 1 else SILENCE

    def recordings(self, split: str) -> list[Recording]:
        """WAV files in the cache folder: spoken at the first call, found at the next."""
        known_split(split)
        speakers = self.cast.speakers(split)
        request = json.dumps([_MADE_BY, self.cast.source, split, repr(self)])
        folder = cache_folder() / "spoken" / hashlib.sha256(request.encode()).hexdigest()[:16]
        recordings = []
        for number in range(self.streams):
            path = folder / f"{number:03d}.wav"
            together = [speakers[(number + i) % len(speakers)] for i in range(self.at_once)]
            if not path.exists():
                keep(path, self._mixed(together, split, number))
            recordings.append(Recording(path, self.label, together[0].speaker, split))
        return recordings

    def _mixed(self, together: list[Speaker], split: str, number: int) -> Float32:
        """All voices added up, at -20 dB of full scale, as recorded speech is about."""
        generator = np.random.default_rng([self.seed, 8, SPLITS.index(split), number])
        words = list(other_words(self.without, self.others, self.language))
        np.random.default_rng([self.seed, 9]).shuffle(words)
        said = share(words, split)
        mixed = np.sum([self._monologue(voice, said, generator) for voice in together], axis=0)
        return np.clip(mixed * (0.1 / np.sqrt(np.mean(mixed**2))), -1, 1).astype(np.float32)

    def _monologue(self, voice: Speaker, words: tuple[str, ...], generator: np.random.Generator) -> Float32:
        """Phrases of three to eight words with pauses between them, over a faint hiss."""
        length = round(self.seconds * SAMPLE_RATE_HZ)
        samples = (1e-4 * generator.standard_normal(length)).astype(np.float32)
        start = 0
        while start < length:
            phrase = " ".join(words[int(i)] for i in generator.integers(len(words), size=generator.integers(3, 9)))
            spoken = voice.say(phrase)[: length - start]
            samples[start : start + len(spoken)] += spoken
            start += len(spoken) + int(generator.uniform(0.1, 0.8) * SAMPLE_RATE_HZ)
        return samples
