"""From data sets to what a training hears: words, other speech and noise, heard in several ways."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.recordings import Recording, read_audio
from train.augment import CLEAN, Hearing, Surroundings
from train.batches import FeatureSet, joined
from train.data.dataset import SILENCE, UNKNOWN, DataSet, Recordings
from train.data.made_noise import KINDS, made_noise
from train.data.spoken_words import SpokenWords
from train.features import Clips, heard, load_clips, pieces, quiet_tails

WARM, COLD = Hearing(), Hearing(warm=False)
HEARINGS = (replace(CLEAN, warm=False), COLD, CLEAN, WARM, WARM, WARM)
"""The copies of a training set: a third cold, two thirds warm; one clean and the others augmented."""


@dataclass(frozen=True)
class Mix:
    """Which data sets a scenario hears, and how."""

    words: DataSet
    spoken: tuple[SpokenWords, ...] = ()
    """Synthetic clips of the words and of others, beside the recorded ones."""

    unknown: tuple[Recordings, ...] = ()
    """Recordings of one other word each, whatever their labels say."""

    negatives: tuple[Recordings, ...] = ()
    """Speech of any length without the words."""

    noises: tuple[Recordings, ...] = ()
    """Noise recordings, beside the generated ones."""

    tests: tuple[Recordings, ...] = ()
    """Speech without the words that is only for the test: other words, by other people, than in training."""

    hearings: tuple[Hearing, ...] = HEARINGS
    word_ends: bool = False
    """Teach each word for a quarter of a second from where it ends, instead of late in its clip: for recordings that
    have the word anywhere, and for words that may follow one another closely."""

    negative_share: float = 0.3
    """Pieces of negative speech and noise in each warm copy, as a share of the clips."""

    seed: int = 0

    @property
    def labels(self) -> tuple[str, ...]:
        """The words, then `_unknown_` if there is other speech, then `_silence_`."""
        words = tuple(label for label in self.words.labels if not label.startswith("_"))
        others = self.unknown or self.negatives or any(spoken.unknown_words for spoken in self.spoken)
        return (*words, *((UNKNOWN,) if others or UNKNOWN in self.words.labels else ()), SILENCE)

    @property
    def sources(self) -> tuple[Recordings, ...]:
        """All data sets, for the model card."""
        return tuple(dict.fromkeys((self.words, *self.spoken, *self.unknown, *self.negatives, *self.noises)))


@dataclass(frozen=True)
class Material:
    """One split of a mix, decoded: clips of one word each, and the rest as long recordings."""

    mix: Mix
    split: str
    cache: Path

    @cached_property
    def clips(self) -> Clips:
        """Words, then clips of other words."""
        recordings = list(self.mix.words.recordings(self.split))
        for spoken in self.mix.spoken if self.split != "test" else ():  # the test is on people
            recordings += spoken.recordings(self.split)
        for source in self.mix.unknown:
            recordings += [replace(r, label=UNKNOWN) for r in source.recordings(self.split)]
        if not recordings:
            raise InputError(
                f"{self.mix.words.name} has no recordings of {', '.join(self.mix.words.labels)} for {self.split}. "
                "Name other data, or complete its folder."
            )
        return load_clips(recordings, self.mix.labels, self.cache)

    @cached_property
    def noises(self) -> list[Float32]:
        """Noise recordings of the split and half a minute of each generated kind."""
        seed = self.mix.seed * 10 + len(self.split)  # another noise in every split
        made = [made_noise(kind, 30.0, seed) for kind in KINDS]
        return made + [read_audio(r.path) for r in self._all(self.mix.noises)]

    @cached_property
    def speech(self) -> list[Float32]:
        """Negative speech of the split, whole."""
        return [read_audio(r.path) for r in self._all(self.mix.negatives)]

    @cached_property
    def around(self) -> Surroundings:
        """What can be heard before and behind a clip of this split."""
        digest = hashlib.sha256(self.clips.key.encode())
        for noise in self.noises:
            digest.update(noise.tobytes())
        return Surroundings(self.noises, _Spoken(self.clips), digest.hexdigest()[:16])

    @cached_property
    def content(self) -> str:
        """A digest of what there is to hear: with other recordings in the same folders a training is another."""
        digest = hashlib.sha256(self.clips.key.encode())
        for long in (*self.noises, *self.speech):
            digest.update(long.tobytes())
        return digest.hexdigest()[:16]

    def copies(self) -> list[FeatureSet]:
        """The split heard in every way of the mix: one feature set each."""
        count = len(self.mix.hearings)
        return [
            self.copy(hearing, number, f"copy {number + 1} of {count}")
            for number, hearing in enumerate(self.mix.hearings)
        ]

    def copy(self, hearing: Hearing, number: int, title: str = "") -> FeatureSet:
        """All clips heard one way; in a warm copy also pieces of negative speech and noise."""
        seed = self.mix.seed * 1000 + number
        title = f"{self.split}, {title or ('warm' if hearing.warm else 'cold')}"
        words = self._features(self.clips, self.clips.labels, hearing, seed, title, whole=False)
        if not hearing.warm:
            return words
        count = round(self.mix.negative_share * len(self.clips))
        others = [words]
        whole = replace(hearing, warm=False, shift_ms=0.0)
        for kind, recordings, label, share in (("speech", self.speech, -2, 0.8), ("noise", self.noises, -1, 0.2)):
            if recordings:
                cut = pieces(recordings, max(1, round(share * count)), seed)
                labels = np.full(len(cut), len(self.mix.labels) + label, np.int64)
                others.append(self._features(cut, labels, whole, seed, f"{title}, {kind}", whole=True))
        return joined(others)

    def _features(
        self, clips: Clips, labels: np.ndarray, hearing: Hearing, seed: int, title: str, whole: bool
    ) -> FeatureSet:
        vectors = heard(clips, hearing, self.around, seed, self.cache, title)
        ends = self.mix.word_ends and not whole
        tails = quiet_tails(clips, hearing, seed) if ends else np.zeros(len(clips), np.int64)
        return FeatureSet(vectors, labels, np.full(len(clips), whole), tails)

    def _all(self, sources: tuple[Recordings, ...]) -> list[Recording]:
        return [recording for source in sources for recording in source.recordings(self.split)]


class _Spoken(Sequence[Float32]):
    """Clips as float32, converted when asked for."""

    def __init__(self, clips: Clips):
        self._clips = clips

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, i: int) -> Float32:  # type: ignore[override]  # no slices here
        return self._clips.audio(i)
