"""Front ends: the same frames for any chunk size, after any reset, and clear words for samples that cannot be used."""

import sys

import numpy as np
import pytest

from device_runtime.errors import EngineError, InputError
from device_runtime.frontends.speech import SpeechFrontend, to_int16


@pytest.fixture
def speech():
    pytest.importorskip("pymicro_features", reason="the speech front end needs pymicro-features")
    return SpeechFrontend(stack=5, stride=3)


def noise(seconds, seed=0):
    samples = np.random.default_rng(seed).normal(0, 0.1, int(16_000 * seconds)).astype(np.float32)
    return samples * np.linspace(0, 1, len(samples), dtype=np.float32)


def same(frames, others):
    assert len(frames) == len(others)
    return all(np.array_equal(a.values, b.values) and a.time_s == b.time_s for a, b in zip(frames, others, strict=True))


@pytest.mark.parametrize("chunk", [1, 7, 160, 333])
def test_speech_frames_do_not_depend_on_the_chunks(speech, chunk):
    samples = noise(0.5)
    whole = speech.push(samples)
    speech.reset()
    pieces = [frame for at in range(0, len(samples), chunk) for frame in speech.push(samples[at : at + chunk])]
    assert same(pieces, whole)
    assert np.any(whole[-1].values != 0)


def test_a_reset_speech_front_end_equals_a_new_one(speech):
    samples = noise(1.0)
    first = speech.push(samples)
    speech.push(noise(0.777, seed=1))
    speech.reset()
    assert same(speech.push(samples), first)


def test_speech_frames_come_every_stride_once_the_stack_is_full(speech):
    frames = speech.push(noise(1.0))
    # the first vector is complete after 30 ms, the fifth after 70 ms
    assert [frame.time_s for frame in frames[:3]] == [0.07, 0.10, 0.13]
    assert speech.frame_s == 0.03
    assert all(frame.values.shape == (speech.feature_size,) for frame in frames)
    assert all(frame.values.dtype == np.float32 for frame in frames)


def test_speech_frames_hold_each_band_from_oldest_to_newest(speech):
    samples = noise(1.0)
    single = SpeechFrontend(stack=1, stride=1).push(samples)
    frame = speech.push(samples)[4]
    vectors = [vector.values for vector in single if vector.time_s <= frame.time_s][-5:]
    assert np.array_equal(frame.values.reshape(40, 5), np.stack(vectors, axis=1))


@pytest.mark.parametrize("samples", [np.zeros(16_000, np.float32), np.zeros(0, np.float32)])
def test_silence_and_nothing_are_fine(speech, samples):
    assert all(np.isfinite(frame.values).all() for frame in speech.push(samples))


def test_int16_rounds_half_up_and_clips():
    values = np.array([0, 1, -1, 3e38, -3e38, 0.5 / 32768, -0.5 / 32768], np.float32)
    assert to_int16(values).tolist() == [0, 32767, -32768, 32767, -32768, 1, 0]


def test_samples_that_are_no_finite_numbers_are_located_and_counted(speech):
    samples = noise(0.1)
    samples[[40, 50]] = np.nan, np.inf
    with pytest.raises(InputError, match=r"sample 40 of the chunk is nan \(2 of 1600 samples .*nan_to_num"):
        speech.push(samples)


def test_refused_samples_leave_no_trace(speech):
    whole = speech.push(noise(0.5))
    speech.reset()
    with pytest.raises(InputError):
        speech.push(np.full(777, np.nan, np.float32))
    assert same(speech.push(noise(0.5)), whole)


@pytest.mark.parametrize("dtype", [np.float64, np.int16])
def test_other_samples_than_float32_are_told_how_to_become_it(speech, dtype):
    with pytest.raises(InputError, match=r"must be float32 in -1..1, got .*astype\('float32'\) / 32768"):
        speech.push(np.zeros(100, dtype))


def test_more_channels_than_one_are_told_how_to_become_one(speech):
    with pytest.raises(InputError, match=r"must be one channel.*got shape \(100, 2\).*mean\(axis=1\)"):
        speech.push(np.zeros((100, 2), np.float32))


@pytest.mark.parametrize("setting", ["sample_rate_hz", "window_ms", "hop_ms", "bands"])
def test_the_micro_front_end_has_fixed_settings(setting):
    with pytest.raises(InputError, match=f"the speech front end has {setting} = .*, got 11"):
        SpeechFrontend(**{setting: 11})


def test_a_stack_has_at_least_one_vector():
    with pytest.raises(InputError, match="needs stack and stride of at least 1, got 0 and 3"):
        SpeechFrontend(stack=0)


def test_without_pymicro_features_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymicro_features", None)
    with pytest.raises(EngineError, match=r"needs pymicro-features.*pip install tinyrnn-runtime\[speech\]"):
        SpeechFrontend()
