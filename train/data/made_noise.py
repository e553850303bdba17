"""Noises that need no recording: white, pink, brown, mains hum and a slow fan, different in every split."""

from __future__ import annotations

import numpy as np

from device_runtime.arithmetic import Float32

SAMPLE_RATE_HZ = 16_000
KINDS = ("white", "pink", "brown", "hum", "fan")


def made_noise(kind: str, seconds: float, seed: int) -> Float32:
    """So many seconds of one kind, rms 0.1.

    >>> made_noise("pink", 2.0, seed=1).shape
    (32000,)
    """
    random = np.random.default_rng([seed, KINDS.index(kind)])
    samples = round(seconds * SAMPLE_RATE_HZ)
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    slope = {"white": 0.0, "pink": -0.5, "brown": -1.0, "hum": -1.0, "fan": -0.5}[kind]
    noise = _coloured(samples, slope, random)
    if kind == "hum":
        mains_hz = 50 if random.random() < 0.5 else 60
        noise *= 0.3
        for harmonic in range(1, 8):
            noise += np.sin(2 * np.pi * mains_hz * harmonic * time_s + random.uniform(0, 6.3)) / harmonic
    if kind == "fan":
        noise *= 1 + 0.5 * np.sin(2 * np.pi * random.uniform(2, 20) * time_s)
    return (0.1 * noise / np.sqrt(np.mean(noise**2))).astype(np.float32)


def _coloured(samples: int, slope: float, random: np.random.Generator) -> np.ndarray:
    """Noise whose amplitude falls with frequency to the power of the slope."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    shape = np.maximum(np.arange(len(spectrum)), 20.0 * samples / SAMPLE_RATE_HZ) ** slope  # flat below 20 Hz
    coloured = np.fft.irfft(spectrum * shape, samples)
    return coloured / coloured.std()
