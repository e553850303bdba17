"""Sessions: any chunk size gives the same events, a reset forgets everything, and memory does not grow."""

import dataclasses
import tracemalloc

import numpy as np
import pytest

from device_runtime import Session, bundle
from device_runtime.errors import BundleError, EngineError, InputError
from device_runtime.sources import file_chunks
from models import LABELS, SPEECH, tiny_manifest, tiny_model
from sounds import EAGER, RATE, WINDOW, babble, skip_where_nothing_hears, wav_bytes, write_bundle


@pytest.fixture
def window_bundle(tmp_path):
    return write_bundle(tmp_path / "tiny.bundle")


@pytest.fixture
def speech_bundle(tmp_path):
    skip_where_nothing_hears()
    return write_bundle(tmp_path / "tiny.bundle", SPEECH)


def in_chunks(session, samples, chunk):
    return [event for at in range(0, len(samples), chunk) for event in session.push(samples[at : at + chunk])]


@pytest.mark.parametrize("chunk", [1, 7, 160, 333])
@pytest.mark.parametrize("kind", ["window_bundle", "speech_bundle"])
def test_chunk_size_does_not_change_events(request, kind, chunk):
    session, samples = Session.open(request.getfixturevalue(kind)), babble(4.0)
    whole = session.push(samples)
    session.reset()
    assert in_chunks(session, samples, chunk) == whole
    assert len(whole) > 1, "the fixture should fire"


def test_a_reset_session_equals_a_new_one(window_bundle):
    session = Session.open(window_bundle)
    first = session.push(babble(2.0))
    session.push(babble(0.777, seed=1))
    session.reset()
    assert session.push(babble(2.0)) == first


def test_listening_tells_of_each_step_with_the_events_of_pushing(window_bundle):
    session = Session.open(window_bundle)
    steps = list(session.listen(babble(2.0)))
    session.reset()
    assert [event for step in steps for event in step.events] == session.push(babble(2.0))
    assert len(steps) == 160
    assert steps[-1].time_s == 2.0
    assert all(step.scores.sum() == pytest.approx(1) for step in steps)


def test_nothing_and_silence_are_fine(window_bundle):
    session = Session.open(window_bundle)
    assert session.push(np.zeros(0, np.float32)) == []
    session.push(np.zeros(RATE, np.float32))


def test_refused_samples_leave_no_trace(speech_bundle):
    session = Session.open(speech_bundle)
    samples = babble(3.0)
    whole = session.push(samples)
    session.reset()
    broken = samples.copy()
    broken[40_000] = np.nan
    with pytest.raises(InputError, match=r"sample 40000 of the chunk is nan"):
        session.push(broken)
    assert session.push(samples) == whole


def test_thresholds_can_be_overridden(window_bundle):
    deaf = Session.open(window_bundle, thresholds=dict.fromkeys(LABELS, 1.0))
    assert deaf.push(babble(2.0)) == []
    assert deaf.bundle.manifest.decoder == EAGER


def test_a_threshold_for_an_unknown_word_suggests_the_near_one(window_bundle):
    with pytest.raises(InputError, match=r"the bundle has no word 'yess' \(did you mean yes\?\)\. Its words: sil"):
        Session.open(window_bundle, thresholds={"yess": 0.5})


def test_a_threshold_must_be_a_probability(window_bundle):
    with pytest.raises(InputError, match="the threshold of yes must be a probability from 0 to 1, got 1.5"):
        Session.open(window_bundle, thresholds={"yes": 1.5})


def test_a_front_end_that_does_not_fit_the_model_is_refused(tmp_path):
    write_bundle(tmp_path / "tiny.bundle", {**WINDOW, "segment": 100})
    with pytest.raises(BundleError, match="makes frames of 100 features, but the model takes 200"):
        Session.open(tmp_path / "tiny.bundle")


def test_an_unknown_engine_suggests_the_near_one(window_bundle):
    with pytest.raises(EngineError, match="did you mean reference"):
        Session.open(window_bundle, engine="referense")


@pytest.mark.parametrize("chunk_s", [1, 30])
def test_memory_does_not_grow_with_the_stream(window_bundle, chunk_s):
    session, chunk = Session.open(window_bundle), babble(chunk_s)
    session.push(chunk)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(90 // chunk_s):
            session.push(chunk)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000
    assert peak - before < 1_000_000 + chunk.nbytes  # nor with the chunk, beyond checking it


def test_a_long_recording_is_heard_in_constant_memory(tmp_path):
    manifest = dataclasses.replace(tiny_manifest(), frontend={**WINDOW, "segment": 1000}, decoder=EAGER)
    bundle.write(tmp_path / "tiny.bundle", manifest, tiny_model(0, (("gru", 3),), 1000), lambda _: None)
    session, minutes = Session.open(tmp_path / "tiny.bundle"), 5
    (tmp_path / "long.wav").write_bytes(wav_bytes(np.tile(babble(10.0), 6 * minutes)))
    heard, settled = 0, 0
    tracemalloc.start()
    try:
        for chunk in file_chunks(tmp_path / "long.wav"):
            session.push(chunk)
            heard += len(chunk)
            if not settled and heard >= 10 * RATE:
                settled, _ = tracemalloc.get_traced_memory()
                tracemalloc.reset_peak()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert heard == 60 * minutes * RATE
    assert peak - settled < 3_000_000, "the file has 9.6 MB"
