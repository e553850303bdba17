"""What an evaluation puts around a recording of one word: other speech before it, and a quiet room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.recordings import Recording, read_audio

PREROLL_S = 0.7
ROOM_RMS = 1e-4
"""-80 dB of full scale: a quiet room, where digital silence would mislead the front end."""


def with_prerolls(
    order: Sequence[tuple[Recording, str]], rate: int
) -> Iterator[tuple[Recording, str, Float32, Float32]]:
    """Each clip with the end of the latest one before it that says another word; the first with that of a later one."""
    length = int(PREROLL_S * rate)
    first = order[0][1]
    other = next((r for r, truth in reversed(order) if truth != first), order[-1][0])
    tails = {"": read_audio(other.path, rate)[-length:]}  # by label, latest last
    for recording, truth in order:
        audio = read_audio(recording.path, rate)
        before = next((tail for label, tail in reversed(tails.items()) if label != truth), tails[""])
        yield recording, truth, audio, before
        tails.pop(truth, None)
        tails[truth] = audio[-length:]


def in_a_room(clip: Float32, rate: int, behind: int) -> Float32:
    """The clip in the middle of at least a second of faint hiss, and so many samples of it behind.

    Words do not end with their files: a device hears on, and answers a moment later.
    """
    missing = max(0, rate - len(clip))
    padded = np.pad(clip, (missing // 2, missing - missing // 2 + behind))
    hiss = np.random.default_rng(len(padded)).normal(0, ROOM_RMS, len(padded))
    hiss[missing // 2 : missing // 2 + len(clip)] = 0
    return np.asarray(padded + hiss, np.float32)
