"""Samples to scores in one call: the extension's front end and network give what the Python ones give."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from array import array

import numpy as np
import pytest

from device_runtime import arithmetic, extension, flat
from device_runtime.frontends.micro import MicroFrames
from device_runtime.frontends.speech import NativeFrames, SpeechFrontend, to_int16
from models import LABELS, tiny_model
from processes import environment
from sounds import RATE, babble

_native = pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")

LOUD = to_int16(babble(3.0))


def speech_model(stack=5, seed=0):
    return tiny_model(seed, (("dense", 16, 20, 20), ("gru", 24)), 40 * stack)


def open_stream(model, stride=3):
    return _native.Model(flat.to_bytes(model, stride=stride)).stream()


def scores_of(model, samples, stride=3):
    """By the reference, on the frames of the Python front end."""
    stack, state, scores = model.feature_size // 40, model.initial_state(), []
    for frame in SpeechFrontend(stack=stack, stride=stride).push(samples.astype(np.float32) / np.float32(32768)):
        step, state = arithmetic.step(model, frame.values, state)
        scores.append(step)
    return np.stack(scores)


def rows(answer):
    return np.frombuffer(bytes(answer), np.float32).reshape(-1, len(LABELS))


@pytest.mark.parametrize(("stack", "stride"), [(5, 3), (1, 1), (3, 7), (8, 1), (1, 256)])
@pytest.mark.parametrize("chunk", [1, 160, 333, 48_000])
def test_frames_of_the_extension_are_those_of_pymicro_features(stack, stride, chunk):
    pytest.importorskip("pymicro_features", reason="the frames are compared with those of pymicro-features")
    ours, theirs = NativeFrames(_native.Frontend(stack, stride), 40 * stack), MicroFrames(stack, stride)
    for _ in range(2):  # the second time after a reset
        pieces = [ours.push(LOUD[at : at + chunk]) for at in range(0, len(LOUD), chunk)]
        assert np.array_equal(np.concatenate(pieces), theirs.push(LOUD).reshape(-1, 40 * stack))
        ours.reset()
        theirs.reset()


def test_the_speech_front_end_needs_no_package_where_the_extension_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymicro_features", None)
    assert len(SpeechFrontend().push(babble(1.0))) == 32


def test_without_the_extension_pymicro_features_makes_the_same_frames(monkeypatch):
    pytest.importorskip("pymicro_features", reason="it takes over where the extension is not built")
    ours = SpeechFrontend().push(babble(1.0))
    monkeypatch.setattr(extension, "NAME", "device_runtime.native.not_there")
    theirs = SpeechFrontend().push(babble(1.0))
    assert [frame.time_s for frame in ours] == [frame.time_s for frame in theirs]
    assert np.array_equal([frame.values for frame in ours], [frame.values for frame in theirs])


@pytest.mark.parametrize(("stack", "stride"), [(5, 3), (1, 1), (3, 7)])
@pytest.mark.parametrize("kernel", _native.kernels())
def test_scores_of_a_push_are_those_of_the_reference(kernel, stack, stride):
    model = speech_model(stack)
    stream = _native.Model(flat.to_bytes(model), kernel).stream(stride)
    assert rows(stream.push(LOUD)).tobytes() == scores_of(model, LOUD, stride).tobytes()


@pytest.mark.parametrize("largest", [1, 7, 161, 480, 3000])
def test_chunks_do_not_change_the_scores(largest):
    model, cuts = speech_model(), random.Random(largest)
    whole, stream = open_stream(model).push(LOUD), open_stream(model)
    pieces, at = bytearray(), 0
    while at < len(LOUD):
        size = cuts.randint(0, largest) if largest > 1 else 1
        pieces += stream.push(LOUD[at : at + size])
        at += size
    assert pieces == whole
    assert len(rows(whole)) == 98


def test_a_reset_stream_equals_a_new_one():
    stream = open_stream(speech_model())
    first = stream.push(LOUD)
    stream.push(LOUD[:12_345])
    stream.reset()
    assert stream.push(LOUD) == first


def test_streams_of_a_model_do_not_disturb_each_other():
    model = _native.Model(flat.to_bytes(speech_model(), stride=3))
    sounds = [to_int16(babble(1.0, seed)) for seed in range(4)]
    alone = [model.stream().push(sound) for sound in sounds]
    streams, together = [model.stream() for _ in sounds], [bytearray() for _ in sounds]
    del model  # each keeps what it needs
    for at in range(0, RATE, 1_000):
        for stream, sound, pieces in zip(streams, sounds, together, strict=True):
            pieces += stream.push(sound[at : at + 1_000])
    assert together == alone


@pytest.mark.parametrize("samples", [array("h", LOUD), LOUD.tobytes(), bytearray(LOUD), memoryview(LOUD), LOUD])
def test_samples_may_be_any_buffer_of_int16(samples):
    assert rows(open_stream(speech_model()).push(samples)).tobytes() == scores_of(speech_model(), LOUD).tobytes()


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(9, np.float32), r"samples must hold int16 values or bytes, got the format 'f'"),
        (bytes(9), r"samples must have 1 values a step, got 9 bytes"),
        (memoryview(bytes(9))[1:], r"samples must begin at an address that is a multiple of 2"),
        (LOUD[::2], r"samples must be a contiguous buffer, such as a NumPy array or a bytearray"),
        ([0, 0], r"samples must be a contiguous buffer, such as"),
    ],
)
def test_samples_that_cannot_be_used_are_told_why(samples, message):
    with pytest.raises(ValueError, match=message):
        open_stream(speech_model()).push(samples)


def odd_samples():
    """Every step and middle between steps of int16 and its neighbours, and what lies beyond."""
    middles = np.arange(-2 * 32_769, 2 * 32_769, dtype=np.float32) / np.float32(2 * 32_768)
    beyond = np.array([0, -0.0, 1, -1, 1.5, -1.5, 1e30, -1e30, 3e38, -3e38, 1e-42, -1e-42], np.float32)
    exact = np.concatenate([middles, beyond, babble(1.0)])
    return np.concatenate([exact, np.nextafter(exact, np.float32(9)), np.nextafter(exact, np.float32(-9))])


def test_floats_are_rounded_as_the_front_end_does_in_python():
    samples = odd_samples()
    scores = open_stream(speech_model()).push_floats(samples)
    assert scores.shape == (len(scores), len(LABELS))
    assert scores.tobytes() == bytes(open_stream(speech_model()).push(to_int16(samples)))
    frames = _native.Frontend(5, 3).push_floats(samples)
    assert frames.tobytes() == bytes(_native.Frontend(5, 3).push(to_int16(samples)))


@pytest.mark.parametrize("largest", [1, 161, 799, 3000])
def test_chunks_of_floats_do_not_change_the_scores(largest):
    samples, cuts = babble(2.0), random.Random(largest)
    whole, stream = open_stream(speech_model()).push_floats(samples), open_stream(speech_model())
    pieces, at = [], 0
    while at < len(samples):
        size = cuts.randint(0, largest) if largest > 1 else 1
        pieces.append(stream.push_floats(samples[at : at + size]))
        at += size
    assert np.concatenate(pieces).tobytes() == whole.tobytes()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_floats_that_are_no_numbers_are_refused_and_leave_no_trace(value):
    stream, samples = open_stream(speech_model()), babble(1.0)
    broken = samples.copy()
    broken[-1] = value
    with pytest.raises(ValueError, match="samples must be finite numbers"):
        stream.push_floats(broken)
    assert stream.push_floats(samples).tobytes() == open_stream(speech_model()).push_floats(samples).tobytes()


def test_a_model_that_hears_no_speech_says_so():
    deaf = _native.Model(flat.to_bytes(tiny_model(0, (("gru", 3),), 41)))
    with pytest.raises(ValueError, match="the model takes frames of 41 numbers; those of speech are multiples of 40"):
        deaf.stream(3)


def test_a_file_without_a_stride_says_so():
    model = _native.Model(flat.to_bytes(speech_model()))
    assert model.stride == 0
    with pytest.raises(ValueError, match="its file does not say how far apart frames of speech are; give a stride"):
        model.stream()


@pytest.mark.parametrize("stride", [-1, 65_537])
def test_a_stride_out_of_range_is_refused(stride):
    with pytest.raises(ValueError, match="stream takes a stride of 1 to 65536, or 0 for the file's"):
        _native.Model(flat.to_bytes(speech_model())).stream(stride)


@pytest.mark.parametrize(("stack", "stride"), [(0, 1), (1, 0), (1639, 1), (1, 65_537)])
def test_a_front_end_out_of_range_is_refused(stack, stride):
    with pytest.raises(ValueError, match=f"stack must be 1 to 1638 and stride 1 to 65536, got {stack} and {stride}"):
        _native.Frontend(stack, stride)


def test_a_long_push_lets_other_threads_run_and_keeps_them_out_of_its_stream():
    stream, samples = open_stream(speech_model()), np.tile(LOUD, 600)  # half an hour
    thread = threading.Thread(target=stream.push, args=(samples,))
    thread.start()
    time.sleep(0.03)  # it takes ten times as long
    line = "another thread is pushing into this stream; give each a stream of its own"
    for use in (lambda: stream.push(b""), stream.reset):
        with pytest.raises(RuntimeError, match=line):
            use()
    thread.join()
    stream.reset()


WITHOUT_NUMPY = """
import array, sys
sys.modules["numpy"] = None
from device_runtime.native import _native

model = _native.Model(open(sys.argv[1], "rb").read())
stream = model.stream()
samples = array.array("h", open(sys.argv[2], "rb").read())
scores = bytearray()
for at in range(0, len(samples), 1000):
    scores += stream.push(samples[at : at + 1000])
print(",".join(model.labels), scores.hex())
"""


def test_a_bundle_runs_where_numpy_cannot_be_imported(tmp_path):
    model = speech_model()
    (tmp_path / "model.native").write_bytes(flat.to_bytes(model, LABELS, stride=3))
    (tmp_path / "sound.raw").write_bytes(LOUD.tobytes())
    program = [sys.executable, "-c", WITHOUT_NUMPY, str(tmp_path / "model.native"), str(tmp_path / "sound.raw")]
    answer = subprocess.run(program, env=environment(), cwd=tmp_path, capture_output=True, text=True, check=True)
    labels, scores = answer.stdout.split()
    assert labels == ",".join(LABELS)
    assert bytes.fromhex(scores) == scores_of(model, LOUD).tobytes()
