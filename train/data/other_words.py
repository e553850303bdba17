"""Words that are none of the user's: what a keyword spotter must learn not to hear.

The dangerous ones sound nearly the same ("go" and "snow" for "no"). They are found by the edit distance between
phonemes, which espeak-ng gives for any word in any of its languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from train.data.espeak import phonemes

OTHER_WORDS: tuple[str, ...] = tuple((Path(__file__).parent / "common_words.txt").read_text().split())
"""About a thousand common English words; some of them may be the user's own: `other_words` leaves those out."""

_VOWELS = frozenset("aeiouAEIOUV@30")
_RELATED = 0.5
"""One vowel for another is a smaller difference than a consonant more or less."""


def near_misses(
    words: Sequence[str], count: int = 50, candidates: Sequence[str] = OTHER_WORDS, language: str = "en"
) -> list[str]:
    """The candidates that sound most like any of the words, nearest first; never the words themselves.

    >>> "go" in near_misses(["no"], 20)
    True
    """
    others = other_words(words, candidates, language)
    targets = phonemes(words, language)
    nearest = {
        word: min(sound_distance(sounds, target) / len(target) for target in targets)
        for word, sounds in zip(others, phonemes(others, language), strict=True)
    }
    return sorted(others, key=lambda word: (nearest[word], word))[:count]


def other_words(words: Sequence[str], candidates: Sequence[str] = OTHER_WORDS, language: str = "en") -> tuple[str, ...]:
    """The candidates without the words and without whatever sounds exactly like one ("know" for "no")."""
    taken = set(phonemes(words, language))
    spelled = {word.casefold() for word in words}
    every = list(dict.fromkeys(candidates))
    return tuple(
        word
        for word, sounds in zip(every, phonemes(every, language), strict=True)
        if word.casefold() not in spelled and sounds not in taken
    )


def sound_distance(a: tuple[str, ...], b: tuple[str, ...]) -> float:
    """How many sounds must be put in, left out or changed to make one word of the other."""
    row = [float(j) for j in range(len(b) + 1)]
    for i, sound in enumerate(a):
        above, row = row, [i + 1.0]
        for j, other in enumerate(b):
            row.append(min(above[j] + _change(sound, other), above[j + 1] + 1.0, row[j] + 1.0))
    return row[-1]


def _change(a: str, b: str) -> float:
    if a == b:
        return 0.0
    return _RELATED if a[0] in _VOWELS and b[0] in _VOWELS else 1.0
