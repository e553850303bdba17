"""Evaluation: counts what a device would decide, in the condition it claims, and says how sure it is."""

import dataclasses
import math

import numpy as np
import pytest

from device_runtime import bundle
from device_runtime.errors import InputError
from device_runtime.evaluate import NOTHING, evaluate, false_accepts, in_a_room, with_prerolls
from device_runtime.frontends.window import WindowFrontend
from device_runtime.intervals import poisson, wilson
from device_runtime.noise import Noises, add_noise, pink
from device_runtime.recordings import audio_files, list_recordings
from device_runtime.session import Session
from device_runtime.summary import summary
from models import SMOOTH, tiny_manifest, tiny_model
from sounds import RATE, WINDOW, wav_bytes

LABELS = ("_silence_", "_unknown_", "high", "low")
DECODER = {**SMOOTH, "window_ms": 100, "thresholds": {"high": 0.8, "low": 0.8}, "refractory_ms": 500}


class Leveller:
    """An engine that hears how far a recording lies above or below zero: high, low, or neither."""

    name = "leveller"

    def __init__(self):
        self.frames = 0

    def step(self, frame, state):
        self.frames += 1
        level = float(frame.mean())
        return np.array([5 * (abs(level) < 0.1), 0.1, 6 * level, -6 * level], np.float32), state


class Late(Leveller):
    """A leveller that answers so many steps of 12.5 ms after it heard: a word lingers in what comes behind."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def step(self, frame, state):
        kept = np.roll(state, 1)
        kept[0] = frame.mean()
        return super().step(kept[self.steps : self.steps + 1], state)[0], kept


def open_session(folder, decoder=DECODER):
    manifest = dataclasses.replace(tiny_manifest(labels=LABELS), frontend=WINDOW, decoder=decoder)
    bundle.write(folder, manifest, tiny_model(), lambda _: None)
    opened = Session.open(folder)
    opened.engine = Leveller()
    return opened


@pytest.fixture
def session(tmp_path):
    return open_session(tmp_path / "tiny.bundle")


def truth(clip):
    return clip.truth


def frames_heard(session):
    """The levels of all frames that the session's engine is given, as it is given them."""
    heard, step = [], session.engine.step
    session.engine.step = lambda frame, state: heard.append(float(frame.mean())) or step(frame, state)
    return heard


def level(value, seconds=1.0):
    return np.full(int(RATE * seconds), value)


def write_clips(folder, clips):
    for name, samples in clips.items():
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav_bytes(samples))
    return folder


GOOD = {f"{label}/{i}": level(value) for label, value in (("high", 0.1), ("low", -0.1)) for i in range(4)}


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


def test_noise_is_added_at_the_ratio_that_was_asked_for():
    audio = np.concatenate([level(0.5, 0.7), level(0.1)]).astype(np.float32)
    noisy = add_noise(audio, pink(len(audio), np.random.default_rng(0)), 10, clip_at=int(0.7 * RATE))
    noise = (noisy - audio)[int(0.7 * RATE) :]
    assert 10 * math.log10(0.1**2 / np.mean(noise**2)) == pytest.approx(10, abs=0.01)
    assert np.array_equal(add_noise(audio, np.zeros_like(audio), 10, 0), audio)


def test_noise_that_training_has_heard_is_left_out(tmp_path):
    write_clips(tmp_path / "noise", {"tap": level(0.1), "bike": level(0.2, 0.1)})
    noises = Noises.choose([tmp_path / "none", tmp_path / "noise"], RATE, heard=["tap"])
    assert noises.names == ("bike",)
    assert np.allclose(noises.stretch(RATE, 0), 0.2, atol=1e-4), "a short recording begins again"
    assert Noises.choose([tmp_path / "noise"], RATE, heard=["tap", "bike"]).source == "generated"


def test_generated_noise_is_pink_or_babble_and_follows_its_seed():
    noises = Noises.generated([level(0.1).astype(np.float32)])
    stretches = [noises.stretch(8000, seed) for seed in range(8)]
    babble = [stretch for stretch in stretches if np.allclose(stretch, 0.6)]  # six voices at once
    assert 0 < len(babble) < 8
    assert np.array_equal(noises.stretch(8000, 3), stretches[3])
    two = Noises.generated([level(0.1).astype(np.float32), level(-0.1).astype(np.float32)])
    without = [two.stretch(8000, seed, without=1) for seed in range(8)]
    assert sum(np.allclose(stretch, 0.6) for stretch in without) > 0, "a clip does not babble over itself"
    assert not any(np.ptp(stretch) < 1e-6 and stretch[0] < 0.59 for stretch in without)
    spectrum = np.abs(np.fft.rfft(pink(2**16, np.random.default_rng(0)))) ** 2
    octaves = [spectrum[2**i : 2 ** (i + 1)].sum() for i in range(6, 15)]
    assert max(octaves) / min(octaves) < 2, "equal power in each octave"


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # R: prop.test(x, n, correct = FALSE)$conf.int
    [(95, 100, 0.88825, 0.97846), (0, 20, 0.0, 0.16113), (20, 20, 0.83887, 1.0), (2304, 2400, 0.95139, 0.96714)],
)
def test_the_interval_of_a_share_is_wilsons(successes, trials, low, high):
    assert wilson(successes, trials) == pytest.approx((low, high), abs=2e-5)


def test_nothing_tried_tells_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Garwood's table, the same as R's poisson.test(count)$conf.int
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (5, 1.6235, 11.6683), (100, 81.3640, 121.6270)],
)
def test_the_interval_of_a_rate_is_exact(count, low, high):
    assert poisson(count) == pytest.approx((low, high), abs=2e-3)
    assert poisson(count, 2.0) == pytest.approx((low / 2, high / 2), abs=2e-3)


def test_the_interval_of_a_large_count_does_not_underflow():
    low, high = poisson(3000)
    assert 2890 < low < 2895
    assert 3105 < high < 3112
