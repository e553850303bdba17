"""How a recording is heard: shifted, faster or slower, louder or quieter, in noise, after something else.

The micro front end needs about a second to settle, so a clip that starts from silence sounds different from the same
word in a running stream. A model trained on cold clips alone fell from 91 % to 61 % once the front end was warm
(notes in scenarios/RESULTS.md): most copies therefore have a pre-roll, 0.7 s of other audio before the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from device_runtime.arithmetic import Float32

SAMPLE_RATE_HZ = 16_000
PREROLL = 11_200
"""Samples before the clip in a warm copy: 0.7 s."""


@dataclass(frozen=True)
class Surroundings:
    """What else can be heard around a clip."""

    noises: Sequence[Float32]
    """Recordings of noise, each longer than 2 s."""

    others: Sequence[Float32]
    """Other clips: what was said before, and the babble behind."""

    key: str = ""
    """Names the content, for caches."""


@dataclass(frozen=True)
class Hearing:
    """One way to hear a clip; ranges are drawn anew for each clip."""

    warm: bool = True
    shift_ms: float = 100.0
    speed: tuple[float, float] = (0.85, 1.17)
    snr_db: tuple[float, float] = (3.0, 30.0)
    noisy: float = 0.8
    """Share of clips with noise added."""

    babble: float = 0.3
    """Share of the noises that are four other voices instead of a noise recording."""

    gain_db: tuple[float, float] = (-10.0, 6.0)
    after_speech: float = 0.6
    """Share of pre-rolls that are the end of another clip; the others are noise or a quiet room."""

    narrow: float = 0.1
    """Share of clips that come through a telephone or an 8 kHz microphone: nothing is left above 4 kHz."""


CLEAN = Hearing(shift_ms=0.0, speed=(1.0, 1.0), noisy=0.0, gain_db=(0.0, 0.0), narrow=0.0)


def hear(clip: Float32, hearing: Hearing, around: Surroundings, random: np.random.Generator) -> Float32:
    """The clip as this hearing has it: (samples,) -> (samples,), or (PREROLL + samples,) where it is warm."""
    heard = said(clip, hearing, random)
    if hearing.warm:
        heard = np.concatenate([_before(hearing, around, random), heard])
    if random.random() < hearing.noisy:
        noise = _babble(around, len(heard), random) if random.random() < hearing.babble else None
        noise = piece(around.noises, len(heard), random) if noise is None else noise
        heard = at_snr(heard, noise, random.uniform(*hearing.snr_db), speech=heard[-len(clip) :])
    heard = heard * np.float32(10 ** (random.uniform(*hearing.gain_db) / 20))
    return narrowed(heard, random.uniform(3400, 4000)) if random.random() < hearing.narrow else heard


def said(clip: Float32, hearing: Hearing, random: np.random.Generator) -> Float32:
    """The clip at another speed and place, before anything is added to it: the first that `hear` does."""
    return placed(faster(clip, random.uniform(*hearing.speed)), len(clip), hearing.shift_ms, random)


def faster(clip: Float32, speed: float) -> Float32:
    """Played at another speed: pitch, formants and length change together, as with a shorter speaker."""
    if speed == 1.0:
        return clip
    at = np.arange(int(len(clip) / speed)) * speed
    return np.interp(at, np.arange(len(clip)), clip).astype(np.float32)


def placed(clip: Float32, samples: int, shift_ms: float, random: np.random.Generator) -> Float32:
    """In the middle of so many samples, give or take the shift; what does not fit is cut off."""
    shift = int(random.uniform(-shift_ms, shift_ms) * SAMPLE_RATE_HZ / 1000)
    start = (samples - len(clip)) // 2 + shift
    out = np.zeros(samples, np.float32)
    first, last = max(0, start), min(samples, start + len(clip))
    out[first:last] = clip[first - start : last - start]
    return out


def at_snr(audio: Float32, noise: Float32, snr_db: float, speech: Float32) -> Float32:
    """The audio with the noise so much below the mean power of the speech in it."""
    power = float(np.mean(np.square(speech, dtype=np.float64))) + 1e-10
    noise_power = float(np.mean(np.square(noise, dtype=np.float64))) + 1e-10
    return audio + noise * np.float32(np.sqrt(power / noise_power / 10 ** (snr_db / 10)))


def narrowed(audio: Float32, top_hz: float) -> Float32:
    """The audio with nothing left above `top_hz`; the last tenth below it fades."""
    spectrum = np.fft.rfft(audio)
    frequency_hz = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE_HZ)
    spectrum *= np.clip((top_hz - frequency_hz) / (0.1 * top_hz), 0, 1)
    return np.fft.irfft(spectrum, len(audio)).astype(np.float32)


def piece(recordings: Sequence[Float32], samples: int, random: np.random.Generator) -> Float32:
    """So many samples from anywhere in one of the recordings, repeated where it is shorter."""
    whole = recordings[int(random.integers(len(recordings)))]
    start = int(random.integers(max(1, len(whole) - samples)))
    part = whole[start : start + samples]
    return np.resize(part, samples) if len(part) < samples else part


def _before(hearing: Hearing, around: Surroundings, random: np.random.Generator) -> Float32:
    kind = random.random()
    if kind < hearing.after_speech:
        other = around.others[int(random.integers(len(around.others)))]
        return np.resize(other[-PREROLL:], PREROLL) * np.float32(10 ** (random.uniform(-10, 4) / 20))
    if kind < (1 + hearing.after_speech) / 2:
        return piece(around.noises, PREROLL, random) * np.float32(10 ** (random.uniform(-40, -5) / 20))
    return random.normal(0, random.uniform(3e-5, 1e-3), PREROLL).astype(np.float32)


def _babble(around: Surroundings, samples: int, random: np.random.Generator) -> Float32:
    voices = [around.others[int(random.integers(len(around.others)))] for _ in range(4)]
    return np.sum([np.roll(np.resize(voice, samples), int(random.integers(samples))) for voice in voices], axis=0)


@dataclass(frozen=True)
class FeatureWarp:
    """Drawn anew for every batch, on feature vectors: tempo, vocal-tract length, and masked bands.

    Heavy masking (SpecAugment, arXiv:1904.08779) hurts a small student; a large teacher gains from it.
    """

    tempo: float = 0.12
    shift: int = 6
    """Vectors, either way."""

    tract: float = 0.10
    """Vocal-tract length perturbation: the bands are stretched by up to this share (Jaitly & Hinton 2013)."""

    mask_bands: int = 0
    mask_vectors: int = 0

    def __call__(self, features: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """(batch, vectors, bands) -> the same shape."""
        batch, vectors, bands = features.shape

        def draw(spread: float) -> torch.Tensor:
            return (torch.rand(batch, 1, generator=generator) * 2 - 1) * spread

        middle = vectors - 50  # the middle of the clip, which is the last second of a copy
        at = (torch.arange(vectors) - middle) * (1 + draw(self.tempo)) + middle + draw(self.shift)
        features = _resampled(features, at, dim=1)
        features = _resampled(features, torch.arange(bands) * (1 + draw(self.tract)), dim=2)
        features = _masked(features, 1, self.mask_vectors, generator)
        return _masked(features, 2, self.mask_bands, generator)


def _resampled(x: torch.Tensor, at: torch.Tensor, dim: int) -> torch.Tensor:
    """Linear interpolation along a dimension at positions (batch, size), held at both ends."""
    at = at.clamp(0, x.shape[dim] - 1.001)
    low = at.long()
    share, low = (at - low).unsqueeze(3 - dim), low.unsqueeze(3 - dim).expand_as(x)
    return torch.lerp(torch.gather(x, dim, low), torch.gather(x, dim, low + 1), share)


def _masked(x: torch.Tensor, dim: int, most: int, generator: torch.Generator) -> torch.Tensor:
    """One run of at most `most` positions set to the mean of the features."""
    if not most:
        return x
    size = x.shape[dim]
    start = torch.randint(0, size, (len(x), 1), generator=generator)
    width = torch.randint(0, most + 1, (len(x), 1), generator=generator)
    inside = (torch.arange(size) >= start) & (torch.arange(size) < start + width)
    return torch.where(inside.unsqueeze(3 - dim), x.mean(), x)
