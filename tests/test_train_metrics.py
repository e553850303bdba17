"""The numbers that choose epochs and thresholds are those of the device's decoder and of `tinyrnn evaluate`."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("pymicro_features", reason="the speech front end needs pymicro-features")

import torch

from device_runtime.decoders import Smooth
from device_runtime.evaluate import evaluate, in_a_room, with_prerolls
from device_runtime.recordings import Recording
from device_runtime.session import Session
from models import LABELS, SPEECH, random_frames
from sounds import babble, wav_bytes, write_bundle
from train.batches import FeatureSet, FrameView
from train.metrics import clip_accuracy, clip_scores, in_batches, recognized, smoothed, word_accuracy

WINDOW_STEPS, CLIP_STEPS = 10, 32


@pytest.mark.parametrize("steps", [1, 4, 10, 40])
def test_smoothing_is_the_decoder_s(steps):
    logits = random_frames(30, len(LABELS), seed=1)
    decoder = Smooth(LABELS, 30 * steps, {}, release=0.5, refractory_ms=0, frame_s=0.03)
    expected = decoder.push(logits, [0.03 * i for i in range(len(logits))]).scores
    np.testing.assert_allclose(smoothed(torch.from_numpy(logits)[None], steps)[0], expected, atol=1e-6)


@pytest.fixture
def session(tmp_path):
    """Of a random model whose scores follow what it hears; no word is ever reported, so none is held for no answer."""
    decoder = {"kind": "smooth", "window_ms": 300, "thresholds": {}, "release": 0.5, "refractory_ms": 500}
    return Session.open(write_bundle(tmp_path / "random.bundle", SPEECH, decoder))


def raw_scores(session, audio):
    session.reset()
    state, rows = session.bundle.model.initial_state(), []
    for frame in session.frontend.push(audio):
        scores, state = session.engine.step(frame.values / 8, state)
        rows.append(scores)
    return torch.from_numpy(np.stack(rows))


class _Quieter:
    """The engine with frames brought into the lively range of a random model."""

    def __init__(self, engine):
        self.name, self._engine = engine.name, engine

    def step(self, frame, state):
        return self._engine.step(frame / 8, state)


def test_scores_of_a_clip_are_the_peaks_that_a_device_decides_by(session, tmp_path):
    recordings = []
    for i, label in enumerate(("yes", "no") * 4):
        path = tmp_path / label / f"{i}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(wav_bytes(babble(1.0, seed=i)))
        recordings.append(Recording(path, label, f"speaker {i}", "test"))
    engine = session.engine
    session.engine = _Quieter(engine)
    clips = evaluate(session, recordings).clips
    session.engine = engine
    order = [(clip.recording, clip.truth) for clip in clips]
    for clip, (_, _, audio, before) in zip(clips, with_prerolls(order, 16_000), strict=True):
        heard = in_a_room(audio, 16_000, 4800)  # a smoothing window of quiet behind
        for audio, scores in ((heard, clip.cold), (np.concatenate([before, heard]), clip.warm)):
            expected = clip_scores(raw_scores(session, audio)[None], WINDOW_STEPS, CLIP_STEPS + WINDOW_STEPS)[0]
            np.testing.assert_allclose(expected, scores, atol=1e-6)
    assert len({tuple(np.round(clip.warm, 2)) for clip in clips}) > 4, "the fixture should tell clips apart"


def test_what_was_said_before_the_clip_does_not_count():
    logits = torch.zeros(1, 55, 3)
    logits[0, : 55 - CLIP_STEPS, 0] = 9.0
    logits[0, -2:, 1] = 9.0
    scores = clip_scores(logits, WINDOW_STEPS, CLIP_STEPS)[0]
    assert scores[0] < 0.34
    assert scores[1] > 0.4


def test_accuracy_is_of_the_words_among_the_words():
    scores = torch.tensor([[0.6, 0.1, 0.9], [0.6, 0.1, 0.9], [0.1, 0.2, 0.0], [0.0, 0.0, 0.9]])
    labels = torch.tensor([0, 1, 1, 2])  # the last one is no word
    assert word_accuracy(scores, labels, words=[0, 1]) == pytest.approx(2 / 3)


def test_a_word_is_recognized_where_it_is_best_and_above_what_sets_off_false_alarms():
    others = torch.linspace(0, 0.5, 101)[:, None].expand(-1, 3)  # 1 in 100 alarms for each of two words: above 0.495
    said = torch.tensor([[0.9, 0.0, 0.1], [0.49, 0.3, 0.9], [0.6, 0.7, 0.0], [0.4, 0.51, 0.9]])
    labels = torch.cat([torch.full((101,), 2), torch.tensor([0, 0, 0, 1])])
    assert recognized(torch.cat([others, said]), labels, words=[0, 1], alarms=0.02) == 0.5
    assert recognized(torch.cat([others, said]), labels, words=[0, 1], alarms=0.1) == 0.75


def test_without_other_clips_a_word_is_recognized_where_it_is_best():
    scores = torch.tensor([[0.01, 0.0, 0.9], [0.2, 0.1, 0.0]])
    assert recognized(scores, torch.tensor([0, 1]), words=[0, 1]) == 0.5


def test_a_clip_model_is_right_where_its_highest_score_is():
    assert clip_accuracy(torch.tensor([[1.0, 2.0], [3.0, 1.0]]), torch.tensor([1, 1])) == 0.5


def test_a_set_in_batches_gives_what_it_gives_at_once():
    vectors = np.random.default_rng(0).random((7, 98, 4)).astype(np.float16)
    features = FeatureSet(vectors, np.zeros(7, np.int64), np.zeros(7, np.bool_), np.zeros(7, np.int64))
    view = FrameView(5, 3)
    whole = in_batches(torch.nn.Identity(), features, view)
    assert torch.equal(in_batches(torch.nn.Identity(), features, view, size=3), whole)
    assert torch.equal(whole, view(torch.from_numpy(vectors).float()))
    assert not in_batches(torch.nn.Linear(20, 2), dataclasses.replace(features), view).requires_grad
