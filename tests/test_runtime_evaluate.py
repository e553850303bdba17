"""Evaluation counts what a device would decide, and a person reads the same numbers."""

import numpy as np
import pytest

from device_runtime.errors import InputError
from device_runtime.evaluate import evaluate, false_accepts
from device_runtime.intervals import poisson, wilson
from device_runtime.noise import Noises
from device_runtime.recordings import audio_files, list_recordings
from device_runtime.summary import summary
from levels import GOOD, level, open_session, write_clips
from sounds import RATE


@pytest.fixture
def session(tmp_path):
    return open_session(tmp_path / "tiny.bundle")


def test_clips_that_are_what_they_say_are_all_right(session, tmp_path):
    numbers = evaluate(session, list_recordings(write_clips(tmp_path / "d", GOOD)), Noises.generated([])).as_dict()
    assert numbers["clips"] == 8
    assert numbers["accuracy"] == numbers["accuracy_cold"] == numbers["accuracy_noise_10db"] == 1
    assert numbers["interval_95"] == [round(bound, 4) for bound in wilson(8, 8)]
    assert numbers["per_label"] == {key: {"clips": 4, "accuracy": 1.0, "missed_as": {}} for key in ("high", "low")}
    assert numbers["detection"]["missed_rate"] == numbers["detection"]["wrong_rate"] == 0
    assert numbers["noise"] == {"source": "generated", "names": ["pink", "babble"], "snr_db": 10.0}
    assert (numbers["task"], numbers["engine"], numbers["split"]) == ("keyword_spotting", "leveller", "test")


