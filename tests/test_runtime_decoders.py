"""Decoders: when scores become an event, and when not."""

import numpy as np
import pytest

from device_runtime.decoders import Smooth, decoder
from device_runtime.errors import BundleError

LABELS = ("_silence_", "yes", "no")
STEP_S = 0.03


def smooth(window_ms=90, thresholds=None, release=0.5, refractory_ms=0):
    thresholds = {"yes": 0.8, "no": 0.6} if thresholds is None else thresholds
    return Smooth(LABELS, window_ms, thresholds, release, refractory_ms, STEP_S)


def scores(**probabilities):
    """Scores whose softmax gives these probabilities; what is left goes to silence."""
    silence = 1 - sum(probabilities.values())
    shares = [silence, probabilities.get("yes", 0), probabilities.get("no", 0)]
    return np.log(np.maximum(shares, 1e-9)).astype(np.float32)


def push(decode, sequence):
    rows = np.array([scores(**probabilities) for probabilities in sequence])
    return decode.push(rows, [step * STEP_S for step in range(len(rows))])


def events(decode, sequence):
    return [(step, event.label) for step, found in enumerate(push(decode, sequence).events) for event in found]


def test_scores_are_averaged_over_the_window_or_over_what_there_is():
    decode = smooth(window_ms=90)
    smoothed = push(decode, [{"yes": p} for p in (0.9, 0.3, 0.0, 0.6, 0.6)]).scores
    assert np.allclose(smoothed[:, 1], [0.9, 0.6, 0.4, 0.3, 0.4], atol=1e-6)


def test_large_scores_do_not_overflow():
    smoothed = smooth().push(np.array([[3e38, -3e38, 0]], np.float32), [0.0]).scores
    assert smoothed.tolist() == [[1, 0, 0]]
    assert smoothed.dtype == np.float32


def test_a_word_fires_when_its_average_reaches_its_threshold():
    assert events(smooth(), [{}, {}, {}] + [{"yes": 0.99}] * 4) == [(5, "yes")]


def test_a_word_must_fall_below_its_release_before_it_fires_again():
    high, dip, low = [{"yes": 1.0}] * 3, [{"yes": 0.5}] * 3, [{"yes": 0.3}] * 3
    assert events(smooth(), high + dip + high) == [(2, "yes")]
    assert events(smooth(), high + low + high) == [(2, "yes"), (8, "yes")]


def test_no_word_fires_in_the_refractory_time_of_another():
    decode = smooth(window_ms=30, refractory_ms=300)
    sequence = [{"yes": 1.0}] + [{}] * 3 + [{"no": 1.0}] * 10
    assert events(decode, sequence) == [(0, "yes"), (10, "no")]


def test_of_two_words_the_more_probable_fires():
    decode = smooth(thresholds={"yes": 0.3, "no": 0.3}, refractory_ms=300)
    assert events(decode, [{"yes": 0.4, "no": 0.5}] * 5) == [(2, "no")]


def test_nothing_fires_before_a_full_window_was_heard():
    decode = smooth(window_ms=90)
    sequence = [{"yes": 1.0}] * 2 + [{}]
    for _ in range(2):
        decoded = push(decode, sequence)
        assert decoded.scores[0, 1] == pytest.approx(1), "the scores are told from the first step on"
        assert not any(decoded.events), "though the mean over two steps was above the threshold"
        decode.reset()
    assert events(decode, [{"yes": 1.0}] * 3) == [(2, "yes")]


def test_a_label_without_a_threshold_never_fires():
    assert events(smooth(thresholds={"yes": 0.8}), [{"no": 1.0}, {}] * 5) == []


def test_the_end_of_the_refractory_time_does_not_rearm_what_has_fired():
    decode = smooth(refractory_ms=10_000)
    assert events(decode, [{"yes": 1.0}] * 3) == [(2, "yes")]
    decode.end_refractory()
    assert decode.armed.tolist() == [True, False, True]
    # yes stays above its release of 0.4 until no has been heard for two steps; scores are kept
    assert events(decode, [{"yes": 1.0}] * 3 + [{"no": 1.0}] * 2) == [(4, "no")]
    assert decode.armed.tolist() == [True, True, False]
    decode.end_refractory()
    assert events(decode, [{"yes": 1.0}] * 3) == [(2, "yes")]


def test_which_labels_are_armed_can_only_be_read():
    decode = smooth()
    decode.armed[:] = False
    assert events(decode, [{"yes": 1.0}] * 3) == [(2, "yes")]


@pytest.mark.parametrize("window_ms", [30, 90, 3000])
@pytest.mark.parametrize("at_a_time", [1, 2, 7, 50])
def test_how_many_steps_come_at_a_time_changes_nothing(window_ms, at_a_time):
    random = np.random.default_rng(window_ms)
    rows = (4 * random.standard_normal((200, 3))).astype(np.float32)
    times = [STEP_S * i for i in range(len(rows))]
    settings = {"window_ms": window_ms, "thresholds": {"yes": 0.4, "no": 0.45}, "refractory_ms": 100}
    together, apart = smooth(**settings).push(rows, times), smooth(**settings)
    pieces = [apart.push(rows[i : i + at_a_time], times[i : i + at_a_time]) for i in range(0, len(rows), at_a_time)]
    assert [events for piece in pieces for events in piece.events] == together.events
    assert np.concatenate([piece.scores for piece in pieces]).tobytes() == together.scores.tobytes()
    assert np.array_equal(np.concatenate([piece.armed for piece in pieces]), together.armed)
    assert any(together.events)
    assert not together.armed.all()


def test_a_reset_decoder_equals_a_new_one():
    decode, sequence = smooth(window_ms=30, refractory_ms=40), [{"yes": 0.9}, {"yes": 0.1}, {}, {"no": 0.9}] * 5
    first = events(decode, sequence)
    decode.reset()
    assert events(decode, sequence) == first
    assert len(first) > 1


SETTINGS = {"kind": "smooth", "window_ms": 300, "thresholds": {"yes": 0.8}, "release": 0.5, "refractory_ms": 1000}


def test_a_manifest_describes_a_decoder():
    assert decoder(SETTINGS, LABELS, STEP_S).window_steps == 10


def test_an_unknown_kind_names_those_that_are_known():
    with pytest.raises(BundleError, match="the decoder 'beam' is unknown, expected one of: smooth"):
        decoder({"kind": "beam"}, LABELS, STEP_S)


def test_settings_that_do_not_fit_are_named():
    with pytest.raises(BundleError, match="the settings of the decoder 'smooth' do not fit it: .*'beams'"):
        decoder({**SETTINGS, "beams": 3}, LABELS, STEP_S)
