"""Spoken voices: any words, said by dozens of different espeak-ng voices.

A voice is an accent (`en-us`) with a speaker (`+f3`), a rate and a pitch. Voices are split by speaker, so that those
a model is judged on were never heard in training; where a language has four accents, some are kept for the test.

    >>> samples = speak("yes", voices(60, seed=1)[0])
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data import espeak
from train.data.cast import SAMPLE_RATE_HZ, Speaker, without_silence
from train.data.dataset import SPLITS

FASTEST_WPM = 450
SLOWEST_WPM = 80


UNUSABLE = frozenset({"Demonic", "UniRobot", "anikaRobot", "announcer", "fast", "kaukovalta"}).union(
    {f"robosoft{number}" for number in ("", *range(2, 9))}, {f"RicishayMax{number}" for number in ("", 2, 3)}
)
"""Effects rather than people: echoes of several hundred milliseconds, robots, and a test of espeak's speed."""

_ALONE = re.compile(r"[fm]\d|klatt\d?")
"""Speakers of their own. Elsewhere a digit marks a second take on one speaker (iven, iven2): never split those."""

_SAME_SPEAKER = {"Annie": "Alicia", "AnxiousAndy": "Andy", "mike2": "Mike", "whisperf": "whisper", "linda": "belinda"}
"""Near copies under another name, by their formant tables."""

_OTHER_ALPHABET = frozenset({"en-shaw"})


@dataclass(frozen=True)
class Voice:
    """One way to speak.

    >>> Voice("en-gb-scotland+f3", rate_wpm=150).speaker
    'en-gb-scotland+f3'
    """

    name: str
    """espeak-ng's accent+speaker."""

    rate_wpm: int = 160
    pitch: int = 50
    """0..99, relative to the speaker's own."""

    pitch_range: int = 50
    """0..99: monotone to singing."""

    split: str = "train"

    def __post_init__(self) -> None:
        for field, value, low, high in (
            ("rate_wpm", self.rate_wpm, SLOWEST_WPM, FASTEST_WPM),
            ("pitch", self.pitch, 0, 99),
            ("pitch_range", self.pitch_range, 0, 99),
        ):
            if not low <= value <= high:
                raise InputError(f"{field} is {value}, but espeak-ng takes {low} to {high}.")

    @property
    def speaker(self) -> str:
        """Who speaks: what training and test may not share."""
        return self.name

    def say(self, text: str) -> Float32:
        """The samples at 16 kHz in -1..1, without the silence around: the same at every call."""
        return speak(text, self)

    def another_take(self, generator: np.random.Generator) -> Voice:
        """The same voice, at another rate and pitch."""
        return replace(
            self,
            rate_wpm=int(generator.integers(110, 230)),
            pitch=int(np.clip(self.pitch + generator.integers(-20, 21), 0, 99)),
            pitch_range=int(generator.integers(20, 85)),
        )

    def faster(self) -> Voice | None:
        """A quarter more words a minute, up to espeak-ng's own limit."""
        if self.rate_wpm == FASTEST_WPM:
            return None
        return replace(self, rate_wpm=min(round(self.rate_wpm * 1.25), FASTEST_WPM))


@dataclass(frozen=True)
class EspeakVoices:
    """`count` different voices of espeak-ng: see `voices`."""

    count: int = 60
    seed: int = 0
    language: str = "en"

    @property
    def name(self) -> str:
        """The language's: no other cast speaks so many."""
        return self.language

    @property
    def source(self) -> str:
        """The program."""
        return f"synthetic speech by espeak-ng {espeak.version()} (espeakng-loader), {self.count} voices"

    @property
    def licence(self) -> str:
        """The program's own licence does not extend to what it says."""
        return "synthetic (espeak-ng is GPL-3.0-or-later; its output is not covered)"

    def speakers(self, split: str) -> list[Speaker]:
        """Those of a split, in the order of `voices`."""
        chosen: list[Speaker] = [v for v in voices(self.count, self.seed, self.language) if v.split == split]
        if not chosen:
            raise InputError(f"of {self.count} voices none is for {split}. Ask for 10 voices or more.")
        return chosen


EVERYDAY = EspeakVoices()
"""Enough for most words."""

EVERY_SPEAKER = EspeakVoices(87)
"""Each of espeak-ng's speakers, once."""


