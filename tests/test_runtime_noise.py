"""Noise is added at the ratio that was asked for, and is none that training has heard."""

import math

import numpy as np
import pytest

from device_runtime.noise import Noises, add_noise, pink
from levels import level, write_clips
from sounds import RATE


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
