"""Calibration: the largest value seen becomes 127, the student stays as it is, and little accuracy is lost."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="compression needs torch")

import torch

from compress.lowrank import LowRank
from compress.qat import Int8Student
from compress.quantize import Int8, _gain, calibrate
from compress.ranges import LeastError, Percentile
from compress.ranks import Fixed
from compress.structured import RemoveUnits
from device_runtime.errors import InputError
from train.cells import FastGrnn, Lstm, MinGru, Vanilla
from train.student import Student, StudentConfig

SHAPE = StudentConfig(channels=6, projection=20, hidden=24)


class Bench:
    """Remembers what it was asked to train."""

    def __init__(self, frames):
        self.calibration = frames
        self.calls = []

    def tune(self, model, epochs, learning_rate, title, after_step=None, best_from=0.0, settings=""):
        self.calls.append(SimpleNamespace(model=model, epochs=epochs, learning_rate=learning_rate, title=title))


@pytest.fixture
def frames():
    return torch.rand(5, 15, 200, generator=torch.Generator().manual_seed(2)) * 25


@pytest.fixture
def student():
    torch.manual_seed(1)
    return Student(SHAPE, labels=5)


def test_the_largest_values_seen_become_127_and_the_features_take_a_power_of_two(student, frames):
    int8 = calibrate(student, frames)
    assert 127 / 2 < float(int8.input_gain) * float(frames.abs().max()) <= 127
    assert math.log2(float(int8.input_gain)).is_integer()
    x = (frames - student.mean) / student.std
    for dense, gain in zip(student.dense, int8.output_gains, strict=True):
        x = dense(x).detach()
        assert float(gain) * float(x.max()) == pytest.approx(127, rel=1e-5)


@pytest.mark.parametrize("taken", [Percentile(99.9), LeastError()], ids=repr)
def test_no_feature_escapes_a_range_whatever_the_shape(taken):
    """Of 1,000 clips of 40 steps, every eighth value alone would be of every eighth feature alone."""
    values = torch.randn(1000, 40, 56, generator=torch.Generator().manual_seed(0))
    values[..., ::8] *= 0.01
    assert 127 / _gain(values, taken) > 2


def test_silent_frames_and_dead_units_do_not_break_calibration(student):
    with torch.no_grad():
        student.dense[0].affine.bias.fill_(-100)  # no unit ever opens
    int8 = calibrate(student, torch.zeros(2, 4, 200))
    assert bool(torch.isfinite(int8(torch.zeros(1, 4, 200))).all())


def test_int8_scores_stay_close_to_the_float_student_s(student, frames):
    with torch.no_grad():
        exact, rounded = student(frames), calibrate(student, frames)(frames)
    error = float((exact - rounded).square().mean().sqrt())
    assert 0 < error < 0.05 * float(exact.std(dim=(0, 1)).mean() + exact.abs().mean())


def test_without_epochs_nothing_is_trained_and_the_student_stays_as_it_is(student, frames):
    before = {name: value.clone() for name, value in student.state_dict().items()}
    bench = Bench(frames)
    int8 = Int8().apply(student, bench)
    assert isinstance(int8, Int8Student)
    assert not bench.calls
    assert all(torch.equal(value, before[name]) for name, value in student.state_dict().items())


@pytest.mark.parametrize("cell", [Vanilla(), Lstm(), MinGru(), FastGrnn()], ids=repr)
@pytest.mark.parametrize("method", [Int8(), LowRank(Fixed(2), epochs=0), RemoveUnits(0.5, epochs=0)], ids=repr)
def test_a_student_of_a_cell_that_no_engine_runs_is_refused(method, cell, frames):
    told = f"cells of {cell.name} is trained and compared, but only gru and sru are deployed: it cannot be compressed"
    with pytest.raises(InputError, match=told):
        method.apply(Student(replace(SHAPE, cell=cell), labels=5), Bench(frames))


def test_with_epochs_the_int8_student_itself_is_trained(student, frames):
    bench = Bench(frames)
    int8 = Int8(epochs=4, learning_rate=2e-4).apply(student, bench)
    (call,) = bench.calls
    assert call.model is int8
    assert (call.epochs, call.learning_rate, call.title) == (4, 2e-4, "int8")
