"""What a bundle is measured on: speech without the words, and clips of other words."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="building needs torch")
pytest.importorskip("pymicro_features", reason="the speech front end needs pymicro-features")

from device_runtime.events import Detection
from scenarios import measure
from sounds import wav_bytes
from tones import Folder
from train.data.dataset import UNKNOWN
from train.material import Mix

LABELS = ("yes", "no", "_silence_")


def test_one_word_recordings_are_clips_and_all_longer_speech_is_continuous(tmp_path):
    """Prompts are sentences, however short: only sources that say one word at a time have clips."""
    short, long = (Folder(tmp_path, (UNKNOWN,), each=2, seconds=s, name=f"word {s}") for s in (0.5, 2.5))
    both, prompts = (
        Folder(tmp_path, (UNKNOWN,), each=2, seconds=0.8, name=name) for name in ("near misses", "prompts")
    )
    mix = Mix(Folder(tmp_path, LABELS[:2]), unknown=(both,), negatives=(both, prompts), tests=(short, long))
    clips, continuous = measure.negative_speech(mix)
    assert {name: len(paths) for name, paths in clips.items()} == {"word 0.5": 2, "near misses": 2}
    assert {name: len(paths) for name, paths in continuous.items()} == {"word 2.5": 2, "prompts": 2}


class Loud:
    """A session that fires at the first loud sample of what it is pushed, and remembers what that was."""

    frontend = SimpleNamespace(sample_rate_hz=16_000)

    def __init__(self):
        self.decoder = SimpleNamespace(window_s=0.3, end_refractory=lambda: None)
        self.pushed = []

    def reset(self):
        self.pushed.append([])

    def push(self, samples):
        self.pushed[-1].append(samples)
        loud = np.flatnonzero(np.abs(samples) > 0.5)
        return [Detection("yes", loud[0] / 16_000, 0.9)] if len(loud) else []


def test_an_unknown_word_is_heard_after_the_clip_before_and_with_quiet_behind(tmp_path):
    paths = [tmp_path / f"{name}.wav" for name in ("loud", "soft", "softer")]
    for path, level in zip(paths, (0.9, 0.2, 0.1), strict=True):
        path.write_bytes(wav_bytes(np.full(14_400, level, np.float32)))
    session = Loud()
    heard = measure.unknown_words(session, paths)
    assert heard == measure.UnknownWords(clips=3, triggered=1), "the loud one before the soft one counts only once"
    for (before, clip), level, previous in zip(session.pushed, (0.9, 0.2, 0.1), (0.1, 0.9, 0.2), strict=True):
        assert before == pytest.approx(np.full(11_200, previous), abs=1e-3)
        assert len(clip) == 16_000 + 4_800
        assert clip[8_000] == pytest.approx(level, abs=1e-3)
        assert np.abs(clip[-4_800:]).max() < 0.001
