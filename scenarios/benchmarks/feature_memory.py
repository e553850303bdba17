"""What an epoch holds in memory of its features: from files that are mapped, and from arrays.

    python -m scenarios.benchmarks.feature_memory FILE mapped|copied

Bytes are this process's own (RssAnon): pages of a mapped file are the system's, which takes them back when it needs
them. `training_memory` runs this in fresh processes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CLIPS, VECTORS, BANDS = 20_000, 168, 40
"""One warm copy of a data set of that many clips: 269 MB in float16."""

COPIES = 2


@dataclass(frozen=True)
class FeatureCost:
    """Of one epoch."""

    way: str
    features_mb: float
    """In files."""

    peak_mb: float
    """The most that the process had of its own, beyond what it had before."""

    seconds: float


def own_mb() -> float:
    """Memory that the system cannot take back from this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError("this system does not tell a process's own memory; Linux does, in /proc/self/status")


def measure() -> list[FeatureCost]:
    """An epoch each way, in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        vectors = np.lib.format.open_memmap(path, "w+", np.float16, (CLIPS, VECTORS, BANDS))
        for at in range(0, CLIPS, 1000):
            vectors[at : at + 1000] = np.random.default_rng(at).integers(0, 26, (1000, VECTORS, BANDS))
        vectors.flush()
        return [_in_a_fresh_process(path, way) for way in ("mapped", "copied")]


def _in_a_fresh_process(path: Path, way: str) -> FeatureCost:
    command = [sys.executable, "-m", "scenarios.benchmarks.feature_memory", str(path), way]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return FeatureCost(way, COPIES * path.stat().st_size / 1e6, float(told[0]), float(told[1]))


def epoch(path: Path, mapped: bool) -> tuple[float, float]:
    """Peak megabytes and seconds of drawing an epoch's batches, as a training does."""
    import torch

    from train.augment import FeatureWarp
    from train.batches import FeatureSet, FrameView, epochs, joined

    before, started = own_mb(), time.process_time()
    clips = np.zeros(CLIPS, np.int64)
    halves = []
    for _ in range(COPIES):
        vectors = np.load(path, mmap_mode="c" if mapped else None)
        halves.append(joined([FeatureSet(vectors, clips, clips > 0, clips)]))
    peak = 0.0
    for _ in epochs(halves, FrameView(5, 3), FeatureWarp()).draw(torch.Generator().manual_seed(0)):
        peak = max(peak, own_mb() - before)
    return peak, time.process_time() - started


if __name__ == "__main__":
    print(*epoch(Path(sys.argv[1]), sys.argv[2] == "mapped"))
