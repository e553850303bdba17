"""Front ends: the same frames for any chunk size, after any reset, and clear words for samples that cannot be used."""

import dataclasses
import sys

import numpy as np
import pytest

from device_runtime import extension
from device_runtime.arithmetic import step
from device_runtime.errors import BundleError, EngineError, InputError
from device_runtime.frontends import WindowFrontend, frontend
from device_runtime.frontends.speech import SpeechFrontend, to_int16
from models import tiny_model
from sounds import skip_where_nothing_hears


@pytest.fixture
def speech():
    skip_where_nothing_hears()
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
    with pytest.raises(InputError, match="needs stack and stride of 1 to 256, got 0 and 3. Choose smaller ones"):
        SpeechFrontend(stack=0)


def test_where_nothing_makes_features_the_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(extension, "NAME", "device_runtime.native.not_there")
    monkeypatch.setitem(sys.modules, "pymicro_features", None)
    line = r"needs the extension in C, .* or pymicro-features, .*C compiler.*pip install \"tinyrnn-runtime\[speech\]\""
    with pytest.raises(EngineError, match=line):
        SpeechFrontend()


def test_samples_that_are_no_array_are_told_how_to_become_one(speech):
    with pytest.raises(InputError, match=r"must be a NumPy array of float32, got list.*numpy\.asarray"):
        speech.push([0.0, 0.1])


NAN = float("nan")


def window(gaps="hold", segment=4):
    return WindowFrontend(interval_s=0.5, mean=[10.0, 0.0], std=[2.0, 1.0], segment=segment, gaps=gaps)


def gappy(rows, seed=0):
    rng = np.random.default_rng(seed)
    samples = rng.normal(10, 3, (rows, 2)).astype(np.float32)
    samples[rng.random((rows, 2)) < 0.3] = np.nan
    return samples


@pytest.mark.parametrize("gaps", ["hold", "interpolate", "mask"])
@pytest.mark.parametrize("chunk", [1, 3, 7])
def test_window_frames_do_not_depend_on_the_chunks(gaps, chunk):
    frontend, samples = window(gaps), gappy(41)
    whole = frontend.push(samples)
    frontend.reset()
    pieces = [frame for at in range(0, 41, chunk) for frame in frontend.push(samples[at : at + chunk])]
    assert same(pieces, whole)
    assert len(whole) == 10
    assert all(frame.values.shape == (frontend.feature_size,) for frame in whole)
    assert all(np.isfinite(frame.values).all() and frame.values.dtype == np.float32 for frame in whole)


def test_window_frames_scale_each_channel_by_its_own_mean_and_deviation():
    samples = np.array([[10, 0], [12, 1], [8, -1], [14, 3]], np.float32)
    frame = window().push(samples)[0]
    assert frame.values.reshape(4, 2).tolist() == [[0, 0], [1, 1], [-1, -1], [2, 3]]
    assert frame.time_s == 2.0


def filled(gaps, *segments):
    frontend = WindowFrontend(1, [0.0], [1.0], segment=4, gaps=gaps)
    return [f.values.tolist() for s in segments for f in frontend.push(np.array(s, np.float32)[:, None])]


def test_held_gaps_keep_the_last_value_across_segments_and_start_at_the_mean():
    held = filled("hold", [NAN, 1, NAN, 3], [NAN, NAN, 5, NAN], [NAN] * 4)
    assert held == [[0, 1, 1, 3], [3, 3, 5, 5], [5, 5, 5, 5]]


def test_interpolated_gaps_lie_on_the_line_between_their_neighbours():
    lines = filled("interpolate", [1, NAN, 3, NAN], [NAN, 6, NAN, NAN], [NAN] * 4, [NAN, NAN, NAN, 16])
    assert lines == [[1, 2, 3, 3], [5, 6, 6, 6], [6, 6, 6, 6], [13, 14, 15, 16]]


def test_masked_gaps_are_the_mean_and_say_so():
    assert filled("mask", [NAN, 7, NAN, 3]) == [[0, 0, 7, 1, 0, 0, 3, 1]]


def test_one_channel_may_come_without_a_second_dimension():
    frontend = WindowFrontend(1, [0.0], [1.0], segment=2)
    assert frontend.push(np.array([1, 2, 3], np.float32))[0].values.tolist() == [1, 2]


@pytest.mark.parametrize("gaps", ["hold", "interpolate", "mask"])
def test_numbers_that_some_engines_flush_are_zero(gaps):
    readings = np.array([1e-31, -1e-38, 1e-45, 1e-29, NAN, -3e-30], np.float32)[:, None]
    values = WindowFrontend(1, [0.0], [1.0], segment=6, gaps=gaps).push(readings)[0].values
    measured = values.reshape(6, -1)[:, 0]
    assert measured[:3].tolist() == [0, 0, 0]
    assert not np.signbit(measured[:3]).any()
    assert (measured[[3, 5]] == readings[[3, 5], 0]).all()
    assert not any(0 < abs(value) < 1e-30 for value in values)


@pytest.mark.parametrize("gaps", ["hold", "interpolate", "mask"])
def test_readings_of_any_size_become_numbers_that_an_engine_can_take(gaps):
    readings = np.array([3e38, -3e38, NAN, 3e38, 1], np.float32)[:, None]
    frontend = WindowFrontend(1, [-1e12], [1e-12], segment=5, gaps=gaps)
    model = dataclasses.replace(tiny_model(0, (), frontend.feature_size, 2), input_gain=np.float32(1e9))
    state = model.initial_state()
    with np.errstate(over="raise", invalid="raise"):
        values = frontend.push(readings)[0].values
        for _ in range(2):
            scores, state = step(model, values, state)
            assert all(np.isfinite(array).all() for array in (values, scores, state))


def test_infinite_readings_are_located():
    samples = np.zeros((5, 2), np.float32)
    samples[3, 1] = -np.inf
    with pytest.raises(InputError, match=r"sample 3 of the chunk is infinite \(1 values are\)"):
        window().push(samples)


def test_readings_of_another_shape_say_which_is_expected():
    with pytest.raises(InputError, match=r"must have shape \(n, 2\), one column a channel, got \(5, 3\)"):
        window().push(np.zeros((5, 3), np.float32))


WRONG = {
    "needs an interval above 0": {"interval_s": 0, "mean": [0.0], "std": [1.0], "segment": 4},
    "a segment of at least 1 sample, got 1 s and 0": {"interval_s": 1, "mean": [0.0], "std": [1.0], "segment": 0},
    "needs one mean and one std above 0": {"interval_s": 1, "mean": [0.0], "std": [0.0], "segment": 4},
    "fills gaps by hold, interpolate, mask, got 'zero'": {
        "interval_s": 1,
        "mean": [0.0],
        "std": [1.0],
        "segment": 4,
        "gaps": "zero",
    },
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_settings_of_a_window_are_named(message):
    with pytest.raises(InputError, match=message):
        WindowFrontend(**WRONG[message])


def test_a_manifest_describes_a_front_end():
    settings = {"kind": "window", "interval_s": 1, "mean": [0.0], "std": [1.0], "segment": 4}
    assert isinstance(frontend(settings), WindowFrontend)


def test_an_unknown_kind_names_those_that_are_known():
    with pytest.raises(
        BundleError, match="the front end 'radar' is unknown, expected one of: speech, window, lookback"
    ):
        frontend({"kind": "radar"})


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(BundleError, match="the settings of the front end 'speech' do not fit it: .*'radius'"):
        frontend({"kind": "speech", "radius": 3})
