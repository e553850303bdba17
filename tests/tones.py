"""A generated data set: labels are chords, recordings a little different from one another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_runtime.recordings import Recording
from sounds import wav_bytes
from train.data.dataset import SILENCE


@dataclass(frozen=True)
class Folder:
    """A data set of tones: `each` recordings of each label in each split."""

    root: Path
    labels: tuple[str, ...]
    each: int = 3
    seconds: float = 1.0
    name: str = "tones"
    source: str = "this test"
    licence: str = "CC0"

    def recordings(self, split: str) -> list[Recording]:
        return [self._recording(split, label, i) for label in self.labels for i in range(self.each)]

    def noise(self, split: str) -> list[Recording]:
        return [self._recording(split, SILENCE, 0)]

    def _recording(self, split: str, label: str, i: int) -> Recording:
        path = self.root / self.name / split / label / f"{i}.wav"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wav_bytes(_warble(self.seconds, label, [*f"{split}{i}".encode()])))
        return Recording(path, label, f"{split} {i}", split)


def _warble(seconds: float, label: str, seed: list[int]) -> np.ndarray:
    """Each label has pitches of its own; each recording is a little different."""
    random = np.random.default_rng(seed)
    time_s = np.arange(int(16_000 * seconds)) / 16_000
    pitches_hz = np.random.default_rng([*label.encode()]).uniform(200, 3000, 4) * random.uniform(0.9, 1.1)
    tones = sum(np.sin(2 * np.pi * hz * time_s) for hz in pitches_hz)
    loud = np.exp(-(((time_s % 1 - 0.5) / 0.2) ** 2))  # one syllable a second
    return (0.15 * loud * tones + random.normal(0, 1e-3, len(time_s))).astype(np.float32)
