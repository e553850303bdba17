"""Words that nobody said, in the voices of those who said the user's: the start of one word, the end of another.

What a keyword spotter wrongly fires on sounds half right: "snow" and "go" end as "no" does, "yet" starts as "yes" does.
A speech synthesizer has a few dozen voices for such words; the recordings themselves have thousands of people.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.recordings import Recording, read_audio
from train.data.cache import cache_folder
from train.data.cast import SAMPLE_RATE_HZ
from train.data.dataset import SPLITS, UNKNOWN, DataSet, known_split
from train.data.spoken_words import keep
from train.word_span import word_span

_MADE_BY = 1
"""Counted up whenever the same request gives other samples."""

FADE = 320
"""Samples, 20 ms, over which one half goes over into the other."""


@dataclass(frozen=True)
class SplicedWords:
    """Unknown words of one second, each of two words that one speaker said.

    >>> SplicedWords(of=speech_commands, clips=3000).recordings("train")[0].label  # doctest: +SKIP
    '_unknown_'
    """

    of: DataSet
    """Its words are cut up; those that start with an underscore are left alone."""

    clips: int = 4000
    """In the training split; a quarter as many in the others."""

    ends_only: float = 0.15
    """Share of the clips that are the end of one word after nothing."""

    seed: int = 0

    @property
    def name(self) -> str:
        """Of the set whose words are cut."""
        return f"spliced-{self.of.name}"

    @property
    def source(self) -> str:
        """How the clips are made."""
        return f"halves of different words by the same speakers, from {self.of.source}"

    @property
    def licence(self) -> str:
        """The recordings' own."""
        return self.of.licence

    def recordings(self, split: str) -> list[Recording]:
        """WAV files in the cache folder: cut at the first call, found at the next."""
        known_split(split)
        said = _by_speaker(self.of.recordings(split))
        speakers = sorted(speaker for speaker, words in said.items() if len(words) > 1)
        if not speakers:
            raise InputError(
                f"nobody in {self.of.name} ({split}) says two different words, so none can be spliced. "
                "Name a data set in which speakers say several words."
            )
        count = self.clips if split == "train" else max(1, self.clips // 4)
        files = [str(path) for speaker in speakers for paths in said[speaker].values() for path in paths]
        request = json.dumps([_MADE_BY, split, count, self.ends_only, self.seed, files])
        folder = cache_folder() / "spliced" / hashlib.sha256(request.encode()).hexdigest()[:16]
        return [self._made(folder / f"{i:05d}.wav", said, speakers, split, i) for i in range(count)]

    def _made(
        self, path: Path, said: dict[str, dict[str, list[Path]]], speakers: list[str], split: str, number: int
    ) -> Recording:
        random = np.random.default_rng([self.seed, 11, SPLITS.index(split), number])
        speaker = speakers[int(random.integers(len(speakers)))]
        first, second = random.permutation(sorted(said[speaker]))[:2]
        takes = [said[speaker][word][int(random.integers(len(said[speaker][word])))] for word in (first, second)]
        if not path.exists():
            start, end = (read_audio(take, SAMPLE_RATE_HZ) for take in takes)
            keep(path, spliced(np.zeros(0, np.float32) if random.random() < self.ends_only else start, end, random))
        return Recording(path, UNKNOWN, speaker, split)


def spliced(start: Float32, end: Float32, random: np.random.Generator) -> Float32:
    """The first part of the word in `start`, then the last part of the word in `end`, each 35 to 60 % of it.

    Two recordings of one word each, the first of which may be empty -> at most as many samples as `end` has.
    """
    first, last = word_span(end)
    cut = last - round((last - first) * random.uniform(0.35, 0.6))
    tail = end[cut:]
    if len(start):
        begin, stop = word_span(start)
        head = start[: begin + round((stop - begin) * random.uniform(0.35, 0.6))]
        louder = np.sqrt(_power(tail) / _power(head[-SAMPLE_RATE_HZ // 5 :]))
        head = head * np.float32(np.clip(louder, 0.25, 4.0))
    else:
        head = random.standard_normal(cut).astype(np.float32) * np.float32(1e-4)
    fade = min(FADE, len(head), len(tail))
    rising = np.linspace(0, 1, fade, dtype=np.float32)
    met = head[len(head) - fade :] * (1 - rising) + tail[:fade] * rising
    out = np.concatenate([head[: len(head) - fade], met, tail[fade:]])
    return out[max(0, len(out) - len(end)) :]  # what is before the first word makes room


def _power(audio: Float32) -> float:
    return float(np.mean(np.square(audio, dtype=np.float64))) + 1e-10


def _by_speaker(recordings: list[Recording]) -> dict[str, dict[str, list[Path]]]:
    said: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for recording in recordings:
        if not recording.label.startswith("_"):
            said[recording.speaker][recording.label].append(recording.path)
    return said
