"""What is heard around a clip: another word before it, a quiet room behind it, and neither is taken for its word."""

import dataclasses

import numpy as np
import pytest

from device_runtime.evaluate import NOTHING, evaluate, in_a_room, with_prerolls
from device_runtime.frontends.window import WindowFrontend
from device_runtime.recordings import list_recordings
from levels import DECODER, GOOD, LABELS, Late, frames_heard, level, open_session, truth, write_clips
from sounds import RATE


@pytest.fixture
def session(tmp_path):
    return open_session(tmp_path / "tiny.bundle")


def test_warm_clips_follow_another_word_that_does_not_count(session, tmp_path):
    heard = frames_heard(session)
    result = evaluate(session, list_recordings(write_clips(tmp_path / "d", GOOD)))
    cold, alone, warm = 88, 64, 144  # steps of 12.5 ms in 1.0, 0.7 and 1.7 s, and in one smoothing window behind
    for at, clip in enumerate(result.clips):
        start = at * (cold + alone + warm) + cold + alone
        sign = 1 if clip.truth == "high" else -1
        assert all(sign * value < 0 for value in heard[start : start + 56]), "0.7 s of the other word"
        assert all(sign * value > 0 for value in heard[start + 56 : start + warm - 8])
        assert all(0 < abs(value) < 1e-3 for value in heard[start + warm - 8 : start + warm]), "a quiet room"
        assert clip.warm[LABELS.index({"high": "low", "low": "high"}[clip.truth])] < 0.01


def test_a_word_at_the_very_start_of_its_clip_is_heard(session, tmp_path):
    for clip in evaluate(session, list_recordings(write_clips(tmp_path / "d", GOOD))).clips:
        assert clip.fired["warm"] == clip.fired["cold"] == (clip.truth,)
        assert min(clip.warm[LABELS.index(clip.truth)], clip.cold[LABELS.index(clip.truth)]) > 0.95


@pytest.mark.parametrize("late", [20, 52], ids=["before the clip", "within the clip"])
def test_a_word_that_was_reported_before_the_clip_is_no_answer_while_it_lingers(session, tmp_path, late):
    recordings = list_recordings(write_clips(tmp_path / "d", {"high/0": level(0.03), "low/0": level(-0.1)}))
    session.engine = Late(late)
    high, low = sorted(evaluate(session, recordings).clips, key=truth)
    assert 0.7 < high.warm[LABELS.index("high")] < 0.8, "the clip's own word is an answer, though it does not fire"
    assert high.warm[LABELS.index("low")] < 0.4, "nothing until it fell below its release"
    assert high.fired["warm"] == (), "low was the last clip's"
    assert low.fired["warm"] == ("low",)
    numbers = evaluate(session, recordings).as_dict()
    assert (numbers["accuracy"], numbers["detection"]["wrong_rate"]) == (1, 0)


@pytest.mark.parametrize("late", [0, 4], ids=["before the clip", "within the clip"])
def test_a_word_reported_just_before_does_not_keep_the_clip_s_own_from_firing(session, tmp_path, late):
    early, ending = np.pad(level(0.1, 0.0875), (0, RATE)), np.pad(level(-0.1, 0.1), (int(0.9 * RATE), 0))
    session.engine = Late(late)
    recordings = list_recordings(write_clips(tmp_path / "d", {"high/0": early, "low/0": ending}))
    for clip in evaluate(session, recordings).clips:
        assert clip.fired["warm"] == clip.fired["cold"] == (clip.truth,), "within the refractory time of 0.5 s"


