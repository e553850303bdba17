"""Clips whose words are levels, and an engine that tells them apart, for tests of evaluation."""

import dataclasses

import numpy as np

from device_runtime import bundle
from device_runtime.session import Session
from models import SMOOTH, tiny_manifest, tiny_model
from sounds import RATE, WINDOW, wav_bytes

LABELS = ("_silence_", "_unknown_", "high", "low")
DECODER = {**SMOOTH, "window_ms": 100, "thresholds": {"high": 0.8, "low": 0.8}, "refractory_ms": 500}


class Leveller:
    """An engine that hears how far a recording lies above or below zero: high, low, or neither."""

    name = "leveller"

    def __init__(self):
        self.frames = 0

    def step(self, frame, state):
        self.frames += 1
        level = float(frame.mean())
        return np.array([5 * (abs(level) < 0.1), 0.1, 6 * level, -6 * level], np.float32), state


class Late(Leveller):
    """A leveller that answers so many steps of 12.5 ms after it heard: a word lingers in what comes behind."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def step(self, frame, state):
        kept = np.roll(state, 1)
        kept[0] = frame.mean()
        return super().step(kept[self.steps : self.steps + 1], state)[0], kept


def open_session(folder, decoder=DECODER):
    manifest = dataclasses.replace(tiny_manifest(labels=LABELS), frontend=WINDOW, decoder=decoder)
    bundle.write(folder, manifest, tiny_model(), lambda _: None)
    opened = Session.open(folder)
    opened.engine = Leveller()
    return opened


def truth(clip):
    return clip.truth


def frames_heard(session):
    """The levels of all frames that the session's engine is given, as it is given them."""
    heard, step = [], session.engine.step
    session.engine.step = lambda frame, state: heard.append(float(frame.mean())) or step(frame, state)
    return heard


def level(value, seconds=1.0):
    return np.full(int(RATE * seconds), value)


def write_clips(folder, clips):
    for name, samples in clips.items():
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav_bytes(samples))
    return folder


GOOD = {f"{label}/{i}": level(value) for label, value in (("high", 0.1), ("low", -0.1)) for i in range(4)}
