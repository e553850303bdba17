"""The speech front end in C computes its tables and bands as the formulas say, in integers without a size."""

from __future__ import annotations

import ctypes
import hashlib
import math

import numpy as np
import pytest

from frontend_library import BANDS, KINDS, NATIVE, build, frontend_tables

TABLES = {  # type, and how many numbers each has
    "tr_window": (ctypes.c_int16, 480),
    "tr_twiddles": (ctypes.c_int16, 1152),
    "tr_real_twiddles": (ctypes.c_int16, 256),
    "tr_turns": (ctypes.c_int16, 1472),
    "tr_gap_starts": (ctypes.c_uint16, 42),
    "tr_weights": (ctypes.c_int16, 236),
    "tr_fours": (ctypes.c_int32, 608),
    "tr_gain_lines": (ctypes.c_uint32, 32),
    "tr_gain_bends": (ctypes.c_int32, 32),
    "tr_log_bows": (ctypes.c_uint32, 128),
}
TABLES_SHA256 = "7405fc87b347089b171e89e5eeb0dc7c173617d36e78a30a21261d6be14d8d58"


@pytest.fixture(scope="module", params=KINDS)
def library(request, tmp_path_factory):
    return build(tmp_path_factory.mktemp("frontend"), KINDS[request.param])


def test_the_tables_are_these_integers(library):
    text = b"".join(bytes((kind * count).in_dll(library.c, name)) for name, (kind, count) in TABLES.items())
    assert hashlib.sha256(text).hexdigest() == TABLES_SHA256


def random_energies(random):
    """Of any size, neighbours alike or not; now and then as large as an int32, and once what no transform gives."""
    sizes = random.integers(0, 32, 256) if random.random() < 0.5 else np.full(256, random.integers(0, 32))
    return (random.integers(0, 1 << 31, 256) >> sizes).astype(np.int32)


def expected_bands(energies, shift, noise):
    """The second half of the front end in integers without a size, band by band."""
    starts, weights = frontend_tables.filterbank()
    features, below = [], 0
    for gap in range(BANDS + 1):
        bins = [int(energy) for energy in energies[starts[gap] : starts[gap + 1]]]
        given = weights[starts[gap] - starts[0] :]
        weighed = sum(energy * weight for energy, weight in zip(bins, given, strict=False))
        square, below = below + weighed, (sum(bins) << 12) - weighed
        if gap > 0:
            features.append(expected_band(square, shift, noise, gap - 1))
    return np.array(features, np.float32)


def expected_band(square, shift, noise, band):
    root = math.isqrt(square)
    root += square - root * root > root and root != 65535 + (square >= 1 << 32) * (2**32 - 65536)
    signal, smoothing = root >> shift, (409, 983)[band % 2]
    scaled = (signal << 10) % 2**32
    noise[band] = (scaled * smoothing + int(noise[band]) * (16384 - smoothing)) >> 14
    left = max(scaled - int(noise[band]), 0) >> 10
    ratio = max(left, signal * 819 >> 14) * expected_gain(int(noise[band])) % 2**38 >> 6
    loud = ratio * ratio % 2**32 >> 20 if ratio < 8192 else (ratio >> 6) - 64
    return expected_logarithm(loud * 8 % 2**32) * 10 / 256


def expected_gain(noise):
    if noise < 2:
        return frontend_tables.gain(noise)
    octave = noise.bit_length() - 1
    start, end, middle = 1 << octave, min(2 << octave, 2**32 - 1), 3 << octave >> 1
    at_start, at_middle, at_end = (frontend_tables.gain(noise) for noise in (start, middle, end))
    slope = 4 * (at_middle - at_start) - (at_end - at_start)
    place = (noise - start << 10) >> octave
    turned = ((at_end - at_start - slope) * place >> 5) + slope * 32
    return at_start + ((turned * place + (1 << 14)) >> 15)


def expected_logarithm(value):
    if value < 2:
        return 0
    octave = value.bit_length() - 1
    place = (value - (1 << octave) << 16) >> octave
    bow, after = (
        math.floor((math.log2(1 + x) - x) * 65536 + 0.5) for x in ((place >> 9) / 128, ((place >> 9) + 1) / 128)
    )
    log_2 = (octave << 16) + place + bow + ((after - bow) * (place & 511) >> 16)
    return (((45426 * log_2 + 32768) >> 16 << 6) + 32768) >> 16


def test_bands_of_any_energies_are_those_of_the_formulas(library):
    random = np.random.default_rng(0)
    ours, theirs = np.zeros(BANDS, np.uint32), np.zeros(BANDS, np.uint32)
    features = np.zeros(BANDS, np.float32)
    for case in range(600):
        if case % 50 == 0:
            ours[:] = theirs[:] = random.integers(0, 1 << 32, BANDS) >> random.integers(0, 33, BANDS)
        energies, shift = random_energies(random), int(random.integers(0, 16))
        pointers = (ctypes.c_void_p(values.ctypes.data) for values in (ours, features))
        library.c.tr_frontend_bands(ctypes.c_void_p(energies.ctypes.data), shift, *pointers)
        assert features.tobytes() == expected_bands(energies, shift, theirs).tobytes()
        assert np.array_equal(ours, theirs)


def test_the_tables_are_those_that_their_formulas_give():
    assert (NATIVE / "frontend_tables.c").read_text() == frontend_tables.source()
