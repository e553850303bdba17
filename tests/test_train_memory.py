"""Training in less memory: the same gradients, and the bytes that it is said to save."""

import numpy as np
import pytest
import torch

from device_runtime.errors import InputError
from train import offload, truncated
from train.live_memory import LiveMemory
from train.recompute import Recompute, fitting
from train.student import Student, StudentConfig

CONFIG = StudentConfig(bands=8, stack=2, window_bands=4, hop_bands=2, channels=4, projection=6, hidden=12, gru_layers=2)


@pytest.fixture
def student():
    torch.manual_seed(0)
    return Student(CONFIG, labels=3)


@pytest.fixture
def frames():
    return torch.randn(2, 400, 16, generator=torch.Generator().manual_seed(1))


def learned(student, outputs):
    """The gradients of a loss over all steps."""
    student.zero_grad()
    outputs.square().mean().backward()
    return torch.cat([p.grad.flatten() for p in student.parameters()])


def learned_again(student, outputs):
    """The same into gradients that are there."""
    student.zero_grad(set_to_none=False)
    outputs.square().mean().backward()


def difference(first, second):
    return float((first - second).abs().max() / second.abs().max())


@pytest.mark.parametrize("steps", [None, 1, 7, 400, 1000])
def test_recomputed_gradients_are_those_of_the_whole_sequence(student, frames, steps):
    plain = learned(student, student(frames))
    assert difference(learned(student, Recompute(steps).run(student, frames)), plain) < 1e-5


def test_recomputing_keeps_a_fraction_of_the_activations(student):
    frames = torch.randn(2, 600, 16)
    with LiveMemory() as plain:
        learned(student, student(frames))
    with LiveMemory() as recomputed:
        learned(student, Recompute().run(student, frames))
    assert recomputed.peak_bytes < plain.peak_bytes / 5


def test_views_of_what_was_there_before_are_not_counted_as_made():
    before = torch.zeros(1000)
    with LiveMemory() as memory:
        views = before.view(10, 100), before.split(10), before.add_(1)
        assert (memory.live_bytes, len(views)) == (0, 3)
        made = before + 1
        assert memory.live_bytes == made.nbytes
        del made
    assert (memory.live_bytes, memory.peak_bytes) == (0, 4000)


def test_the_longest_stretch_that_fits_a_limit_is_chosen(student, frames):
    learned(student, student(frames))  # gradients are there, as in all steps of a training but the first
    with LiveMemory() as memory:
        learned_again(student, student(frames))
    whole = memory.peak_bytes
    chosen = fitting(student, frames, whole / 4)
    assert 40 < chosen.steps < 130
    with LiveMemory() as limited:
        learned_again(student, chosen.run(student, frames))
    assert 0.7 * whole / 4 < limited.peak_bytes < 1.05 * whole / 4
    assert fitting(student, frames, 10 * whole) is None, "nothing must be computed twice"
    assert fitting(student, frames[:, :1], 1) is None, "a single step cannot be shorter"


def test_a_limit_that_nothing_fits_says_what_would(student, frames):
    with pytest.raises(InputError, match=r"too few for 400 steps of 2 sequences: even with recomputing they need"):
        fitting(student, frames, 1000)


def test_a_stretch_without_steps_is_refused():
    with pytest.raises(InputError, match="stretches of at least 1 step, got 0"):
        Recompute(steps=0)


def test_activations_on_disk_give_the_same_gradients_and_leave_no_file(student, frames, tmp_path):
    frames = frames[:, :100]
    plain = learned(student, student(frames))
    with LiveMemory() as memory:
        outputs = student(frames)
    in_memory = memory.live_bytes
    del outputs
    with LiveMemory() as memory, offload.to_disk(student, tmp_path, smallest_bytes=50):
        outputs = student(frames)
        kept = memory.live_bytes
        assert len(list(tmp_path.glob("activations-*/*.bin"))) > 3
        assert difference(learned(student, outputs), plain) < 1e-6
    assert kept < in_memory / 2
    assert list(tmp_path.iterdir()) == []


def test_activations_in_the_cpu_s_memory_give_the_same_gradients(student, frames):
    plain = learned(student, student(frames))
    with offload.to_cpu():
        outputs = student(frames)
    assert difference(learned(student, outputs), plain) < 1e-6


def test_a_disk_that_is_full_says_so(student, frames, tmp_path, monkeypatch):
    real = torch.Tensor.numpy

    class Full(np.ndarray):
        def tofile(self, path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch.Tensor, "numpy", lambda tensor: real(tensor).view(Full))
    told = "cannot be kept in .*: No space left on device. Make room there"
    with pytest.raises(InputError, match=told), offload.to_disk(student, tmp_path):
        student(frames)


def test_a_way_back_after_the_files_are_gone_says_so(student, frames, tmp_path):
    with offload.to_disk(student, tmp_path):
        outputs = student(frames)
    told = "an activation that was kept in .* cannot be read back: No such file or directory. Call backward"
    with pytest.raises(InputError, match=told):
        learned(student, outputs)


def test_one_piece_learns_what_the_whole_does_and_several_learn_less_far_back(student, frames):
    whole = learned(student, student(frames))
    student.zero_grad()
    value = truncated.gradients(student, frames, lambda outputs, here: outputs.square().mean(), 400)
    assert value == pytest.approx(float(student(frames).square().mean().detach()), rel=1e-5)
    assert difference(torch.cat([p.grad.flatten() for p in student.parameters()]), whole) < 1e-5
    student.zero_grad()
    truncated.gradients(student, frames, lambda outputs, here: outputs.square().mean(), 50)
    several = torch.cat([p.grad.flatten() for p in student.parameters()])
    assert 0 < difference(several, whole) < 0.5


def test_the_state_is_carried_from_piece_to_piece(student, frames):
    parts = [outputs for outputs, _ in truncated.pieces(student, frames, 37)]
    assert torch.allclose(torch.cat(parts, dim=1), student(frames), atol=1e-6)


def test_a_piece_without_steps_is_refused(student, frames):
    with pytest.raises(InputError, match="a piece of a sequence needs at least 1 step, got 0"):
        list(truncated.pieces(student, frames, 0))


def test_parameters_that_are_held_do_not_stop_the_fitting(student, frames):
    for weight in student.head.parameters():
        weight.requires_grad_(False)
    assert fitting(student, frames, 1e12) is None


def test_a_single_number_may_be_among_the_activations(student, frames, tmp_path):
    factor = torch.ones((), requires_grad=True)
    with offload.to_disk(student, tmp_path, smallest_bytes=0):
        (student(frames) * factor).sum().backward()
    assert factor.grad is not None
