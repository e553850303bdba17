"""Compute the constants of the speech front end and print them as C: `python frontend_tables.py > frontend_tables.c`.

`pymicro-features` computes its tables at start-up, in float32 and with cosf, log1pf and powf of the C library that it
finds, so that they (and its features) are not the same everywhere. Here they are those of x86-64 with glibc 2.36,
computed once: every board and every compiler has the same integers, and firmware needs no such functions. Formulas:
the `*_util.c` files of TensorFlow's `lite/experimental/microfrontend/lib` and, for the factors of the Fourier
transform, kissfft's 16-bit build; settings: those of `pymicro-features`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

SAMPLE_RATE_HZ = 16_000
WINDOW = 480  # samples, 30 ms
FFT = 512  # the next power of two
CHANNELS = 40
LOWEST_HZ, HIGHEST_HZ = 125.0, 7500.0

WINDOW_BITS = 12
WEIGHT_BITS = 12
TWIDDLE_MAX = 32767  # 1.0 in Q15, as near as an int16 comes

GAIN_BITS = 21
GAIN_OFFSET, GAIN_STRENGTH = 80.0, 0.95
SMOOTHING_BITS = 10
INPUT_BITS = SMOOTHING_BITS - (int(math.log2(FFT)) - WEIGHT_BITS // 2)
"""Fraction bits of a noise estimate, less what the transform (9) and the square root of the weights (6) scaled away."""

LOG_SEGMENT_BITS = 7
LOG_BITS = 16

float32 = np.float32


def window() -> list[int]:
    """A Hann window, sampled between its zeros: 0.5 - 0.5 cos(2 pi (i + 0.5) / 480) in Q12."""
    turn = float32(math.pi * 2.0 / WINDOW)
    cosines = (float32(math.cos(turn * float32(i + 0.5))) for i in range(WINDOW))
    return [_nearest((float32(0.5) - float32(0.5) * cosine) * 2**WINDOW_BITS) for cosine in cosines]


def twiddle(angle: float) -> tuple[int, int]:
    """exp(i angle) in Q15."""
    return _nearest(TWIDDLE_MAX * math.cos(angle)), _nearest(TWIDDLE_MAX * math.sin(angle))


def stage_twiddles() -> list[int]:
    """For the second, third and fourth stage of radix 4: real and imaginary parts of w^k, w^2k, w^3k in its 64 lanes.

    A stage makes 4 * size bins of size bins; its lanes are ordered as fft.c runs through them.
    """
    lanes = {4: [lane // 16 for lane in range(64)], 16: [lane % 16 for lane in range(64)], 64: list(range(64))}
    numbers = []
    for size, bins in lanes.items():
        turn = -2 * math.pi / (4 * size)
        for power in (1, 2, 3):
            factors = [twiddle(turn * (power * k)) for k in bins]
            numbers += [pair[part] for part in (0, 1) for pair in factors]
    return numbers


def real_twiddles() -> list[int]:
    """The factors that take the half-size complex transform apart, bins 1 to 128: real parts, then imaginary ones."""
    half = FFT // 2
    factors = [twiddle(-math.pi * (k / half + 0.5)) for k in range(1, half // 2 + 1)]
    return [pair[part] for part in (0, 1) for pair in factors]


def turns() -> list[int]:
    """The factors of the third and the fourth stage and of real_twiddles once more, for points in pairs of numbers.

    In rows of 16: of a row each (re, -im), then each (im, re). Rows: w^k, w^2k, w^3k of the third stage; the same for
    each quarter of the fourth; bins 1 to 128.
    """
    rows = [[_power(64, power * k) for k in range(16)] for power in (1, 2, 3)]
    for first in range(0, 64, 16):
        rows += [[_power(256, power * k) for k in range(first, first + 16)] for power in (1, 2, 3)]
    real = real_twiddles()
    pairs = list(zip(real[: FFT // 4], real[FFT // 4 :], strict=True))
    rows += [pairs[at : at + 16] for at in range(0, len(pairs), 16)]
    numbers = []
    for row in rows:
        numbers += [number for re, im in row for number in (re, -im)]
        numbers += [number for re, im in row for number in (im, re)]
    return numbers


def _power(size: int, k: int) -> tuple[int, int]:
    return twiddle(-2 * math.pi / size * k)


def mel(hz: float) -> np.float32:
    """The mel scale of HTK, 1127 ln(1 + f / 700), in float32."""
    logarithm = float32(math.log1p(float32(hz) / float32(700)))
    if hz == HIGHEST_HZ:  # glibc's log1pf (2.36, x86-64) is one step too high here, which moves the edges of the bands
        logarithm = np.nextafter(logarithm, float32(np.inf))
    return float32(1127) * logarithm


def filterbank() -> tuple[list[int], list[int]]:
    """First bin of each of the 41 gaps between the centres of bands (and the end), and a weight for each bin.

    A bin in gap g lies between the centres of bands g - 1 and g (the first and the last gap have one band only): its
    weight is what it gives to the lower one, in Q12, and the rest of 1 is what it gives to the upper one.
    """
    hz_per_bin = SAMPLE_RATE_HZ / FFT
    low = mel(LOWEST_HZ)
    spacing = (mel(HIGHEST_HZ) - low) / float32(CHANNELS + 1)
    edges = [low] + [low + spacing * float32(gap + 1) for gap in range(CHANNELS + 1)]
    at_bin = int(1.5 + LOWEST_HZ / hz_per_bin)  # never the bin of 0 Hz
    starts, weights = [at_bin], []
    for lower, upper in pairwise(edges):
        while (at := mel(at_bin * hz_per_bin)) <= upper:
            weight = (upper - at) / (upper - lower)
            weights.append(_nearest(weight * 2**WEIGHT_BITS))
            # The library keeps both weights, each rounded; no bin is so near a half that they would not add up to 1.
            assert weights[-1] + _nearest((float32(1) - weight) * 2**WEIGHT_BITS) == 2**WEIGHT_BITS
            at_bin += 1
        starts.append(at_bin)
    return starts, weights


def filterbank_in_fours() -> list[int]:
    """The weights for four bins at a time, each gap filled up with bins without weight: the lower band's, the rest."""
    starts, weights = filterbank()
    numbers = []
    for start, end in pairwise(starts):
        for at in range(start, end, 4):
            lower = [weights[k - starts[0]] if k < end else None for k in range(at, at + 4)]
            numbers += [weight or 0 for weight in lower]
            numbers += [0 if weight is None else 2**WEIGHT_BITS - weight for weight in lower]
    return numbers