def test_misses_are_counted_as_what_was_decided_instead(session, tmp_path):
    clips = GOOD | {"high/4": level(-0.1), "high/5": level(0.001)}
    # with a pause around each, as a word heard wrongly in the clip before would be held for no answer
    clips = {name: np.pad(samples[: RATE // 2], RATE // 4) for name, samples in clips.items()}
    numbers = evaluate(session, list_recordings(write_clips(tmp_path / "d", clips))).as_dict()
    # only words are an answer to a word, even where neither comes near its threshold
    assert numbers["per_label"]["high"] == {"clips": 6, "accuracy": 0.8333, "missed_as": {"low": 1}}
    assert numbers["accuracy"] == 0.9
    assert numbers["accuracy_unknown_allowed"] == 0.8, "_unknown_ has the highest score where hardly anything is said"
    assert numbers["detection"] == {
        "clips": 10,
        "missed_rate": 0.2,
        "interval_95": [round(bound, 4) for bound in wilson(2, 10)],
        "wrong_rate": 0.1,
    }
    assert numbers["accuracy_noise_10db"] is None


def test_a_clip_without_a_word_is_right_when_no_word_fires(session, tmp_path):
    clips = {name: samples for name, samples in GOOD.items() if name.startswith("high")}
    clips |= {"maybe/0": level(0.02), "maybe/1": level(-0.1)}  # near a word, and taken for one
    result = evaluate(session, list_recordings(write_clips(tmp_path / "d", clips)), Noises.generated([]))
    for condition in ("cold", "warm", "noisy"):
        decided = dict(zip((c.recording.path for c in result.clips), result.decisions(condition), strict=True))
        quiet = next(c for c in result.clips if c.recording.path == tmp_path / "d/maybe/0.wav")
        assert quiet.fired[condition] == ()
        assert result.right(condition) == 5
        assert decided[tmp_path / "d/maybe/1.wav"] == "low"
    numbers = result.as_dict()
    assert numbers["per_label"]["_unknown_"] == {"clips": 2, "accuracy": 0.5, "missed_as": {"low": 1}}
    assert numbers["accuracy"] == 0.8333
    assert numbers["accuracy_unknown_allowed"] == 0.6667, "high has the highest score of what only comes near it"
    assert "with _unknown_ as an answer like the words, by the highest score alone: 66.7 %" in summary(numbers)


def test_an_evaluation_says_how_large_the_bundle_is(session, tmp_path):
    numbers = evaluate(session, list_recordings(write_clips(tmp_path / "d", GOOD))).as_dict()
    assert numbers["bundle_bytes"] == session.bundle.size_bytes
    assert numbers["device_bytes"] == session.bundle.device_bytes


def test_the_order_and_the_noise_follow_the_seed(session, tmp_path):
    recordings = list_recordings(write_clips(tmp_path / "d", GOOD))
    first, again, other = (evaluate(session, recordings, Noises.generated([]), seed=seed) for seed in (1, 1, 2))
    assert [clip.recording for clip in first.clips] == [clip.recording for clip in again.clips]
    assert all(np.array_equal(a.noisy, b.noisy) for a, b in zip(first.clips, again.clips, strict=True))
    assert [clip.recording for clip in first.clips] != [clip.recording for clip in other.clips]


def test_words_that_the_bundle_does_not_know_are_unknown(session, tmp_path):
    result = evaluate(session, list_recordings(write_clips(tmp_path / "d", GOOD | {"maybe/0": level(0.05)})))
    assert [clip.truth for clip in result.clips].count("_unknown_") == 1
    session.labels = ("silence", "other", "high", "low")
    numbers = evaluate(session, list_recordings(tmp_path / "d")).as_dict()
    assert (numbers["clips"], numbers["skipped"]) == (8, 1)


def test_data_without_a_word_of_the_bundle_is_refused(session, tmp_path):
    session.labels = ("yes", "no")
    with pytest.raises(InputError, match="none of these recordings says a word of the bundle: they say high, low"):
        evaluate(session, list_recordings(write_clips(tmp_path / "d", GOOD)))


def test_progress_is_told(session, tmp_path):
    told = []
    evaluate(session, list_recordings(write_clips(tmp_path / "d", GOOD)), progress=lambda *done: told.append(done))
    assert told == [(i, 8) for i in range(1, 9)]


def test_false_accepts_are_counted_over_one_continuous_stream(session, tmp_path):
    quiet, loud = level(0.0, 2.0), np.concatenate([level(0.1), level(0.0)])
    write_clips(tmp_path / "n", {"a/0": quiet, "a/1": loud, "b": np.concatenate([loud, -loud]), "c": quiet})
    result = false_accepts(session, audio_files(tmp_path / "n"))
    hours = 10 / 3600
    assert result.as_dict() == {
        "hours": round(hours, 4),
        "false_accepts": 3,
        "false_accepts_per_hour": round(3 / hours, 3),
        "interval_95": [round(bound, 4) for bound in poisson(3, hours)],
        "clips": 4,
        "clips_triggered": 2,
        "clips_triggered_rate": 0.5,
        "per_label": {"high": 2, "low": 1},
    }


def test_a_person_reads_the_same_numbers(session, tmp_path):
    numbers = evaluate(session, list_recordings(write_clips(tmp_path / "d", GOOD)), Noises.generated([])).as_dict()
    negatives = false_accepts(session, audio_files(tmp_path / "d")).as_dict()
    text = summary({**numbers, "negatives": negatives})
    assert "warm, as a device hears it  100.0       67.6 to 100.0" in text
    assert "\nnoise: pink, babble (generated)\n" in text
    assert "0.0 % of the words missed" in text
    assert f"{negatives['false_accepts']} false accepts in 0.00 hours" in text
    assert summary({"negatives": negatives}).startswith(f"{negatives['false_accepts']} false accepts")
    assert ["low", "4", "100.0", "-"] in [line.split() for line in text.splitlines()], "in %, as the table above it"


def test_a_person_is_told_when_no_clip_says_a_word(session, tmp_path):
    recordings = list_recordings(write_clips(tmp_path / "d", {"other/0": level(0.1), "another/0": level(0.2)}))
    text = summary(evaluate(session, recordings, Noises.generated([])).as_dict())
    assert "2 clips\nnone of them says a word of the bundle: right is that none fires at the thresholds\n" in text


def test_a_person_is_told_what_was_left_out_and_sees_the_hardest_labels(session, tmp_path):
    numbers = evaluate(session, list_recordings(write_clips(tmp_path / "d", GOOD)), Noises.generated([])).as_dict()
    many = {f"word {i}": {"clips": 2, "accuracy": i / 40, "missed_as": {}} for i in range(40)}
    lines = summary({**numbers, "skipped": 3, "per_label": many}).splitlines()
    assert lines[0].endswith("8 clips; 3 of other words left out")
    assert "10 labels of 40, most missed first:" in lines
    assert lines[-1].split()[:2] == ["word", "9"]
