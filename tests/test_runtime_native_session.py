"""A session on the native engine hears what one on the reference hears, and refuses the same samples."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from device_runtime import Session, bundle
from device_runtime.errors import InputError
from device_runtime.hearing import InOneCall
from device_runtime.recordings import list_recordings, read_audio
from models import SPEECH
from sounds import RATE, babble, write_bundle

pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")

BUNDLES = Path(__file__).parent.parent / "scenarios" / "bundles"
RECORDINGS = 60


@pytest.fixture(scope="module")
def speech_bundle(tmp_path_factory):
    return write_bundle(tmp_path_factory.mktemp("bundles") / "tiny.bundle", SPEECH)


@pytest.mark.parametrize("chunk", [1, 7, 160, 333, 64_000])
def test_a_native_session_has_the_events_of_the_reference_for_every_chunk_size(speech_bundle, chunk):
    samples, native = babble(4.0), Session.open(speech_bundle, "native")
    expected = Session.open(speech_bundle).push(samples)
    for _ in range(2):
        pieces = [native.push(samples[at : at + chunk]) for at in range(0, len(samples), chunk)]
        assert [event for events in pieces for event in events] == expected
        native.reset()
    assert len(expected) > 1, "the fixture should fire"


def test_a_native_session_takes_views_with_gaps(speech_bundle):
    samples = babble(2.0)
    spaced = np.repeat(samples, 2)[::2]
    expected = Session.open(speech_bundle, "native").push(samples)
    session = Session.open(speech_bundle, "native")
    assert [event for at in range(0, RATE * 2, 1000) for event in session.push(spaced[at : at + 1000])] == expected


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros(100, np.int16), "samples must be float32 in -1..1, got int16"),
        (np.zeros(100, np.int8), "samples must be float32 in -1..1, got int8"),
        (np.zeros(100), "samples must be float32 in -1..1, got float64"),
        (bytes(400), "samples must be a NumPy array of float32, got bytes"),
        (np.zeros((50, 2), np.float32), r"samples must be one channel, shape \(n,\), got shape \(50, 2\)"),
        (np.float32([0, np.nan]), "sample 1 of the chunk is nan"),
    ],
)
def test_a_native_session_refuses_what_the_front_end_refuses(speech_bundle, samples, message):
    session = Session.open(speech_bundle, "native")
    with pytest.raises(InputError, match=message):
        session.push(samples)
    assert session.push(babble(2.0)) == Session.open(speech_bundle, "native").push(babble(2.0))


def test_a_native_session_on_speech_hands_the_samples_over(speech_bundle):
    session = Session.open(speech_bundle, "native")
    session.push(babble(0.1))
    assert isinstance(session._hearing, InOneCall)


HEARING = [path for path in sorted(BUNDLES.glob("*.bundle")) if bundle.read_manifest(path).task == "keyword_spotting"]


@pytest.mark.parametrize("folder", HEARING, ids=lambda folder: folder.stem)
def test_the_trained_bundles_hear_the_same(folder, real_data):
    pytest.importorskip("soundfile", reason="recordings are read with soundfile")
    listed = [r.path for r in list_recordings(real_data / "speech" / "speech_commands_v0.02")]
    opened = bundle.read(folder)
    samples = np.concatenate([read_audio(path) for path in random.Random(1).sample(listed, RECORDINGS)])
    steps = [
        [(s.time_s, s.scores.tobytes(), s.events) for s in Session(opened, engine).listen(samples)]
        for engine in ("native", "reference")
    ]
    assert steps[0] == steps[1]
    assert len(steps[0]) > 30 * RECORDINGS
    session = Session(opened, "native")
    pushed = [event for at in range(0, len(samples), 1600) for event in session.push(samples[at : at + 1600])]
    assert pushed == [event for _, _, events in steps[0] for event in events]
    assert pushed
