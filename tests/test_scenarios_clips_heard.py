"""What stages are judged on and thresholds chosen by: the clips of `tinyrnn evaluate`, cold and warm."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="building needs torch")
pytest.importorskip("pymicro_features", reason="the speech front end needs pymicro-features")

from scenarios.clips_heard import features
from scenarios.scenario import Smooth
from tones import Folder

LABELS = ("yes", "no", "_silence_")
PREROLL_VECTORS = 70


def trainings(words):
    return SimpleNamespace(labels=LABELS, scenario=SimpleNamespace(decoder=Smooth(), mix=SimpleNamespace(words=words)))


@pytest.mark.parametrize("seconds", [0.4, 1.0])
def test_a_recording_shorter_than_the_preroll_is_one_too_after_silence(tmp_path, seconds):
    folder = Folder(tmp_path, LABELS[:2], each=2, seconds=seconds)
    cold, warm = features(trainings(folder), "test")
    assert warm.vectors.shape[1] == cold.vectors.shape[1] + PREROLL_VECTORS
    silent = ~warm.vectors[:, :PREROLL_VECTORS].any(axis=2)  # a front end says 0 of digital silence and of nothing else
    assert silent.any() == (seconds < 0.7)
    assert not silent[:, 30:].any(), "0.4 of the 0.7 s are a recording"


def test_clips_keep_their_labels_in_the_order_of_the_evaluation(tmp_path):
    folder = Folder(tmp_path, LABELS[:2], each=3)
    sets = features(trainings(folder), "test")
    order = np.random.default_rng(0).permutation(len(folder.recordings("test")))
    for heard in sets:
        assert heard.labels.tolist() == [LABELS.index(folder.recordings("test")[i].label) for i in order]
        assert not heard.whole.any()
        assert not heard.tails.any()
