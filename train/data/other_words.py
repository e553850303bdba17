"""Words that are none of the user's: what a keyword spotter must learn not to hear.

The dangerous ones sound nearly the same ("go" and "snow" for "no"). They are found by the edit distance between
phonemes, which espeak-ng gives for any word in any of its languages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from train.data.espeak import phonemes

OTHER_WORDS: tuple[str, ...] = tuple((Path(__file__).parent / "common_words.txt").read_text().split())
"""About a thousand common English words; some of them may be the user's own: `other_words` leaves those out."""

_WORD = re.compile(r"[^\W\d_]+")

_KINDS = ("aeiouAEIOUV@30", "pbtdkg?", "fvsSzZTDhxC", "mnN", "lrwj")
"""Vowels, stops, fricatives, nasals, glides, by the first letter of espeak's names for them."""

_RELATED = 0.5
"""One vowel for another, or one stop, is a smaller difference than a sound that is missing."""

_EXTRA = 0.7
"""A word that has the whole target in it ("snow" has "no") is a likelier mistake than one that lacks a part."""


def near_misses(
    words: Sequence[str], count: int = 50, candidates: Sequence[str] = OTHER_WORDS, language: str = "en"
) -> list[str]:
    """The candidates that sound most like the words, an equal share for each; never the words themselves.

    >>> "snow" in near_misses(["no"], 20)
    True
    """
    others = other_words(words, candidates, language)
    sounds = phonemes(others, language)
    rankings = [_by_distance(target, others, sounds) for target in phonemes(words, language)]
    in_turn = [word for same_rank in zip(*rankings, strict=True) for word in same_rank]
    return list(dict.fromkeys(in_turn))[:count]


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


def say_one_like(texts: Sequence[str], words: Sequence[str], most: float, language: str = "en") -> list[bool]:
    """Whether each text, in `language`, has a word that is spelled like one of the English `words` or sounds so.

    Sounds may differ by `most`.

    >>> say_one_like(["A frog.", "I know a frog."], ["no"], 0.2)
    [False, True]
    """
    said = [set(_WORD.findall(text.casefold())) for text in texts]
    if not words:
        return [False] * len(said)
    vocabulary = sorted(set[str]().union(*said))
    spelled = {word.casefold() for word in words}
    wanted = phonemes(words)
    alike = {
        word
        for word, sounds in zip(vocabulary, phonemes(vocabulary, language), strict=True)
        if word in spelled or any(sound_distance(sounds, target) <= most for target in wanted)
    }
    return [bool(alike & has) for has in said]


def sound_distance(sounds: tuple[str, ...], target: tuple[str, ...]) -> float:
    """How much must be changed in, left out of or added to the sounds to hear the target."""
    row = [float(j) for j in range(len(target) + 1)]
    for i, sound in enumerate(sounds):
        above, row = row, [(i + 1) * _EXTRA]
        for j, wanted in enumerate(target):
            row.append(min(above[j] + _change(sound, wanted), above[j + 1] + _EXTRA, row[j] + 1.0))
    return row[-1]


def _by_distance(target: tuple[str, ...], words: Sequence[str], sounds: Sequence[tuple[str, ...]]) -> list[str]:
    distance = {word: sound_distance(of, target) for word, of in zip(words, sounds, strict=True)}
    return sorted(words, key=lambda word: (distance[word], word))


def _change(a: str, b: str) -> float:
    if a == b:
        return 0.0
    return _RELATED if any(a[0] in kind and b[0] in kind for kind in _KINDS) else 1.0
