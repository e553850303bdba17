"""Who speaks synthetic speech: anybody who can say a text, split as the people of a recorded set are.

`voices.EspeakVoices` has dozens of voices, all made by one program; `natural_voices.NaturalVoices` has a few that were
learned from people.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from device_runtime.arithmetic import Float32
from train.data.dataset import Described

SAMPLE_RATE_HZ = 16000


class Speaker(Protocol):
    """One voice at one pace and pitch."""

    @property
    def speaker(self) -> str:
        """Who speaks: what training and test may not share."""

    def say(self, text: str) -> Float32:
        """The samples at 16 kHz in -1..1, without the silence around: the same at every call."""

    def another_take(self, generator: np.random.Generator) -> Speaker:
        """The same voice, at another pace and pitch."""

    def faster(self) -> Speaker | None:
        """The same voice in more of a hurry; None where it cannot be."""


class Cast(Described, Protocol):
    """All who may speak."""

    def speakers(self, split: str) -> list[Speaker]:
        """Those of "train", "validation" or "test"."""


def without_silence(spoken: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """From 10 ms before the first sample that is heard, for quiet onsets such as the f of "four", to 10 ms behind.

    Empty where nothing is heard.
    """
    level = np.abs(spoken.astype(np.float64))
    loud = np.flatnonzero(level > 0.01 * level.max(initial=0.0))
    if loud.size == 0:
        return spoken[:0]
    margin = sample_rate_hz // 100
    return spoken[max(loud[0] - margin, 0) : loud[-1] + margin]
