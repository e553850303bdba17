"""Spliced words: the start of one word and the end of another, by one speaker, the same each time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("soundfile", reason="training data needs soundfile")

from device_runtime.errors import InputError
from device_runtime.recordings import Recording, read_audio
from sounds import wav_bytes
from train.data.dataset import UNKNOWN
from train.data.spliced_words import SplicedWords, spliced
from train.word_span import word_span

RATE = 16_000
PITCH_HZ = {"yes": 300.0, "no": 1100.0, "up": 2500.0}


def word(hz: float, first: int = 4000, last: int = 10_000, seed: int = 0) -> np.ndarray:
    clip = np.random.default_rng(seed).normal(0, 1e-3, RATE)
    clip[first:last] += 0.3 * np.sin(2 * np.pi * hz * np.arange(last - first) / RATE)
    return clip.astype(np.float32)


def loudest_hz(audio: np.ndarray) -> float:
    return float(np.fft.rfftfreq(len(audio), 1 / RATE)[np.abs(np.fft.rfft(audio)).argmax()])


@dataclasses.dataclass(frozen=True)
class People:
    """Each of them says some of the words."""

    root: object
    said: tuple[tuple[str, tuple[str, ...]], ...]
    name: str = "people"
    source: str = "this test"
    licence: str = "CC0"
    labels: tuple[str, ...] = tuple(PITCH_HZ)

    def recordings(self, split):
        made = []
        for seed, (speaker, words) in enumerate(self.said):
            for label in words:
                path = self.root / f"{split}-{speaker}-{label}.wav"
                path.write_bytes(wav_bytes(word(PITCH_HZ.get(label, 200.0), seed=seed)))
                made.append(Recording(path, label, speaker, split))
        return made


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_word_is_found_between_its_pauses():
    first, last = word_span(word(500))
    assert (first, last) == (4000, 10_080) or (first, last) == (4000, 10_000)
    assert word_span(np.zeros(RATE, np.float32)) == (0, RATE)
    assert word_span(np.zeros(0, np.float32)) == (0, 0)


@pytest.mark.parametrize("seed", range(4))
def test_a_spliced_word_starts_as_one_and_ends_as_the_other(seed):
    out = spliced(word(300), word(2500), np.random.default_rng(seed))
    first, last = word_span(out)
    assert 0.6 * 6000 < last - first < 1.3 * 6000
    assert loudest_hz(out[first : first + 1600]) == pytest.approx(300, abs=15)
    assert loudest_hz(out[last - 1600 : last]) == pytest.approx(2500, abs=15)
    assert len(out) <= RATE


@pytest.mark.parametrize("seed", range(4))
def test_without_a_first_word_only_the_end_is_left(seed):
    out = spliced(np.zeros(0, np.float32), word(2500), np.random.default_rng(seed))
    first, last = word_span(out)
    assert 0.3 * 6000 < last - first < 0.65 * 6000
    assert 0.95 * RATE <= len(out) <= RATE


@pytest.mark.parametrize(("first", "last"), [(0, 16_000), (0, 200), (15_900, 16_000), (7000, 7100)])
def test_words_at_the_edges_of_their_clips_or_very_short_are_spliced_too(first, last):
    for seed in range(5):
        out = spliced(word(300, first, last), word(2500, first, last), np.random.default_rng(seed))
        assert 0 < len(out) <= RATE
        assert np.isfinite(out).all()


def test_clips_are_unknown_words_by_people_who_said_both_words(tmp_path, cache):
    people = People(tmp_path, (("ann", ("yes", "no", "up")), ("bob", ("no",)), ("cy", ("up", "yes", "_silence_"))))
    data = SplicedWords(people, clips=40, ends_only=0.0)
    made = data.recordings("train")
    assert len(made) == 40
    assert len(data.recordings("validation")) == 10
    assert {r.label for r in made} == {UNKNOWN}
    assert {r.speaker for r in made} == {"ann", "cy"}
    for recording in made[:10]:
        audio = read_audio(recording.path, RATE)
        first, last = word_span(audio)
        starts, ends = loudest_hz(audio[first : first + 1600]), loudest_hz(audio[last - 1600 : last])
        assert abs(starts - ends) > 500, "two different words"


def test_the_same_request_gives_the_same_samples(tmp_path, cache):
    people = People(tmp_path, (("ann", ("yes", "no", "up")),))
    made = SplicedWords(people, clips=6).recordings("train")
    content = [r.path.read_bytes() for r in made]
    for recording in made:
        recording.path.unlink()
    again = SplicedWords(people, clips=6).recordings("train")
    assert [r.path for r in again] == [r.path for r in made]
    assert [r.path.read_bytes() for r in again] == content
    other = SplicedWords(people, clips=6, seed=1).recordings("train")
    assert [r.path.read_bytes() for r in other] != content


def test_speakers_of_one_word_only_cannot_be_spliced(tmp_path, cache):
    with pytest.raises(InputError, match="nobody in people .train. says two different words"):
        SplicedWords(People(tmp_path, (("bob", ("no",)),))).recordings("train")


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(InputError, match="no split 'dev'"):
        SplicedWords(People(tmp_path, ())).recordings("dev")
