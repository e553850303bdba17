"""A clip is played, after the end of another one, to a session or to what stands for one: what it is taken for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.decoders import Smooth
from device_runtime.session import Step


class Listener(Protocol):
    """What a clip is played to: a session, or what stands for one."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What the scores stand for."""
        ...

    @property
    def decoder(self) -> Smooth:
        """Which follows the scores."""
        ...

    def reset(self) -> None:
        """Forget everything heard so far."""
        ...

    def push(self, samples: Float32) -> object:
        """Take samples."""
        ...

    def listen(self, samples: Float32) -> Iterable[Step]:
        """Take samples, telling of each step."""
        ...


def hear(listener: Listener, before: Float32, heard: Float32, window: int) -> tuple[Float32, tuple[str, ...]]:
    """The highest smoothed score of each label over a clip in its room, and the labels that fired.

    After other audio, only scores whose smoothing window lies inside the clip count; it has `window` samples, and so
    many of quiet lie behind the clip. The word before is no answer: one that was reported must fall before it counts
    again, as on the device, and a score that has done nothing but fall since the clip began counts only once it stops
    falling, since no threshold would make it an event within the clip.
    """
    decoder, lead = listener.decoder, window if len(before) else 0
    # what is reported as the clip begins is of the word before if that alone is reported so late, else of the clip
    late = _begins(listener, before, heard[len(heard) - lead :])
    told = [label for label in _begins(listener, before, heard[:lead]) if label not in late]
    armed, peaks = decoder.armed | np.isin(listener.labels, told), np.zeros(len(listener.labels), np.float32)
    risen, last = np.full(len(peaks), not lead), np.full(len(peaks), np.inf)
    for step in listener.listen(heard[lead:]):
        armed |= step.armed
        risen |= step.scores >= last
        last = step.scores
        peaks = np.maximum(peaks, np.where(armed & risen, step.scores, np.float32(0)))
        told += [event.label for event in step.events]
    return peaks, tuple(told)


def _begins(listener: Listener, before: Float32, lead: Float32) -> list[str]:
    """What fires in the lead; no refractory time is left, as the two are one after the other only here."""
    listener.reset()
    listener.push(before)
    listener.decoder.end_refractory()
    told = fired(listener, lead)
    listener.decoder.end_refractory()
    return told


def fired(listener: Listener, samples: Float32) -> list[str]:
    """The labels that fire while the samples are played."""
    return [event.label for step in listener.listen(samples) for event in step.events]
