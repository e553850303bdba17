"""The engine as a plain C library: it builds without a warning, allocates nothing once opened, and gives the bits."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from device_runtime import Session, arithmetic, flat, golden
from device_runtime.frontends.speech import SpeechFrontend, to_int16
from device_runtime.pack import pack
from models import LABELS, SPEECH, random_frames, tiny_model
from sounds import RATE, babble, skip_where_nothing_hears, wav_bytes, write_bundle
from streams import FORECASTERS

NATIVE = Path(__file__).parent.parent / "device_runtime" / "native"  # of the checkout: a wheel carries no sources
SOUND = babble(3.0)

ALLOCATIONS = r"""
/* Every allocation of the program, the C library's own included, comes here and is counted. */
#include <stdio.h>
#include <string.h>

#include "tinyrnn.h"

static _Alignas(64) unsigned char heap[16 << 20];
static size_t taken, calls;

void *malloc(size_t size) {
    size_t at = taken;
    taken = (taken + size + 63) / 64 * 64;
    calls++;
    return taken <= sizeof heap ? heap + at : NULL;
}
void *calloc(size_t count, size_t size) { return malloc(count * size); } /* the heap starts as zeros */
void *realloc(void *old, size_t size) {
    void *new = malloc(size);
    return old && new ? memcpy(new, old, size) : new;
}
void free(void *memory) { (void)memory; }

static _Alignas(64) unsigned char file[1 << 20], arena[1 << 20], memory[1 << 16];
static int16_t samples[48000];
static float scores[1024], state[1024];

static void hear(const tinyrnn *model, tinyrnn_stream *stream) {
    for (int at = 0; stream && at < 48000; at += 480) {
        tinyrnn_stream_push(stream, NULL, samples + at, 480, scores);
    }
    if (stream) {
        tinyrnn_stream_reset(stream);
    }
    tinyrnn_reset(model, state);
    tinyrnn_steps(model, NULL, (const float *)(const void *)samples, 3, state, scores);
    tinyrnn_windows(model, NULL, (const float *)(const void *)samples, 2, 5, state, scores);
}

