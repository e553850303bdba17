"""How clips are heard: as loud, as early, as fast and as noisy as was asked, and the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from sounds import babble
from train.augment import (
    CLEAN,
    PREROLL,
    SAMPLE_RATE_HZ,
    FeatureWarp,
    Hearing,
    Surroundings,
    at_snr,
    faster,
    hear,
    narrowed,
    piece,
    placed,
    said,
)
from train.data.made_noise import KINDS, made_noise

AROUND = Surroundings(
    noises=[made_noise("pink", 3.0, seed=1), made_noise("hum", 3.0, seed=1)],
    others=[babble(1.0, seed) for seed in range(2, 6)],
)
STILL = FeatureWarp(tempo=0.0, shift=0, tract=0.0)


def rng(seed=0):
    return np.random.default_rng(seed)


def decibels(ratio):
    return 10 * np.log10(ratio)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.5, 30.0])
def test_noise_is_added_at_the_asked_ratio_to_the_speech(snr_db):
    speech, noise = babble(1.0), made_noise("brown", 1.7, seed=3)
    audio = np.concatenate([np.zeros(PREROLL, np.float32), speech])
    added = at_snr(audio, noise, snr_db, speech) - audio
    assert decibels(np.mean(speech**2) / np.mean(added**2)) == pytest.approx(snr_db, abs=0.1)


def test_noise_added_to_silence_stays_inaudible():
    silence = np.zeros(16_000, np.float32)
    assert np.abs(at_snr(silence, made_noise("white", 1.0, 0), 0.0, silence)).max() < 1e-4


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
def test_a_faster_clip_is_shorter_and_higher_by_the_same_share(speed):
    hz = 400
    tone = np.sin(2 * np.pi * hz * np.arange(16_000) / SAMPLE_RATE_HZ).astype(np.float32)
    played = faster(tone, speed)
    assert len(played) == int(16_000 / speed)
    assert played.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(played, 16_000))
    assert int(spectrum.argmax()) == pytest.approx(hz * speed, abs=2)


def test_a_narrow_clip_has_nothing_above_its_top_and_all_below():
    noise = rng().normal(0, 0.1, 27_200).astype(np.float32)
    out = narrowed(noise, 3700.0)
    assert (out.shape, out.dtype) == (noise.shape, np.float32)
    before, after = (np.abs(np.fft.rfft(audio)) for audio in (noise, out))
    hz = np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE_HZ)
    assert after[hz > 3750].max() < 1e-3 * before.max()
    np.testing.assert_allclose(after[hz < 3300], before[hz < 3300], rtol=1e-2, atol=1e-2)


def test_as_many_clips_are_narrow_as_was_asked():
    clip = rng().normal(0, 0.1, 16_000).astype(np.float32)
    high = np.fft.rfftfreq(16_000, 1 / SAMPLE_RATE_HZ) > 4100

    def narrow(share):
        hearing = replace(CLEAN, warm=False, narrow=share)
        heard = [np.abs(np.fft.rfft(hear(clip, hearing, AROUND, rng(seed))))[high].max() < 0.1 for seed in range(100)]
        return np.mean(heard)

    assert narrow(0.0) == 0
    assert narrow(1.0) == 1
    assert narrow(0.3) == pytest.approx(0.3, abs=0.12)


@pytest.mark.parametrize("length", [8_000, 16_000, 20_000])
def test_a_clip_is_placed_in_the_middle_and_cut_to_length(length):
    clip = np.arange(1, length + 1, dtype=np.float32)
    out = placed(clip, 16_000, 0.0, rng())
    middle = clip[(length - 16_000) // 2 :][:16_000] if length > 16_000 else clip
    assert out.shape == (16_000,)
    start = (16_000 - len(middle)) // 2
    np.testing.assert_array_equal(out[start : start + len(middle)], middle)
    assert np.count_nonzero(out) == len(middle)


def test_shifts_stay_within_the_limit_and_differ():
    click = np.zeros(16_000, np.float32)
    click[8_000] = 1
    at = [int(placed(click, 16_000, 100.0, random).argmax()) for random in map(rng, range(50))]
    assert min(at) >= 8_000 - 1_600
    assert max(at) <= 8_000 + 1_600
    assert min(at) < 7_500
    assert max(at) > 8_500


def test_a_warm_copy_has_the_preroll_before_the_very_same_clip():
    clip = babble(1.0)
    cold = hear(clip, replace(CLEAN, warm=False), AROUND, rng())
    warm = hear(clip, CLEAN, AROUND, rng())
    np.testing.assert_array_equal(cold, clip)
    assert warm.shape == (PREROLL + len(clip),)
    np.testing.assert_array_equal(warm[PREROLL:], clip)
    assert np.abs(warm[:PREROLL]).max() > 0, "never digital silence"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("warm", [False, True])
def test_what_is_said_is_what_is_heard_before_anything_is_added(warm, seed):
    clip = babble(1.0)
    hearing = Hearing(warm=warm, noisy=0.0, gain_db=(0.0, 0.0))
    alone = said(clip, hearing, rng(seed))
    assert not np.array_equal(alone, clip), "at another speed and place"
    np.testing.assert_array_equal(hear(clip, hearing, AROUND, rng(seed))[-len(clip) :], alone)


@pytest.mark.parametrize("warm", [False, True])
def test_the_same_seed_hears_the_same_and_another_something_else(warm):
    hearing = Hearing(warm=warm)
    heard = [hear(babble(1.0), hearing, AROUND, rng(seed)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(heard[0], heard[1])
    assert not np.array_equal(heard[0], heard[2])
    assert heard[0].dtype == np.float32


def test_gain_stays_in_its_range():
    hearing = replace(CLEAN, warm=False, gain_db=(-10.0, 6.0))
    clip = babble(1.0)
    gains = [decibels(np.mean(hear(clip, hearing, AROUND, rng(seed)) ** 2) / np.mean(clip**2)) for seed in range(40)]
    assert -10.01 < min(gains) < -7
    assert 3 < max(gains) < 6.01


def test_noise_is_a_recording_or_other_voices():
    only_noise = Hearing(warm=False, shift_ms=0, speed=(1, 1), noisy=1.0, babble=0.0, gain_db=(0, 0), snr_db=(0, 0))
    clip = babble(1.0)
    quiet = Surroundings(noises=[np.full(40_000, 0.5, np.float32)], others=AROUND.others)
    added = hear(clip, only_noise, quiet, rng()) - clip
    np.testing.assert_allclose(added, added[0], atol=1e-6)  # the one recording there is, a constant
    voices = hear(clip, replace(only_noise, babble=1.0), quiet, rng()) - clip
    assert np.ptp(voices) > 0.1


def test_a_piece_of_a_short_recording_is_repeated():
    short = np.arange(10, dtype=np.float32)
    np.testing.assert_array_equal(piece([short], 25, rng()), np.resize(short, 25))
    assert len(piece([np.zeros(50, np.float32)], 25, rng())) == 25


@pytest.mark.parametrize("kind", KINDS)
def test_made_noise_has_one_level_and_differs_between_seeds(kind):
    noise = made_noise(kind, 2.0, seed=1)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(0.1, rel=1e-3)
    np.testing.assert_array_equal(noise, made_noise(kind, 2.0, seed=1))
    assert not np.array_equal(noise, made_noise(kind, 2.0, seed=2))


def vectors(batch=3, length=98):
    return torch.rand(batch, length, 40, generator=torch.Generator().manual_seed(5)) * 20


def warped(warp, x, seed=0):
    return warp(x, torch.Generator().manual_seed(seed))


def test_a_warp_of_nothing_leaves_features_as_they_are():
    x = vectors()
    out = warped(STILL, x)
    assert torch.equal(out[:, :-1, :-1], x[:, :-1, :-1])
    assert torch.allclose(out, x, atol=0.05)  # the last vector and band are a thousandth of their neighbours'


def test_a_warp_is_drawn_for_each_clip_and_repeated_by_its_seed():
    x = vectors(1).expand(3, -1, -1)
    out = warped(FeatureWarp(), x)
    assert out.shape == x.shape
    assert torch.equal(out, warped(FeatureWarp(), x))
    assert not torch.equal(out, warped(FeatureWarp(), x, seed=1))
    assert not torch.allclose(out[0], out[1])


def test_a_shift_moves_vectors_by_no_more_than_asked():
    x = torch.arange(98.0)[None, :, None].expand(40, 98, 40)  # each value says when it was
    moved = (warped(replace(STILL, shift=6), x) - x)[:, 20:-20]
    assert float(moved.abs().max()) <= 6
    assert float(moved.max()) > 4
    assert float(moved.min()) < -4


def test_tempo_changes_around_the_middle_of_the_clip():
    x = torch.arange(168.0)[None, :, None].expand(40, 168, 40)
    moved = warped(replace(STILL, tempo=0.1), x) - x
    assert float(moved[:, 118].abs().max()) < 1e-3
    assert 2 < float(moved[:, 158].abs().max()) <= 4.01


def test_a_longer_vocal_tract_moves_bands():
    x = torch.arange(40.0).expand(40, 98, 40)
    moved = warped(replace(STILL, tract=0.1), x) - x
    assert float(moved[:, :, 0].abs().max()) == 0
    assert 2 < float(moved[:, :, 30].abs().max()) <= 3.01


def test_masks_cover_one_run_of_vectors_or_bands():
    x = vectors(60) + 1
    hidden = (warped(replace(STILL, mask_vectors=12), x) - x).abs().amax(dim=2) > 0.05  # (batch, vectors)
    assert 6 < int(hidden.sum(dim=1).max()) <= 12
    for row in hidden:
        at = torch.nonzero(row).flatten()
        assert not len(at) or len(at) == int(at[-1] - at[0]) + 1
    hidden = (warped(replace(STILL, mask_bands=8), x) - x).abs().amax(dim=1) > 0.05  # (batch, bands)
    assert 4 < int(hidden.sum(dim=1).max()) <= 8
