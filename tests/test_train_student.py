"""The student sees frames as the device makes them and never looks ahead; the teacher hears whole clips."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from device_runtime.frontends.speech import SpeechFrontend
from sounds import babble
from train.batches import FrameView
from train.cells import Bidirectional, Gru, Lstm, Vanilla
from train.features import feature_vectors
from train.student import SlidingDense, Student, StudentConfig, stack_frames
from train.teacher import Teacher, TeacherConfig, ensemble


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def device_frames(audio, stack, stride):
    return np.array([frame.values for frame in SpeechFrontend(stack=stack, stride=stride).push(audio)])


@pytest.mark.parametrize(("stack", "stride"), [(5, 3), (1, 1), (3, 3), (2, 5), (8, 1)])
def test_stacked_vectors_are_the_device_s_frames_bit_for_bit(stack, stride):
    audio = babble(2.0)
    frames = stack_frames(torch.from_numpy(feature_vectors(audio))[None], stack, stride)[0].numpy()
    np.testing.assert_array_equal(frames, device_frames(audio, stack, stride))


def test_a_view_of_a_cold_second_is_what_the_device_sees():
    audio = babble(1.0)
    vectors = feature_vectors(audio)
    assert vectors.shape == (98, 40)
    frames = FrameView(5, 3)(torch.from_numpy(vectors)[None])[0].numpy()
    np.testing.assert_array_equal(frames, device_frames(audio, 5, 3))


@pytest.mark.parametrize("vectors", [5, 97, 98, 99, 168])
def test_a_view_ends_with_the_last_vector_and_knows_its_steps(vectors):
    view = FrameView(5, 3)
    seen = view(torch.arange(vectors * 2.0).view(1, vectors, 2))
    assert seen.shape == (1, view.steps(vectors), 10)
    assert seen[0, -1, -1] == vectors * 2 - 1


def test_the_teacher_s_view_leaves_vectors_as_they_are():
    vectors = torch.rand(2, 98, 40)
    assert FrameView(0, 0)(vectors) is vectors


SHAPES = {
    "as shipped": StudentConfig(),
    "two GRU layers": StudentConfig(hidden=12, gru_layers=2),
    "without convolution": StudentConfig(channels=0, projection=20, hidden=12),
    "without projection": StudentConfig(channels=4, projection=0, hidden=12),
    "a GRU alone": StudentConfig(channels=0, projection=0, hidden=12),
    "other frames": StudentConfig(stack=3, stride=2, window_bands=10, hop_bands=5, channels=4, hidden=12),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_student_gives_scores_for_every_step_and_never_hears_the_future(shape):
    config = SHAPES[shape]
    student = Student(config, labels=6)
    frames = torch.rand(2, 9, config.bands * config.stack) * 20
    scores = student(frames)
    assert scores.shape == (2, 9, 6)
    changed = frames.clone()
    changed[:, 6:] += 5
    after = student(changed)
    assert torch.equal(after[:, :6], scores[:, :6])
    assert not torch.equal(after[:, 6:], scores[:, 6:])


def test_a_sliding_layer_is_a_convolution_along_its_input():
    layer = SlidingDense(columns=4, rows=3, hop=2)
    x = torch.rand(11)
    windows = [torch.relu(layer.affine(x[at : at + 4])) for at in (0, 2, 4, 6)]
    assert torch.allclose(layer(x), torch.cat(windows), atol=1e-6)
    assert layer.outputs(11) == 12


@pytest.mark.parametrize("cell", [Gru(), Lstm(), Vanilla()], ids=repr)
@pytest.mark.parametrize("vectors", [98, 120, 168])
def test_a_teacher_answers_clips_of_any_length_and_leaves_nothing_out(vectors, cell):
    shape = TeacherConfig(channels=4, projection=8, hidden=6, gru_layers=1, cell=Bidirectional(cell))
    teacher = Teacher(shape, labels=5).eval()
    heard = torch.rand(2, vectors, 40, requires_grad=True)
    answer = teacher(heard)
    assert answer.shape == (2, 5)
    answer.square().sum().backward()
    assert heard.grad is not None
    assert bool((heard.grad.abs().sum(dim=0) > 0).all()), "every vector and band counts"


def test_several_teachers_answer_with_their_mean_log_probability():
    shapes = TeacherConfig(4, 8, 6, gru_layers=1), TeacherConfig(4, 8, 7, gru_layers=2, cell=Bidirectional(Lstm()))
    teachers = [Teacher(shape, labels=5).eval() for shape in shapes]
    vectors = torch.rand(3, 98, 40) * 20
    each = [teacher(vectors).log_softmax(dim=1) for teacher in teachers]
    answer = ensemble(teachers, vectors)
    assert torch.allclose(answer, (each[0] + each[1]) / 2, atol=0.02), "in bfloat16, where the machine has it"
    assert not answer.requires_grad