int main(int count, char **names) {
    char error[TINYRNN_ERROR_SIZE];
    FILE *stored = fopen(names[count - 1], "rb");
    size_t size = fread(file, 1, sizeof file, stored), before;
    for (int i = 0; i < 48000; i++) {
        samples[i] = (int16_t)(i * i % 9001 - 4500);
    }
    before = calls;
    tinyrnn *model = tinyrnn_open(file, size, NULL, NULL, 0, error);
    tinyrnn_stream *stream = tinyrnn_stream_open(model, 0, NULL, error);
    size_t opening = calls - before;
    before = calls;
    hear(model, stream);
    size_t hearing = calls - before;
    before = calls;
    model = tinyrnn_open(file, size, NULL, arena, sizeof arena, error);
    stream = tinyrnn_stream_open(model, 0, memory, error);
    hear(model, stream);
    tinyrnn_stream_close(stream);
    tinyrnn_close(model);
    size_t needed = tinyrnn_arena_size(file, size, NULL, error);
    printf("%zu %zu %zu %d\n", opening, hearing, calls - before, needed > 0 && needed <= sizeof arena);
    return 0;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The folder of libtinyrnn.a, libtinyrnn.so and the example; warnings are errors."""
    if not (os.environ.get("CC") or shutil.which("cc")) or not shutil.which("make"):
        pytest.skip("needs make and a C compiler: install them, or name the compiler in CC")
    out = tmp_path_factory.mktemp("library")
    build = ["make", "-s", "-C", str(NATIVE), f"OUT={out}", "CFLAGS=-O2 -Werror"]
    subprocess.run(build, check=True, env={**os.environ, "MAKEFLAGS": ""})
    return out


@pytest.fixture(scope="module")
def speech_bundle(tmp_path_factory):
    skip_where_nothing_hears()
    return write_bundle(tmp_path_factory.mktemp("bundles") / "tiny.bundle", SPEECH)


@pytest.fixture
def stored(speech_bundle, tmp_path):
    pack(speech_bundle, tmp_path / "packed.bundle", "native")
    return tmp_path / "packed.bundle" / flat.FILE


def said(library, *arguments, sound=b""):
    return subprocess.run([library / "example", *arguments], input=sound, capture_output=True, check=False)


def expected_lines(samples):
    """What the example prints, by the reference."""
    model, lines = tiny_model(), []
    state = model.initial_state()
    for frame in SpeechFrontend().push(to_int16(samples).astype(np.float32) / np.float32(32768)):
        scores, state = arithmetic.step(model, frame.values, state)
        words = (f"  {label} {float(score):.4f}" for label, score in zip(LABELS, scores, strict=True))
        lines.append(f"{frame.time_s:7.2f} s" + "".join(words))
    return lines


def test_the_example_prints_the_scores_of_the_reference(library, stored, tmp_path):
    (tmp_path / "sound.wav").write_bytes(wav_bytes(SOUND))
    # as the WAV file has them
    samples = np.frombuffer((tmp_path / "sound.wav").read_bytes()[-2 * len(SOUND) :], "<i2").astype(np.float32) / 32768
    expected = expected_lines(samples)
    assert len(expected) == 98
    for arguments, given in (
        ([stored, tmp_path / "sound.wav"], b""),
        ([stored], wav_bytes(SOUND)),
        ([stored], to_int16(samples).tobytes()),
        ([stored], to_int16(samples).tobytes() + b"\x01"),
    ):
        answer = said(library, *arguments, sound=given)
        assert answer.stderr == b""
        assert answer.stdout.decode().splitlines() == expected


@pytest.mark.parametrize("sound", [b"", b"RIFF", bytes(11), wav_bytes(SOUND)[:60]])
def test_the_example_takes_a_sound_that_ends_at_once(library, stored, sound):
    answer = said(library, stored, sound=sound)
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, b"", b"")


@pytest.mark.parametrize("wrong", [{"rate": 8_000}, {"bits": 8}])
def test_the_example_refuses_another_kind_of_wav(library, stored, tmp_path, wrong):
    (tmp_path / "sound.wav").write_bytes(wav_bytes(SOUND, **wrong))
    answer = said(library, stored, tmp_path / "sound.wav")
    assert answer.returncode == 2
    assert answer.stderr.decode() == f"{tmp_path / 'sound.wav'}: must have 16 kHz, 16 bits and one channel\n"


def test_the_example_says_what_is_wrong_with_a_model(library, tmp_path):
    (tmp_path / "model.native").write_bytes(b"garbage" * 99)
    answer = said(library, tmp_path / "model.native")
    assert answer.stderr.decode() == f"{tmp_path / 'model.native'}: it is no model.native, or it was cut short\n"
    for arguments in ([], [tmp_path / "nowhere"]):
        answer = said(library, *arguments)
        assert answer.returncode == 2
        assert answer.stderr.decode().endswith(": takes MODEL.native [SOUND], files that can be read\n")


@pytest.fixture
def forecaster(tmp_path):
    (tmp_path / "forecaster.native").write_bytes(flat.to_bytes(FORECASTERS["a forecaster"]))
    return tmp_path / "forecaster.native"


@pytest.mark.parametrize(("model", "opening"), [("stored", 2), ("forecaster", 1)])
def test_nothing_is_allocated_after_opening_and_nothing_at_all_in_memory_of_the_program(
    library, model, opening, tmp_path, request
):
    (tmp_path / "allocations.c").write_text(ALLOCATIONS)
    compiler = os.environ.get("CC") or "cc"
    build = [compiler, "-std=c11", "-O2", "-fno-builtin", "-I", NATIVE, tmp_path / "allocations.c"]
    subprocess.run([*build, library / "libtinyrnn.a", "-lm", "-o", tmp_path / "allocations"], check=True)
    stored = request.getfixturevalue(model)
    answer = subprocess.run([tmp_path / "allocations", stored], capture_output=True, text=True, check=True)
    expected = f"{opening} 0 0 1\n"
    assert answer.stdout == expected, "model and stream; none to hear; none where memory is given; the arena is enough"


def test_the_shared_library_shows_its_interface_and_nothing_else(library):
    if not shutil.which("nm"):
        pytest.skip("needs nm, of the binutils")
    lines = subprocess.run(["nm", "-D", "--defined-only", library / "libtinyrnn.so"], capture_output=True, text=True)
    names = {line.split()[-1] for line in lines.stdout.splitlines()}
    header = (NATIVE / "tinyrnn.h").read_text()
    assert {"tinyrnn_open", "tinyrnn_stream_push", "tinyrnn_close"} <= names
    assert all(f"{name}(" in header for name in names)


def test_a_pack_for_the_native_engine_holds_its_file_with_words_and_stride(speech_bundle, tmp_path):
    native = pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")
    manifest = pack(speech_bundle, tmp_path / "packed.bundle", "native")
    assert set(manifest.files) == {"model.npz", "model.native"}
    model = native.Model((tmp_path / "packed.bundle" / flat.FILE).read_bytes())
    assert (model.labels, model.stride) == (LABELS, 3)
    events = [Session.open(folder, "native").push(SOUND) for folder in (speech_bundle, tmp_path / "packed.bundle")]
    assert events[0] == events[1]
    assert len(SOUND) == 3 * RATE


def test_firmware_steps_frames_that_it_makes_itself(library):
    c, model = ctypes.CDLL(str(library / "libtinyrnn.so")), tiny_model(0, (("gru", 9),), 7, 2)
    data = np.frombuffer(flat.to_bytes(model) + bytes(64), np.uint8).copy()
    at = -data.ctypes.data % 64
    data = np.roll(data, at)
    c.tinyrnn_open.restype = ctypes.c_void_p
    size = ctypes.c_size_t(len(data) - 64)
    error = ctypes.create_string_buffer(160)
    opened = ctypes.c_void_p(c.tinyrnn_open(ctypes.c_void_p(data.ctypes.data + at), size, None, None, None, error))
    assert opened.value, error.value
    state, scores = np.zeros(16, np.float32), np.zeros(2, np.float32)
    expected = model.initial_state()
    for frame in random_frames(30, 7):
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (frame, state, scores)]
        c.tinyrnn_steps(opened, None, pointers[0], ctypes.c_size_t(1), pointers[1], pointers[2])
        wanted, expected = arithmetic.step(model, frame, expected)
        assert scores.tobytes() == wanted.tobytes()
        assert state.tobytes() == expected.tobytes()
    c.tinyrnn_close(opened)


def test_firmware_forecasts_from_windows_that_it_makes_itself(library):
    c, model = ctypes.CDLL(str(library / "libtinyrnn.so")), FORECASTERS["a forecaster"]
    data = np.frombuffer(flat.to_bytes(model, ("p10", "p50", "p90")), np.uint8).copy()
    c.tinyrnn_open.restype, c.tinyrnn_label.restype = ctypes.c_void_p, ctypes.c_char_p
    error = ctypes.create_string_buffer(160)
    size = ctypes.c_size_t(len(data))
    opened = ctypes.c_void_p(c.tinyrnn_open(ctypes.c_void_p(data.ctypes.data), size, None, None, None, error))
    assert opened.value, error.value
    frames, state = random_frames(3 * 40, model.feature_size), model.initial_state()
    scores = np.zeros((3, c.tinyrnn_score_count(opened)), np.float32)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (frames, state, scores)]
    c.tinyrnn_windows(opened, None, pointers[0], ctypes.c_size_t(3), ctypes.c_size_t(40), *pointers[1:])
    for window, found in zip(frames.reshape(3, 40, -1), scores, strict=True):
        assert found.tobytes() == golden.record(model, window).scores[-1].tobytes()
    assert [c.tinyrnn_label(opened, at) for at in (0, 24, 71, 72, 359, 360)] == [
        b"p10",
        b"p50",
        b"p90",
        b"p10",
        b"p90",
        b"",
    ]
    c.tinyrnn_close(opened)