def gain(noise: int) -> int:
    """The gain 2^21 (noise + 80)^-0.95 of PCAN for a noise estimate, an int16."""
    base = float32(noise) / float32(1 << INPUT_BITS) + float32(GAIN_OFFSET)
    power = float32(math.pow(float(base), -float(float32(GAIN_STRENGTH))))
    return min(int(float32(1 << GAIN_BITS) * power + float32(0.5)), 32767)


def gain_curve() -> tuple[list[int], list[int]]:
    """The gain on [2^i, 2^(i+1)) as a parabola through both ends and the middle: value and slope, and bend; i > 0."""
    lines, bends = [0], [0]
    for octave in range(1, 32):
        start = 1 << octave
        end = 2 * start if octave < 31 else 2 * start - 1
        at_start, at_middle, at_end = gain(start), gain(start + start // 2), gain(end)
        slope = 4 * (at_middle - at_start) - (at_end - at_start)
        lines.append(_together(at_start, slope))
        bends.append(at_end - at_start - slope)
    return lines, bends


def log_bow() -> list[int]:
    """By how much log2(1 + x) exceeds x, in Q16, at both ends of 128 segments."""
    segments = 1 << LOG_SEGMENT_BITS
    points = (i / segments for i in range(segments + 1))
    return [_together(*ends) for ends in pairwise(_nearest((math.log2(1 + x) - x) * 2**LOG_BITS) for x in points)]


def _together(lower: int, upper: int) -> int:
    """Two numbers of 16 bits as one: lanes look them up at once."""
    return lower & 0xFFFF | (upper & 0xFFFF) << 16


def _nearest(value: float) -> int:
    """Round to the nearest integer, halves up."""
    return math.floor(float(value) + 0.5)


def c_array(declaration: str, numbers: Iterable[int]) -> str:
    """One C definition, its numbers in lines of at most 120 characters."""
    lines, line = [], "   "
    for number in numbers:
        word = f" {number},"
        if len(line) + len(word) > 120:
            lines.append(line)
            line = "   "
        line += word
    return "\n".join([f"const {declaration} = {{", *lines, line, "};"])


def source() -> str:
    """The text of frontend_tables.c."""
    starts, weights = filterbank()
    lines, bends = gain_curve()
    assert (gain(0), gain(1)) == (32636, 32633), "these are numbers in frontend_tables.h"
    arrays = [
        c_array("int16_t tr_window[TR_WINDOW]", window()),
        c_array("int16_t tr_twiddles[3 * 6 * 64]", stage_twiddles()),
        c_array("int16_t tr_real_twiddles[2 * 128]", real_twiddles()),
        c_array("int16_t tr_turns[2 * 32 * 23]", turns()),
        c_array("uint16_t tr_gap_starts[TR_BANDS + 2]", starts),
        c_array("int16_t tr_weights[TR_BINS]", weights),
        c_array("int32_t tr_fours[8 * TR_FOURS]", filterbank_in_fours()),
        c_array("uint32_t tr_gain_lines[32]", lines),
        c_array("int32_t tr_gain_bends[32]", bends),
        c_array("uint32_t tr_log_bows[128]", log_bow()),
    ]
    head = "/* Written by frontend_tables.py, which says how: python frontend_tables.py > frontend_tables.c */"
    return "\n\n".join([head + '\n#include "frontend_tables.h"', *arrays]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(source())
