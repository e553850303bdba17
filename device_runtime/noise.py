"""Noise to evaluate in: recorded, or pink noise and babble where there is none; always the same by its seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.recordings import audio_files, read_audio

VOICES = 6
"""Clips that speak at once in babble: enough that no word stands out."""

BABBLE_CLIPS = 60
"""Clips that babble is made from."""


@dataclass(frozen=True)
class Noises:
    """Stretches of noise of any length.

    >>> Noises.generated([]).stretch(16_000, seed=3).shape
    (16000,)
    """

    source: str
    """The folder, or "generated"."""

    names: tuple[str, ...]
    recordings: tuple[Float32, ...]
    """Noise as it was recorded; empty when it is generated."""

    voices: tuple[Float32, ...] = ()
    """Clips for babble, when it is generated."""

    @classmethod
    def choose(cls, folders: Iterable[Path], sample_rate_hz: int, heard: Iterable[str] = ()) -> Noises:
        """Recordings of the first folder that has some which training has not heard (by file stem); else generated."""
        known = set(heard)
        for folder in folders:
            paths = [path for path in audio_files(folder) if path.stem not in known] if folder.is_dir() else []
            if paths:
                recordings = tuple(read_audio(path, sample_rate_hz) for path in paths)
                return cls(str(folder), tuple(path.stem for path in paths), recordings)
        return cls.generated([])

    @classmethod
    def generated(cls, clips: Sequence[Float32]) -> Noises:
        """Pink noise, and a babble of these clips when there are any."""
        voices = tuple(clips[:BABBLE_CLIPS])
        return cls("generated", ("pink", "babble") if voices else ("pink",), (), voices)

    def stretch(self, samples: int, seed: int | Sequence[int], without: int = -1) -> Float32:
        """So many samples of noise, (samples,); the same for the same seed. The voice `without` does not babble."""
        rng = np.random.default_rng(seed)
        if self.recordings:
            return _cut(self.recordings[rng.integers(len(self.recordings))], samples, rng)
        if self.voices and rng.integers(2):
            others = [voice for i, voice in enumerate(self.voices) if i != without] or self.voices
            chosen = rng.integers(len(others), size=VOICES)
            return sum((_cut(others[i], samples, rng) for i in chosen), np.zeros(samples, np.float32))
        return pink(samples, rng)


def pink(samples: int, rng: np.random.Generator) -> Float32:
    """Noise with equal power in each octave, as rain and traffic have it; rms 1."""
    spectrum = np.fft.rfft(rng.standard_normal(max(samples, 2)))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    noise = np.fft.irfft(spectrum, max(samples, 2))[:samples]
    return np.asarray(noise / np.sqrt(np.mean(noise**2)), np.float32)


def add_noise(audio: Float32, noise: Float32, snr_db: float, clip_at: int) -> Float32:
    """Add noise so that the clip, which starts at `clip_at`, is `snr_db` louder; what comes before gets the same."""
    speech, hiss = _power(audio[clip_at:]), _power(noise[clip_at:])
    gain = np.sqrt(speech / hiss / 10 ** (snr_db / 10)) if hiss else 0.0
    return audio + np.float32(gain) * noise


def _power(samples: Float32) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0


def _cut(recording: Float32, samples: int, rng: np.random.Generator) -> Float32:
    """A stretch from a random place, beginning again at the recording's end."""
    start = int(rng.integers(len(recording)))
    return np.take(recording, np.arange(start, start + samples), mode="wrap")
