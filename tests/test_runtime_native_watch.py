"""The watch over a decoder's means: it may be wrong about what happens, never about what does not."""

from __future__ import annotations

import numpy as np
import pytest

from device_runtime import extension
from device_runtime.decoders import Smooth

_native = pytest.importorskip("device_runtime.native._native", reason="the watch is part of the extension")

STEP_S = 0.03


def random_scores(steps, labels, seed, spread=3.0):
    """Scores that stay near each other for some steps, as those of a word do."""
    random = np.random.default_rng(seed)
    return (spread * np.repeat(random.standard_normal((steps // 5 + 1, labels)), 5, axis=0)[:steps]).astype(np.float32)


def smooth(labels, window, threshold, release=0.6, refractory_ms=200):
    names = [f"word {i}" for i in range(labels)]
    thresholds = dict.fromkeys(names[: max(1, labels - 1)], threshold)
    return Smooth(names, window * 30, thresholds, release, refractory_ms, STEP_S)


@pytest.mark.parametrize(("labels", "window"), [(1, 1), (2, 1), (6, 2), (6, 25), (41, 25), (2, 300)])
@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_the_events_are_those_of_every_step_read_in_full(labels, window, threshold):
    scores = random_scores(600, labels, seed=labels * window)
    times = [STEP_S * i for i in range(len(scores))]
    full, lazy, random = smooth(labels, window, threshold), smooth(labels, window, threshold), np.random.default_rng(1)
    for _ in range(2):  # the second time after a reset
        at, found, expected = 0, [], [event for events in full.push(scores, times).events for event in events]
        while at < len(scores):
            end = at + int(random.integers(1, 9))
            piece = scores[at:end], iter(times[at:end])
            # now and then all is asked for, in between
            if random.random() < 0.02:
                found += [event for events in lazy.push(*piece).events for event in events]
            else:
                found += lazy.events(*piece)
            at = end
        assert found == expected
        assert np.array_equal(lazy.armed, full.armed)
        rest = random_scores(window, labels, seed=2), [100.0] * window
        assert lazy.push(*rest).scores.tobytes() == full.push(*rest).scores.tobytes()
        lazy.reset()
        full.reset()


def test_without_the_extension_the_events_are_the_same(monkeypatch):
    scores = random_scores(500, 6, seed=3)
    expected = smooth(6, 10, 0.5).events(scores, [STEP_S * i for i in range(500)])
    monkeypatch.setattr(extension, "NAME", "device_runtime.native.not_there")
    assert smooth(6, 10, 0.5).events(scores, [STEP_S * i for i in range(500)]) == expected
    assert len(expected) > 5


def test_a_window_longer_than_the_watch_takes_is_read_in_full():
    scores = random_scores(1200, 3, seed=4, spread=9.0)
    decode = smooth(3, extension.LONGEST_WATCH + 1, 0.3)
    assert decode.events(scores, [STEP_S * i for i in range(1200)])


def means_of(scores, window):
    posteriors = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    posteriors /= posteriors.sum(axis=1, keepdims=True)
    return np.lib.stride_tricks.sliding_window_view(posteriors, window, axis=0).mean(axis=-1)


@pytest.mark.parametrize(("labels", "window"), [(2, 1), (6, 25), (41, 300)])
@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0, 1e30])
def test_a_watch_says_no_while_every_mean_is_far_from_its_threshold_and_yes_at_it(labels, window, spread):
    scores = random_scores(window + 200, labels, seed=window, spread=spread)
    means = means_of(scores, window)
    releases = np.zeros(labels)
    for distance, answer in ((0.002, False), (0.0, True)):
        watch = _native.Watch(means.max(axis=0) + distance, releases, window)
        assert [watch.push(row) for row in scores[: window - 1]] == [False] * (window - 1)
        assert watch.push(scores[window - 1 :]) is answer


def test_a_watch_says_when_what_has_fired_may_be_armed_again():
    scores = random_scores(100, 3, seed=7)
    least = means_of(scores, 10)[:, 1].min()
    never = np.full(3, np.inf)
    for release, answer in ((least - 0.002, False), (least, True)):
        watch = _native.Watch(never, np.full(3, release), 10)
        watch.arm(np.array([True, False, True]))
        assert watch.push(scores) is answer
        watch.reset()
        assert watch.push(scores) is False, "all are armed again"


def test_scores_that_are_no_numbers_do_no_harm():
    watch = _native.Watch(np.full(3, 0.5), np.zeros(3), 4)
    for value in (np.nan, np.inf, -np.inf, 3e38, -3e38):
        assert watch.push(np.array([[value, 0, 0], [0, 0, value], [value] * 3], np.float32)) in (True, False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(0), np.zeros(0), 3), "1 to 1024 steps, got 0, 0 and 3"),
        ((np.zeros(3), np.zeros(2), 3), "a watch takes 1 to 65535 thresholds, as many releases .* got 3, 2 and 3"),
        ((np.zeros(3), np.zeros(3), 0), "got 3, 3 and 0"),
        ((np.zeros(3), np.zeros(3), 1025), "got 3, 3 and 1025"),
    ],
)
def test_a_watch_that_cannot_be_is_told_why(arguments, message):
    with pytest.raises(ValueError, match=message):
        _native.Watch(*arguments)


def test_a_watch_refuses_what_does_not_fit_it():
    watch = _native.Watch(np.zeros(3), np.zeros(3), 4)
    with pytest.raises(ValueError, match="scores must have 3 values a step, got 16 bytes"):
        watch.push(np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="armed must have 3 bytes, one a label, got 4"):
        watch.arm(np.ones(4, bool))
    assert watch.push(np.zeros((0, 3), np.float32)) is False
