"""Look-backs: the same windows for any chunk size, only the past in them, and gaps filled as the manifest says."""

import tracemalloc

import numpy as np
import pytest

from device_runtime.errors import InputError
from device_runtime.frontends import LookbackFrontend, frontend

NAN = float("nan")


def lookback(**settings):
    given = {"interval_s": 60.0, "channels": ["a", "b"], "mean": [10.0, 0.0], "std": [2.0, 1.0]}
    return LookbackFrontend(**{**given, "segment": 3, "segments": 4, "every": 5, **settings})


def gappy(rows, seed=0):
    rng = np.random.default_rng(seed)
    samples = rng.normal(10, 3, (rows, 2)).astype(np.float32)
    samples[rng.random((rows, 2)) < 0.3] = np.nan
    return samples


def same(windows, others):
    assert len(windows) == len(others)
    fields = ("frames", "level", "values", "measured")
    return all(
        a.time_s == b.time_s and all(np.array_equal(getattr(a, f), getattr(b, f), equal_nan=True) for f in fields[:3])
        for a, b in zip(windows, others, strict=True)
    )


@pytest.mark.parametrize("gaps", ["hold", "interpolate", "mask"])
@pytest.mark.parametrize("every", [1, 5, 12])
@pytest.mark.parametrize("chunk", [1, 4, 29])
def test_windows_do_not_depend_on_the_chunks(gaps, every, chunk):
    made, samples = lookback(gaps=gaps, every=every), gappy(60)
    whole = made.push(samples)
    made.reset()
    pieces = [window for at in range(0, 60, chunk) for window in made.push(samples[at : at + chunk])]
    assert same(pieces, whole)
    assert len(whole) == 1 + (60 - 12) // every
    assert all(np.isfinite(window.frames).all() and window.frames.dtype == np.float32 for window in whole)
    assert all(window.frames.shape == (2, 4, made.feature_size) for window in whole)


def test_a_window_is_the_last_samples_of_each_channel_around_its_level():
    samples = np.stack([np.arange(12) * 2 + 10, np.arange(12)], axis=1).astype(np.float32)
    window = lookback().push(samples)[0]
    assert window.frames[0].reshape(-1).tolist() == list(range(-11, 1))
    assert window.frames[1].reshape(-1).tolist() == list(range(-11, 1))
    assert window.level.tolist() == [11, 11]
    assert window.time_s == 12 * 60
    assert np.array_equal(window.values, samples)


def test_a_window_tells_what_was_read_since_the_one_before():
    samples = gappy(40)
    windows = lookback().push(samples)
    assert [len(window.values) for window in windows] == [12, 5, 5, 5, 5, 5]
    assert np.array_equal(np.concatenate([w.values for w in windows]), samples[:37], equal_nan=True)


def test_the_level_is_the_last_value_the_mean_or_none():
    samples = np.array([[10, 1]] * 11 + [[16, 13]], np.float32)
    levels = {level: lookback(level=level).push(samples)[0].level.tolist() for level in ("last", "mean", "none")}
    assert levels == {"last": [3, 13], "mean": [0.25, 2], "none": [0, 0]}


def test_nothing_of_the_future_is_used():
    samples = gappy(60)
    changed = samples.copy()
    changed[40:] = 1e6
    for gaps in ("hold", "interpolate", "mask"):
        before = [w for w in lookback(gaps=gaps, every=1).push(samples) if w.time_s <= 40 * 60]
        after = [w for w in lookback(gaps=gaps, every=1).push(changed) if w.time_s <= 40 * 60]
        assert same(before, after)


def one(gaps, values, **settings):
    given = {"channels": ["a"], "mean": [0.0], "std": [1.0], "segment": 4, "segments": 1, "every": 1, "level": "none"}
    made = lookback(**{**given, **settings}, gaps=gaps)
    return [w.frames[0, 0].tolist() for w in made.push(np.array(values, np.float32)[:, None])]


def test_held_gaps_keep_the_last_reading_also_from_before_the_window():
    assert one("hold", [5, 1, NAN, 3, NAN, NAN, NAN, NAN]) == [
        [5, 1, 1, 3],
        [1, 1, 3, 3],
        [1, 3, 3, 3],
        [3, 3, 3, 3],
        [3, 3, 3, 3],
    ]


def test_before_the_first_reading_stands_that_one_and_without_any_the_mean():
    assert one("hold", [NAN, NAN, 3, 4, NAN]) == [[3, 3, 3, 4], [3, 3, 4, 4]]
    assert one("interpolate", [NAN, NAN, 3, 4]) == [[3, 3, 3, 4]]
    assert one("hold", [NAN] * 4) == one("interpolate", [NAN] * 4) == [[0, 0, 0, 0]]