def speak(text: str, voice: Voice) -> Float32:
    """The voice's samples at 16 kHz in -1..1, without the silence around: the same at every call."""
    spoken = espeak.speak(voice.name, text, voice.rate_wpm, voice.pitch, voice.pitch_range)
    heard = without_silence(spoken, espeak.SAMPLE_RATE_HZ).astype(np.float32) / 32768
    if not len(heard):
        raise InputError(f"the voice {voice.name!r} makes no sound of {text!r}. Give a word of that language.")
    return np.asarray(soxr.resample(heard, espeak.SAMPLE_RATE_HZ, SAMPLE_RATE_HZ), np.float32)


def voices(count: int = 60, seed: int = 0, language: str = "en") -> list[Voice]:
    """`count` voices of different names: all speakers first, then the same speakers with another accent.

    About 70 % are for training, 15 % for validation, 15 % for the test; no speaker is in two of them.
    """
    by_split, refused = _accents_by_split(language)
    generator = np.random.default_rng([seed, 1])
    turns = [_speakers_of(split, seed) for split in SPLITS]
    most = sum(len(speakers) * len(by_split[split]) for speakers, split in zip(turns, SPLITS, strict=True))
    if count > most:
        raise InputError(
            f"{count} voices were asked for, but {language!r} has {most} "
            f"(espeak-ng refused: {', '.join(refused) or 'none'}). Ask for fewer, or for more takes of each."
        )
    names = _take_turns(count, turns, [by_split[split] for split in SPLITS])
    return [
        Voice(
            name,
            rate_wpm=int(generator.integers(120, 220)),
            pitch=int(generator.integers(25, 75)),
            pitch_range=int(generator.integers(25, 80)),
            split=split,
        )
        for name, split in names
    ]


def accents(language: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The accents that espeak-ng speaks of a language, and those that it holds but refuses."""
    known = [
        name
        for name in espeak.languages()
        if (name == language or name.startswith(f"{language}-")) and name not in _OTHER_ALPHABET
    ]
    refused = tuple(name for name in known if espeak.refuses(name))
    usable = tuple(name for name in known if name not in refused)
    if not usable:
        raise InputError(
            f"espeak-ng does not speak the language {language!r} (refused: {', '.join(refused) or 'none'}). "
            f"Choose one of: {', '.join(espeak.languages())}."
        )
    return usable, refused


def speaker_family(variant: str) -> str:
    """The speaker behind an espeak-ng variant: `iven3` is `iven`."""
    if _ALONE.fullmatch(variant):
        return variant
    return _SAME_SPEAKER.get(variant, variant.rstrip("0123456789"))


def _accents_by_split(language: str) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Every fourth accent is for the test and the fifth of eight for validation; fewer than four are shared."""
    usable, refused = accents(language)
    held_out = {
        "validation": tuple(name for i, name in enumerate(usable) if i % 4 == 0 and i > 0),
        "test": tuple(name for i, name in enumerate(usable) if i % 4 == 3),
    }
    apart = set(held_out["validation"] + held_out["test"])
    held_out["train"] = tuple(name for name in usable if name not in apart)
    return {split: held_out[split] or held_out["train"] for split in SPLITS}, refused


def _speakers_of(split: str, seed: int) -> list[str]:
    """The espeak-ng variants of a split, whole families at a time, in an order of their own for each seed."""
    names = [name for name in espeak.variants() if name not in UNUSABLE]
    families = sorted({speaker_family(name) for name in names})
    np.random.default_rng([seed, 2]).shuffle(families)
    bounds = {"train": (0.0, 0.7), "validation": (0.7, 0.85), "test": (0.85, 1.0)}[split]
    first, last = (round(bound * len(families)) for bound in bounds)
    return [name for family in families[first:last] for name in names if speaker_family(name) == family]


def _take_turns(
    count: int, speakers: Sequence[list[str]], accents_of: Sequence[tuple[str, ...]]
) -> list[tuple[str, str]]:
    """(name, split) of the first `count` voices, so that each split has its share at any count."""
    queues = []
    for names, tongues, split in zip(speakers, accents_of, SPLITS, strict=True):
        rounds = len(tongues)
        queues.append(
            [
                (f"{tongues[(i + turn) % rounds]}+{name}", split)
                for turn in range(rounds)
                for i, name in enumerate(names)
            ]
        )
    # Position in its own queue, as a share of the first round, orders the merged queue: 70 / 15 / 15 from the start.
    merged = sorted(
        ((i + 0.5) / len(names), order, voice)
        for order, (queue, names) in enumerate(zip(queues, speakers, strict=True))
        for i, voice in enumerate(queue)
    )
    return [voice for _, _, voice in merged[:count]]
