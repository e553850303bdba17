"""The speech front end in C gives the bits of pymicro-features, whatever it hears and however it is cut."""

from __future__ import annotations

import ctypes
import ctypes.util
import math
import random

import numpy as np
import pytest

from device_runtime.frontends.micro import MicroFrames
from device_runtime.frontends.speech import to_int16
from device_runtime.recordings import list_recordings, read_audio
from frontend_library import BANDS, HOP, KINDS, build, frontend_tables

RECORDINGS = 200


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