def test_interpolated_gaps_lie_between_their_neighbours_also_from_before_the_window():
    assert one("interpolate", [0, NAN, NAN, NAN, 8]) == [[0, 0, 0, 0], [2, 4, 6, 8]]


def test_masked_gaps_are_the_level_and_say_so():
    assert one("mask", [1, NAN, 3, NAN], level="last") == [[-2, 0, 0, 0, 1, 0, 1, 0]]


def test_a_channel_may_have_a_code():
    window = lookback(channel_code=True).push(np.zeros((12, 2), np.float32))[0]
    assert window.frames.shape == (2, 4, 5)
    assert (window.frames[0, :, 3:] == [1, 0]).all()
    assert (window.frames[1, :, 3:] == [0, 1]).all()


def test_a_sensor_that_is_stuck_for_a_whole_window_is_fine():
    window = lookback().push(np.full((12, 2), 3.25, np.float32))[0]
    assert not window.frames.any()
    assert window.level.tolist() == [-3.375, 3.25]
    assert window.measured.all()


def test_a_channel_without_a_reading_is_marked():
    samples = np.zeros((12, 2), np.float32)
    samples[:, 1] = np.nan
    assert lookback().push(samples)[0].measured.tolist() == [True, False]


def test_readings_of_any_size_become_numbers_that_an_engine_can_take():
    samples = np.tile(np.array([[3e38, -3e38], [1e-38, NAN]], np.float32), (6, 1))
    frames = lookback(std=[1e-12, 1e-12]).push(samples)[0].frames
    assert np.isfinite(frames).all()
    assert not np.any((frames != 0) & (np.abs(frames) < 1e-30))


def test_memory_does_not_grow_with_the_stream():
    made = lookback(every=1)
    chunk = gappy(2_000)
    made.push(chunk[:100])
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for at in range(0, 2_000, 10):
            made.push(chunk[at : at + 10])
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000


@pytest.mark.parametrize("cut", [0, 5, 12, 14, 31])
@pytest.mark.parametrize("gaps", ["hold", "interpolate"])
def test_a_saved_look_back_goes_on_as_if_there_had_been_no_break(cut, gaps):
    samples, first, second = gappy(60), lookback(gaps=gaps), lookback(gaps=gaps)
    windows = first.push(samples[:cut])
    second.restore(first.snapshot())
    assert same([*windows, *second.push(samples[cut:])], lookback(gaps=gaps).push(samples))


def test_a_damaged_state_is_refused():
    made = lookback()
    made.push(gappy(20))
    kept = made.snapshot()
    for name, array in {"counts": np.array([20, 0, 5]), "past": np.full((12, 2), np.inf, np.float32)}.items():
        with pytest.raises(InputError, match="the saved state of the look-back is damaged. Start without the state"):
            lookback().restore({**kept, name: array})
    with pytest.raises(InputError, match=r"the saved state has float32 \(12, 2\) as past, expected float32 \(any, 1\)"):
        lookback(channels=["a"], mean=[0.0], std=[1.0]).restore(kept)
    with pytest.raises(InputError, match="the saved state has nothing as past"):
        lookback().restore({})


WRONG = {
    "the lookback front end needs a name for each channel, got 1 names for 2": {"channels": ["a"]},
    "the lookback front end needs an interval above 0": {"interval_s": 0},
    "needs one mean and one std above 0 for each channel": {"std": [1.0, 0.0]},
    "needs at least 1 segment, every from 1 to the samples of a window, and a level of last, mean, none": {"every": 13},
    "got 0, 5 and 'last'": {"segments": 0},
    "got 4, 5 and 'first'": {"level": "first"},
    "the lookback front end fills gaps by hold, interpolate, mask, got 'zero'": {"gaps": "zero"},
}


@pytest.mark.parametrize("message", WRONG)
def test_wrong_settings_are_named(message):
    with pytest.raises(InputError, match=message):
        lookback(**WRONG[message])


def test_infinite_readings_are_located():
    samples = gappy(5)
    samples[3, 0] = np.inf
    with pytest.raises(InputError, match=r"sample 3 of the chunk is infinite"):
        lookback().push(samples)


def test_a_manifest_describes_a_look_back():
    settings = {"kind": "lookback", "interval_s": 60.0, "channels": ["a"], "mean": [0.0], "std": [1.0]}
    assert isinstance(frontend({**settings, "segment": 4, "segments": 2, "every": 1}), LookbackFrontend)
