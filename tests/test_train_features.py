"""Clips become the device's own features, once; what is cached is whole and belongs to what was asked."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

from device_runtime.frontends.speech import SpeechFrontend, to_int16
from device_runtime.recordings import Recording
from sounds import babble, wav_bytes
from train.augment import CLEAN, Hearing, Surroundings, hear
from train.features import CLIP, Clips, feature_vectors, heard, load_clips, one_second, pieces, quiet_tails, save_array

AROUND = Surroundings([babble(3.0, 8)], [babble(1.0, 9)])
COLD = replace(CLEAN, warm=False)


def clips(count=3):
    samples = np.stack([np.round(babble(1.0, seed) * 32767) for seed in range(count)]).astype(np.int16)
    return Clips(samples, np.arange(count), key="made")


@pytest.fixture
def recordings(tmp_path):
    made = []
    for i, (label, seconds) in enumerate((("yes", 0.6), ("no", 1.0), ("yes", 1.7))):
        path = tmp_path / "data" / label / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav_bytes(babble(seconds, i)))
        made.append(Recording(path, label, "someone", "train"))
    return made


def test_features_are_those_of_the_device_from_a_cold_start():
    audio = babble(1.0)
    expected = [frame.values for frame in SpeechFrontend(stack=1, stride=1).push(audio)]
    np.testing.assert_array_equal(feature_vectors(audio), expected)


def test_cold_clips_have_98_vectors_and_warm_ones_168_that_end_with_the_clip(tmp_path):
    cold = heard(clips(), COLD, AROUND, 1, tmp_path)
    warm = heard(clips(), CLEAN, AROUND, 1, tmp_path)
    assert cold.shape == (3, 98, 40)
    assert warm.shape == (3, 168, 40)
    assert cold.dtype == warm.dtype == np.float16
    alone = feature_vectors(clips().audio(0)).astype(np.float16)
    np.testing.assert_array_equal(cold[0], alone)


def test_clips_are_heard_once_and_read_from_the_cache_after(tmp_path, monkeypatch):
    first = heard(clips(), Hearing(), AROUND, 1, tmp_path)
    monkeypatch.setattr("train.features.feature_vectors", lambda audio: pytest.fail("heard again"))
    np.testing.assert_array_equal(heard(clips(), Hearing(), AROUND, 1, tmp_path), first)


def test_another_seed_hearing_or_content_is_heard_anew(tmp_path):
    first = heard(clips(), Hearing(), AROUND, 1, tmp_path)
    assert not np.array_equal(heard(clips(), Hearing(), AROUND, 2, tmp_path), first)
    assert not np.array_equal(heard(clips(), Hearing(noisy=0.0), AROUND, 1, tmp_path), first)
    assert not np.array_equal(heard(replace(clips(), key="other"), Hearing(), AROUND, 3, tmp_path), first)
    assert len(list(tmp_path.glob("heard-*.npy"))) == 4


def test_each_clip_is_heard_alike_whatever_its_neighbours(tmp_path):
    several = heard(clips(3), Hearing(), AROUND, 1, tmp_path)
    fewer = heard(replace(clips(2), key="fewer"), Hearing(), AROUND, 1, tmp_path)
    np.testing.assert_array_equal(several[:2], fewer)


def bursts(*ends, after=0.0):
    """Clips of a quarter of a second of noise up to each sample, with fainter noise, this loud, to the clip's end."""
    samples = np.zeros((len(ends), CLIP))
    for row, end in zip(samples, ends, strict=True):
        noise = np.random.default_rng(end).uniform(-0.5, 0.5, CLIP)
        row[end - 4_000 : end] = noise[end - 4_000 : end]
        row[end:] = after * noise[end:]
    return Clips(to_int16(samples.astype(np.float32)), np.zeros(len(ends), np.int64), key=f"bursts {ends} {after}")


def test_a_tail_is_what_is_left_of_a_clip_after_its_word():
    assert quiet_tails(bursts(4_000, 9_600, 16_000), CLEAN, 1).tolist() == [75, 40, 0]
    assert quiet_tails(bursts(9_600, after=0.05), CLEAN, 1).tolist() == [40], "26 dB below the word"
    assert quiet_tails(bursts(9_600, after=0.2), CLEAN, 1).tolist() == [0], "14 dB below the word"
    silence = Clips(np.zeros((1, CLIP), np.int16), np.zeros(1, np.int64), key="silence")
    assert quiet_tails(silence, CLEAN, 1).tolist() == [0]


