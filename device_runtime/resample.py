"""Change a sample rate, in NumPy alone, so that every machine hears the same samples.

Output n lies at input position n * rate_in / rate_out, an exact fraction; its value is a windowed sinc over the inputs
around it. The filter's phases repeat, so each is computed once, unless there are very many of them.
"""

from __future__ import annotations

from math import gcd

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError

ZEROS = 32
"""Zero crossings of the sinc on each side; with BETA this leaves about -90 dB of what would alias."""

BETA = 9.0
CUTOFF = 0.94
"""Share of the lower Nyquist frequency at which half passes; below 0.85 all does, beyond 1.03 nothing."""

LOWEST_HZ, HIGHEST_HZ = 1_000, 384_000
"""Of recordings: from the oldest telephones to the fastest converters."""

MOST_TIMES_LOWER = 10_000
"""An output reaches over 64 times as many inputs."""

BLOCK_VALUES = 2**19
"""Outputs times filter taps computed at a time, and phases times taps kept: bounds the memory, is part of no result."""


class Resampler:
    """Takes samples at one rate and returns them at another, in pieces of any length.

    >>> resampler = Resampler(8_000, 16_000)
    >>> len(resampler.push(np.zeros(800, np.float32))) + len(resampler.finish())
    1600
    """

    def __init__(self, rate_in: int, rate_out: int):
        if rate_in > MOST_TIMES_LOWER * rate_out:
            raise InputError(
                f"{rate_in} Hz cannot become {rate_out} Hz: that is more than {MOST_TIMES_LOWER} times lower. "
                "Give a recording of a lower rate"
            )
        shared = gcd(rate_in, rate_out)
        self._up, self._down = rate_out // shared, rate_in // shared
        self._scale = min(1.0, rate_out / rate_in)  # a lower output rate widens the filter
        self._half = int(np.ceil(ZEROS / self._scale))
        self._at_once = max(1, BLOCK_VALUES // (2 * self._half))  # outputs of a block
        self._filters = self._compute(np.arange(self._up)) if self._up <= self._at_once else None
        # silence before the start, so that the first output has its left side
        self._waiting = np.zeros(self._half - 1)
        self._start = -(self._half - 1)  # input index of _waiting[0]
        self._taken = 0
        self._given = 0

    def push(self, samples: Float32) -> Float32:
        """Take any number of samples; return what they completed at the new rate."""
        if self._up == self._down:
            return samples
        self._taken += len(samples)
        self._waiting = np.concatenate([self._waiting, samples.astype(np.float64)])
        # the last output whose right side has fully arrived
        return self._outputs_until((self._taken - self._half) * self._up)

    def finish(self) -> Float32:
        """The rest, once no more samples will come: silence follows the end."""
        if self._up == self._down:
            return np.zeros(0, np.float32)
        self._waiting = np.concatenate([self._waiting, np.zeros(self._half)])
        return self._outputs_until(self._taken * self._up)

    def _outputs_until(self, position: int) -> Float32:
        """All outputs before an input position given in 1 / up samples."""
        end = max(self._given, -(-position // self._down))
        step = self._at_once
        pieces = [self._block(n, min(n + step, end)) for n in range(self._given, end, step)]
        self._given = end
        needed = end * self._down // self._up - self._half + 1
        self._waiting = self._waiting[needed - self._start :].copy()
        self._start = needed
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    def _block(self, first: int, end: int) -> Float32:
        position = np.arange(first, end, dtype=np.int64) * self._down
        left = position // self._up - self._half + 1 - self._start
        windows = np.lib.stride_tricks.sliding_window_view(self._waiting, 2 * self._half)[left]
        phases = position % self._up
        filters = self._compute(phases) if self._filters is None else self._filters[phases]
        return np.asarray((windows * filters).sum(axis=1), np.float32)

    def _compute(self, phases: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The filters of some phases, (phases, taps)."""
        taps = np.arange(-self._half + 1, self._half + 1)  # inputs around floor(position)
        distance = (taps - phases[:, None] / self._up) * self._scale  # in output zero crossings when going down
        window = np.i0(BETA * np.sqrt(np.clip(1 - (distance / ZEROS) ** 2, 0, None))) / np.i0(BETA)
        filters = np.sinc(CUTOFF * distance) * window * (CUTOFF * self._scale)
        summed: npt.NDArray[np.float64] = filters / filters.sum(axis=1, keepdims=True)  # a constant stays that constant
        return summed
