"""Spoken voices: any words, said by dozens of different espeak-ng voices.

A voice is an accent (`en-us`) with a speaker (`+f3`), a rate and a pitch. Voices are split by speaker, so that those
a model is judged on were never heard in training; where a language has four accents, some are kept for the test.

    >>> samples = speak("yes", voices(60, seed=1)[0])
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soxr

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data import espeak

SAMPLE_RATE_HZ = 16000
SPLITS = ("train", "validation", "test")

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
            ("rate_wpm", self.rate_wpm, 80, 450),
            ("pitch", self.pitch, 0, 99),
            ("pitch_range", self.pitch_range, 0, 99),
        ):
            if not low <= value <= high:
                raise InputError(f"{field} is {value}, but espeak-ng takes {low} to {high}.")

    @property
    def speaker(self) -> str:
        """Who speaks: what training and test may not share."""
        return self.name


def speak(text: str, voice: Voice) -> Float32:
    """The voice's samples at 16 kHz in -1..1, without the silence around: the same at every call."""
    spoken = espeak.speak(voice.name, text, voice.rate_wpm, voice.pitch, voice.pitch_range)
    level = np.abs(spoken.astype(np.int32))
    loud = np.flatnonzero(level > 0.01 * level.max(initial=1))
    if loud.size == 0:
        raise InputError(f"the voice {voice.name!r} makes no sound of {text!r}. Give a word of that language.")
    margin = espeak.SAMPLE_RATE_HZ // 100  # 10 ms: quiet onsets such as the f of "four"
    heard = spoken[max(loud[0] - margin, 0) : loud[-1] + margin].astype(np.float32) / 32768
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