def test_tails_follow_the_speed_and_the_shift_that_each_clip_is_heard_with(tmp_path):
    made = bursts(*[9_600] * 12)
    alone = Hearing(warm=False, noisy=0.0, gain_db=(0.0, 0.0), narrow=0.0)
    tails = quiet_tails(made, alone, 5)
    audio = [hear(made.audio(i), alone, AROUND, np.random.default_rng([5, i])) for i in range(len(made))]
    assert tails.tolist() == [(CLIP - 1 - np.flatnonzero(clip)[-1]) // 160 for clip in audio]
    assert np.ptp(tails) > 10, "other draws for each clip"
    vectors = heard(made, alone, AROUND, 5, tmp_path)
    np.testing.assert_array_equal(vectors, [feature_vectors(clip).astype(np.float16) for clip in audio])
    np.testing.assert_array_equal(tails, quiet_tails(made, Hearing(), 5))  # whatever is heard beside the word
    assert not np.array_equal(tails, quiet_tails(made, alone, 6))


def test_recordings_become_clips_of_a_second_with_their_labels(recordings, tmp_path):
    loaded = load_clips(recordings, ("yes", "no"), tmp_path / "cache")
    assert loaded.samples.shape == (3, CLIP)
    assert loaded.labels.tolist() == [0, 1, 0]
    assert np.abs(loaded.audio(1) - babble(1.0, 1)).max() < 1e-3
    assert loaded.audio(1).dtype == np.float32


def test_clips_are_decoded_once_and_again_when_a_file_changes(recordings, tmp_path):
    first = load_clips(recordings, ("yes", "no"), tmp_path / "cache")
    again = load_clips(recordings, ("yes", "no"), tmp_path / "cache")
    assert first.key == again.key
    recordings[0].path.write_bytes(wav_bytes(babble(0.7, 0)))
    assert load_clips(recordings, ("yes", "no"), tmp_path / "cache").key != first.key


def test_a_word_that_was_recorded_again_to_the_same_length_is_another_clip(recordings, tmp_path):
    first = load_clips(recordings, ("yes", "no"), tmp_path / "cache")
    size, later = recordings[1].path.stat().st_size, time.time() + 5
    recordings[1].path.write_bytes(wav_bytes(babble(1.0, 7)))
    os.utime(recordings[1].path, (later, later))
    assert recordings[1].path.stat().st_size == size
    anew = load_clips(recordings, ("yes", "no"), tmp_path / "cache")
    assert np.abs(anew.audio(1) - babble(1.0, 7)).max() < 1e-3
    assert anew.key != first.key
    assert anew.key == load_clips(recordings, ("yes", "no"), tmp_path / "cache").key


def test_a_short_recording_stands_in_the_middle_of_faint_noise():
    short = np.full(6_000, 0.5, np.float32)
    out = one_second(short)
    assert out.shape == (CLIP,)
    np.testing.assert_allclose(out[5_000:11_000], 0.5, atol=1e-3)
    assert 0 < np.abs(out[:5_000]).max() < 1e-3
    np.testing.assert_array_equal(out, one_second(short))


def test_of_a_long_recording_the_loudest_second_is_taken():
    quiet = babble(3.0) * np.float32(0.01)
    quiet[20_000:36_000] += babble(1.0, 3)
    found = one_second(quiet)
    assert found.shape == (CLIP,)
    assert np.mean(found**2) > 0.999 * np.mean(quiet[20_000:36_000] ** 2)


def test_pieces_are_as_long_as_warm_clips_and_repeatable():
    long = [babble(4.0, 1), babble(2.0, 2)]
    cut = pieces(long, 5, seed=1)
    assert cut.samples.shape == (5, 27_200)
    np.testing.assert_array_equal(cut.samples, pieces(long, 5, seed=1).samples)
    assert not np.array_equal(cut.samples, pieces(long, 5, seed=2).samples)
    assert pieces([babble(0.5)], 2, seed=1).samples.shape == (2, 27_200)


def test_an_array_is_kept_as_a_whole_or_not_at_all(tmp_path):
    class Stopped:
        def __array__(self, *args, **kwargs):
            raise KeyboardInterrupt

    save_array(tmp_path / "deep" / "a.npy", np.arange(3))
    np.testing.assert_array_equal(np.load(tmp_path / "deep" / "a.npy"), [0, 1, 2])
    with pytest.raises(KeyboardInterrupt):
        save_array(tmp_path / "deep" / "a.npy", Stopped())
    np.testing.assert_array_equal(np.load(tmp_path / "deep" / "a.npy"), [0, 1, 2])
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.npy"]