def test_a_clip_before_that_is_misheard_as_it_ends_is_not_held_against_the_next(session, tmp_path):
    misheard = np.concatenate([level(0.0, 0.9), level(-0.1, 0.1)])
    session.engine = Late(4)  # low is reported 0.05 s after the end of a clip that says no word
    clips = {"maybe/0": misheard, "high/0": np.pad(level(0.1, 0.5), RATE // 4)}
    unknown, high = sorted(evaluate(session, list_recordings(write_clips(tmp_path / "d", clips))).clips, key=truth)
    assert (unknown.fired["cold"], high.fired["warm"]) == (("low",), ("high",))


def test_a_word_that_was_not_reported_is_an_answer_while_it_lingers(tmp_path):
    recordings = list_recordings(write_clips(tmp_path / "d", {"high/0": level(0.03), "low/0": level(-0.1)}))
    session = open_session(tmp_path / "silent.bundle", {**DECODER, "thresholds": {}})
    session.engine = Late(20)
    assert evaluate(session, recordings).as_dict()["per_label"]["high"]["missed_as"] == {"low": 1}


def test_a_word_that_has_only_faded_since_the_clip_began_is_no_answer(tmp_path):
    fading = np.concatenate([level(-0.3, 0.5), np.linspace(-0.3, 0, RATE // 2)])
    recordings = list_recordings(write_clips(tmp_path / "d", {"high/0": level(0.03), "low/0": fading}))
    session = open_session(tmp_path / "silent.bundle", {**DECODER, "thresholds": {}})
    session.engine = Late(20)
    high, low = sorted(evaluate(session, recordings).clips, key=truth)
    assert high.warm[LABELS.index("low")] < 0.1, "no threshold would have made it an event within the clip"
    assert low.cold[LABELS.index("low")] > 0.6, "what fades within its own clip has risen there"


def test_the_first_clip_follows_a_later_one_and_the_others_the_latest_of_another_word(tmp_path):
    clips = {"high/0": level(0.1, 0.4), "high/1": level(0.2), "low/0": level(-0.1), "low/1": level(-0.2)}
    listed = {f"{r.label}/{r.path.stem}": r for r in list_recordings(write_clips(tmp_path / "d", clips))}
    order = [(listed[name], listed[name].label) for name in ("high/0", "high/1", "low/0", "low/1")]
    tails = [(len(before), round(float(before[0]), 3)) for _, _, _, before in with_prerolls(order, RATE)]
    assert tails == [(11200, -0.2), (11200, -0.2), (11200, 0.2), (11200, 0.2)]
    assert [len(before) for _, _, _, before in with_prerolls(order[:1], RATE)] == [6400], "its own, if alone"


def test_a_short_recording_is_judged_with_room_around_it(session, tmp_path):
    heard = frames_heard(session)
    clips = {"high/0": level(0.1, 0.4), "low/0": level(-0.1, 0.4)}
    result = evaluate(session, list_recordings(write_clips(tmp_path / "d", clips)))
    loud = [abs(value) > 0.9 for value in heard[:88]]
    assert loud == [False] * 24 + [True] * 32 + [False] * (24 + 8), "0.3 s, the recording, 0.3 s and one window"
    assert 0 not in heard, "no digital silence"
    for clip in result.clips:
        assert clip.fired["warm"] == clip.fired["cold"] == (clip.truth,)


def test_a_room_adds_what_is_missing_of_a_second_and_the_quiet_behind():
    for samples, ahead, behind in ((6400, 4800, 4800 + 1600), (20_000, 0, 1600), (0, 8000, 8000 + 1600)):
        clip = np.full(samples, 0.5, np.float32)
        heard = in_a_room(clip, RATE, 1600)
        assert (len(heard), heard.dtype) == (ahead + samples + behind, np.float32)
        assert np.array_equal(heard[ahead : ahead + samples], clip), "the recording itself is as it was"
        hiss = np.concatenate([heard[:ahead], heard[ahead + samples :]])
        assert np.sqrt(np.mean(hiss**2)) == pytest.approx(1e-4, rel=0.1)
        assert np.array_equal(heard, in_a_room(clip, RATE, 1600)), "the same each time"


@pytest.mark.parametrize("seconds", [0.02, 0.005])
def test_very_short_clips_are_decided_by_the_moment_they_last(session, tmp_path, seconds):
    clips = {"high/0": level(0.1, seconds), "low/0": level(-0.1, seconds)}
    result = evaluate(session, list_recordings(write_clips(tmp_path / "d", clips)))
    assert result.decisions("cold") == result.decisions("warm") == [clip.truth for clip in result.clips]


def test_a_clip_without_a_single_step_is_a_miss(session, tmp_path):
    session._words = dataclasses.replace(
        session._words, frontend=WindowFrontend(1 / RATE, [0.0], [0.1], segment=2 * RATE)
    )
    result = evaluate(session, list_recordings(write_clips(tmp_path / "d", {"high/0": level(0.1)})))
    assert result.decisions("cold") == [NOTHING]
    assert result.as_dict()["accuracy_cold"] == 0
