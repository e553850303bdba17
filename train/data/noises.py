"""Noise without a data set, and silence as a label: what a room sounds like when nobody says a word.

Each split has its own kinds of noise, and its own voices in the babble, so that the test is in noise unheard before.
"""

from __future__ import annotations

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.recordings import Recording, read_audio
from train.data.dataset import SILENCE, SPLITS, Clip
from train.data.other_words import OTHER_WORDS
from train.data.voices import SAMPLE_RATE_HZ, speak, voices

BABBLE_VOICES = 5
COLOURS = {"train": (0.0, 1.0), "validation": (0.5,), "test": (2.0,)}
"""Exponents of 1 / f**exponent: white and pink; between them; brown."""

HUMS_HZ = {"train": 50.0, "validation": 100.0, "test": 60.0}
"""Of mains and motors."""


def synthetic_noise(split: str, seconds: float = 30.0, seed: int = 0) -> list[Clip]:
    """Long noises of a split: colours, a fan with a hum, and a babble of voices."""
    generator = np.random.default_rng([seed, 6, SPLITS.index(split)])
    length = round(seconds * SAMPLE_RATE_HZ)
    noises = {f"colour {exponent:g}": coloured(length, exponent, generator) for exponent in COLOURS[split]}
    noises["fan"] = fan(length, HUMS_HZ[split], generator)
    noises["babble"] = babble(split, length, generator)
    return [Clip(samples, SILENCE, f"{name}, {split}") for name, samples in noises.items()]


def silence_clips(noises: list[Clip], count: int, seconds: float = 1.0, seed: int = 0) -> list[Clip]:
    """Pieces of noise at levels from loud to nearly nothing, one in ten of them digital silence."""
    generator = np.random.default_rng([seed, 7])
    length = round(seconds * SAMPLE_RATE_HZ)
    clips = []
    for _ in range(count):
        noise = noises[int(generator.integers(len(noises)))]
        start = int(generator.integers(max(len(noise.samples) - length, 0) + 1))
        piece = np.resize(noise.samples[start : start + length], length)
        gain = 0.0 if generator.random() < 0.1 else 10 ** generator.uniform(-2.5, 0.0)
        clips.append(Clip(piece * np.float32(gain), SILENCE, noise.speaker))
    return clips


def read_noise(recordings: list[Recording]) -> list[Clip]:
    """Recorded noise in the same form as the synthetic."""
    return [Clip(read_audio(r.path, SAMPLE_RATE_HZ), SILENCE, r.path.stem) for r in recordings]


def coloured(length: int, exponent: float, generator: np.random.Generator) -> Float32:
    """Noise whose power falls with 1 / f**exponent."""
    spectrum = np.fft.rfft(generator.standard_normal(length))
    frequency_hz = np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE_HZ), 20.0)
    return _level(np.fft.irfft(spectrum / frequency_hz ** (exponent / 2), length))


def fan(length: int, hum_hz: float, generator: np.random.Generator) -> Float32:
    """Air that swells and falls, over the hum of a motor and its harmonics."""
    time_s = np.arange(length) / SAMPLE_RATE_HZ
    air = coloured(length, 1.5, generator) * (1 + 0.3 * np.sin(2 * np.pi * generator.uniform(0.2, 2.0) * time_s))
    harmonics = [np.sin(2 * np.pi * hum_hz * k * time_s + generator.uniform(0, 6.28)) / k for k in range(1, 6)]
    return _level(air + 0.05 * np.sum(harmonics, axis=0))


def babble(split: str, length: int, generator: np.random.Generator) -> Float32:
    """Several of the split's voices at once, saying common words without pause."""
    speakers = [voice for voice in voices(60) if voice.split == split]
    mixed = np.zeros(length)
    for i in generator.choice(len(speakers), BABBLE_VOICES, replace=False):
        said: list[Float32] = []
        while sum(map(len, said)) < length:
            words = generator.choice(OTHER_WORDS, 12)
            said.append(speak(" ".join(words), speakers[i]))
        mixed += np.concatenate(said)[:length]
    return _level(mixed)


def _level(samples: np.ndarray) -> Float32:
    """At -20 dB of full scale, as recorded noise is about."""
    return (samples * (0.1 / np.sqrt(np.mean(samples**2)))).astype(np.float32).clip(-1, 1)
