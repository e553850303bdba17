"""The speech front end in C gives the bits of pymicro-features, whatever it hears and however it is cut."""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import importlib.util
import math
import os
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from device_runtime.frontends.micro import MicroFrames
from device_runtime.frontends.speech import to_int16
from device_runtime.recordings import list_recordings, read_audio

NATIVE = Path(__file__).parent.parent / "device_runtime" / "native"  # of the checkout: a wheel carries no sources
STRICT = ["-O2", "-ffp-contract=off", "-std=c99", "-Wall", "-Wextra", "-Werror"]
KINDS = {"the processor's vectors": [], "any processor": ["-DTR_NO_AVX2"]}

BANDS, WINDOW, HOP = 40, 480, 160
GUARD = 64
RECORDINGS = 200

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


def tables_source():
    """The module that computes the tables, from the checkout."""
    spec = importlib.util.spec_from_file_location("frontend_tables", NATIVE / "frontend_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


frontend_tables = tables_source()


class Library:
    """The compiled front end; calls go through ctypes."""

    def __init__(self, path):
        self.c = ctypes.CDLL(str(path))
        self.c.tr_frontend_size.restype = ctypes.c_size_t
        self.size = self.c.tr_frontend_size()

    def open(self):
        return Stream(self.c, self.size)


class Stream:
    """One front end, between guard bytes that no call may touch."""

    def __init__(self, c, size):
        self.c = c
        self.memory = (ctypes.c_ubyte * (size + 2 * GUARD))(*[0xA5] * (size + 2 * GUARD))
        self.frontend = ctypes.c_void_p(ctypes.addressof(self.memory) + GUARD)
        c.tr_frontend_init(self.frontend)

    def guarded(self):
        return set(self.memory[:GUARD] + self.memory[-GUARD:]) == {0xA5}

    def reset(self):
        self.c.tr_frontend_reset(self.frontend)

    def push(self, samples):
        """All vectors, (n, 40), that these samples complete."""
        samples = np.ascontiguousarray(samples, np.int16)
        vectors = np.full((len(samples) // HOP + 2, BANDS), np.nan, np.float32)
        taken, ready, used = 0, 0, ctypes.c_size_t()
        while True:
            at, left = samples.ctypes.data + 2 * taken, len(samples) - taken
            to = vectors.ctypes.data + 4 * BANDS * ready
            ready += self.c.tr_frontend_push(
                self.frontend, ctypes.c_void_p(at), ctypes.c_size_t(left), ctypes.byref(used), ctypes.c_void_p(to)
            )
            taken += used.value
            if taken == len(samples):
                assert np.isnan(vectors[ready:]).all(), "a vector was written that was not announced"
                return vectors[:ready]


def build(folder, flags):
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("needs a C compiler: install one, or name it in CC")
    sources = [str(path) for pattern in ("frontend*.c", "fft*.c") for path in sorted(NATIVE.glob(pattern))]
    library = folder / "frontend.so"
    command = [compiler, *STRICT, *flags, "-shared", "-fPIC", *sources, "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    return Library(library)


@pytest.fixture(scope="module", params=KINDS)
def library(request, tmp_path_factory):
    return build(tmp_path_factory.mktemp("frontend"), KINDS[request.param])


def tables_of_this_c_library():
    """Whether pymicro-features makes here the tables that it makes with glibc 2.36: log1pf decides, see mel()."""
    name = ctypes.util.find_library("m")
    if not name:
        return False
    log1pf = ctypes.CDLL(name).log1pf
    log1pf.restype, log1pf.argtypes = ctypes.c_float, [ctypes.c_float]
    ratio = np.float32(frontend_tables.HIGHEST_HZ) / np.float32(700)
    return log1pf(ratio) == np.nextafter(np.float32(math.log1p(ratio)), np.float32(np.inf))


@pytest.fixture(scope="module")
def reference():
    pymicro = pytest.importorskip("pymicro_features", reason="the features are compared with pymicro-features")
    if not tables_of_this_c_library():
        pytest.skip("pymicro-features takes log1pf from the C library; here it is another one than that of glibc 2.36")

    def vectors(samples):
        frontend, audio = pymicro.MicroFrontend(), np.asarray(samples, "<i2").tobytes()
        whole = len(audio) - len(audio) % (2 * HOP)
        hops = (audio[at : at + 2 * HOP] for at in range(0, whole, 2 * HOP))
        rows = [features for hop in hops if (features := frontend.process_samples(hop).features)]
        return np.array(rows, np.float64).reshape(-1, BANDS)

    return vectors


def rng(seed):
    return np.random.default_rng(seed)


def clipped(samples):
    return np.clip(np.rint(samples), -32768, 32767).astype(np.int16)


def noise(level, count=16_000, seed=0):
    return clipped(rng(seed).normal(0, level, count))


def sine(hz, level, count=8_000):
    return clipped(level * np.sin(2 * np.pi * hz / 16_000 * np.arange(count)))


def square(half_period, count=8_000):
    return np.where(np.arange(count) // half_period % 2, 32767, -32768).astype(np.int16)


def chirp(low, high, level, count=32_000):
    phase = np.cumsum(np.geomspace(low, high, count)) / 16_000
    return clipped(level * np.sin(2 * np.pi * phase))


def impulses(level, count=16_000, seed=0):
    samples = np.zeros(count, np.int16)
    samples[rng(seed).integers(0, count, 40)] = level
    return samples


def extremes(seed, count=16_000):
    """Only the largest and the smallest sample: sums wrap around in the transform."""
    return rng(seed).choice(np.array([-32768, 32767], np.int16), count)


def mixed(seconds, seed=0):
    parts = rng(seed)
    pieces, left = [], seconds * 16_000
    while left > 0:
        count = min(int(parts.integers(100, 16_000)), left)
        level = float(2 ** parts.uniform(0, 15.5))
        kind = int(parts.integers(0, 6))
        pieces.append(
            [
                noise(level, count, seed=left),
                sine(parts.uniform(20, 8_000), level, count),
                square(int(parts.integers(1, 200)), count),
                np.zeros(count, np.int16),
                chirp(20, 8_000, level, count),
                np.full(count, int(level) - 32768, np.int16),
            ][kind]
        )
        left -= count
    return np.concatenate(pieces)


SOUNDS = {
    "silence": np.zeros(16_000, np.int16),
    "nearly silence": rng(0).integers(-1, 2, 16_000).astype(np.int16),
    "the smallest constant": np.full(8_000, -32768, np.int16),
    "all levels at once": rng(0).integers(-32768, 32768, 32_000).astype(np.int16),
    "a minute of everything": mixed(60),
    **{f"constant {level}": np.full(4_000, level, np.int16) for level in (1, -1, 100, 32767, -32767)},
    **{f"square wave {half}": square(half) for half in (1, 2, 3, 4, 7, 8, 16, 33, 80, 127, 240)},
    **{f"impulses {level}": impulses(level) for level in (1, -1, 8, 1000, 32767, -32767, -32768)},
    **{f"noise {level}": noise(level) for level in (0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000)},
    **{f"sine {hz} Hz": sine(hz, 20_000) for hz in (31.25, 125, 440, 997, 1000, 3141.6, 4000, 5678, 7500, 7999)},
    **{f"sine of {level}": sine(1234.5, level) for level in (1, 2, 5, 20, 100, 500, 2500, 12_000, 32767)},
    **{f"chirp of {level}": chirp(20, 8_000, level) for level in (3, 300, 30_000)},
    **{f"extremes {seed}": extremes(seed) for seed in range(4)},
    "after loud, quiet": np.concatenate([noise(20_000, 16_000), noise(2, 32_000), noise(20_000, 8_000)]),
}


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


@pytest.mark.parametrize("sound", SOUNDS)
def test_no_feature_differs_from_pymicro_features(library, reference, sound):
    ours, theirs = library.open().push(SOUNDS[sound]), reference(SOUNDS[sound])
    assert ours.shape == theirs.shape == (len(SOUNDS[sound]) // HOP - 2, BANDS)
    assert np.count_nonzero(ours != theirs) == 0


@pytest.mark.parametrize("largest", [1, 7, 159, 160, 161, 480, 481, 3000])
def test_chunks_do_not_change_the_features(library, largest):
    samples, cuts = mixed(1, seed=largest), random.Random(largest)
    whole = library.open().push(samples)
    stream, pieces, at = library.open(), [], 0
    while at < len(samples):
        size = cuts.randint(0, largest) if largest > 1 else 1
        pieces.append(stream.push(samples[at : at + size]))
        at += size
    assert np.array_equal(np.concatenate(pieces), whole)
    assert len(whole) == 98
    assert stream.guarded()


@pytest.mark.parametrize("heard", [1, 479, 480, 12_345])
def test_after_a_reset_it_is_like_new(library, heard):
    samples, stream = noise(1000, seed=1), library.open()
    fresh = stream.push(samples)
    stream.push(noise(20_000, heard, seed=2))
    stream.reset()
    assert np.array_equal(stream.push(samples), fresh)


def test_streams_do_not_disturb_each_other(library):
    sounds = [noise(10.0**level, seed=level) for level in range(5)]
    alone = [library.open().push(sound) for sound in sounds]
    streams = [library.open() for _ in sounds]
    together = [[] for _ in sounds]
    for at in range(0, 16_000, 1_000):
        for stream, sound, pieces in zip(streams, sounds, together, strict=True):
            pieces.append(stream.push(sound[at : at + 1_000]))
    assert all(np.array_equal(np.concatenate(p), a) for p, a in zip(together, alone, strict=True))


def test_a_stream_takes_less_than_5_kilobytes(library):
    assert library.size < 5_000


@pytest.mark.parametrize(("stack", "stride"), [(5, 3), (1, 1), (3, 7), (2, 2), (8, 1)])
def test_stacked_frames_are_those_of_the_python_front_end(library, reference, stack, stride):
    samples = mixed(2, seed=5)
    frames = MicroFrames(stack, stride).push(samples)
    memory = np.zeros((stack, BANDS), np.float32)
    stacked = (ctypes.c_uint64 * 8)()  # a TrStack
    library.c.tr_stack_init(stacked, stack, stride, ctypes.c_void_p(memory.ctypes.data))
    made, frame = [], np.zeros(BANDS * stack, np.float32)
    for vector in library.open().push(samples):
        if library.c.tr_stack_push(stacked, ctypes.c_void_p(vector.ctypes.data), ctypes.c_void_p(frame.ctypes.data)):
            made.append(frame.copy())
    assert np.array_equal(np.stack(made), frames)


@pytest.fixture(scope="module")
def recordings(reference, real_data):
    """Real recordings, chosen by chance, and the features of pymicro-features."""
    pytest.importorskip("soundfile", reason="recordings are read with soundfile")
    paths = []
    for name in ("speech_commands_v0.02", "arabic_speech_commands"):
        listed = [recording.path for recording in list_recordings(real_data / "speech" / name)]
        paths += random.Random(0).sample(listed, RECORDINGS // 2)
    sounds = {path: to_int16(read_audio(path)) for path in paths}
    return {path: (samples, reference(samples)) for path, samples in sounds.items()}


def test_no_feature_of_a_recording_differs(library, recordings):
    wrong = [
        p.name
        for p, (samples, theirs) in recordings.items()
        if not np.array_equal(library.open().push(samples), theirs)
    ]
    assert len(recordings) == RECORDINGS
    assert wrong == []
