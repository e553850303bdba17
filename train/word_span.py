"""Where in its clip a word is."""

from __future__ import annotations

import numpy as np

from device_runtime.arithmetic import Float32

HOP = 160
"""Samples in each 10 ms whose energy tells speech from pauses."""


def word_span(clip: Float32) -> tuple[int, int]:
    """First and last sample of the word in a clip: from the first to the last 10 ms within 20 dB of the loudest."""
    hops = clip[: len(clip) // HOP * HOP].reshape(-1, HOP)
    energy = np.square(hops, dtype=np.float64).sum(axis=1)
    loud = np.flatnonzero(energy >= 0.01 * energy.max(initial=0.0))
    return (int(loud[0]) * HOP, (int(loud[-1]) + 1) * HOP) if len(loud) else (0, len(clip))
