"""Bench: what it prints is measured, on a real session and in a fresh process."""

import numpy as np
import pytest

from device_runtime import bench
from device_runtime.errors import EngineError
from device_runtime.session import Session
from models import SPEECH
from sounds import WINDOW, skip_where_nothing_hears, write_bundle


def test_a_bench_measures_steps_seconds_and_memory(tmp_path):
    cost = bench.measure(write_bundle(tmp_path / "tiny.bundle"), "reference", steps=100, seconds=3)
    assert cost.engine == "reference"
    assert 0 < cost.step_us_median <= cost.step_us_p99
    # 80 steps in a second of this front end
    assert cost.audio_second_us > 40 * cost.step_us_median
    assert cost.real_time_factor == pytest.approx(cost.audio_second_us / 1e6, abs=1e-6)
    assert 5 < cost.peak_mb < 200


def test_the_front_end_is_part_of_the_cost_of_a_second(tmp_path):
    skip_where_nothing_hears()
    cost = bench.measure(write_bundle(tmp_path / "tiny.bundle", SPEECH), "reference", steps=100, seconds=3)
    assert cost.audio_second_us > 33 * cost.step_us_median


def test_memory_is_that_of_a_fresh_process(tmp_path):
    folder = write_bundle(tmp_path / "tiny.bundle")
    before = bench.measure(folder, "reference", steps=1, seconds=1).peak_mb
    ballast = np.ones(100_000_000, np.uint8)
    after = bench.measure(folder, "reference", steps=1, seconds=1).peak_mb
    assert after < before + 50, f"this process holds {len(ballast)} bytes more"


def test_a_fresh_process_that_fails_says_why(tmp_path, monkeypatch):
    folder = write_bundle(tmp_path / "tiny.bundle")
    monkeypatch.setattr(bench.sys, "executable", "/bin/false")
    with pytest.raises(EngineError, match="a fresh process could not run the engine reference: exit code 1"):
        bench.measure(folder, "reference", steps=1, seconds=1)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_example_signal_fits_any_front_end(tmp_path, channels):
    session = Session.open(write_bundle(tmp_path / "tiny.bundle", {**WINDOW, "segment": 200}))
    session.frontend.channels = channels
    signal = bench.example_signal(session, 0.5)
    assert signal.shape == ((8000,) if channels == 1 else (8000, 3))
    assert np.array_equal(signal, bench.example_signal(session, 0.5))
