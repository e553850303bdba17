"""The teacher's hint: least where the student finds the same clips alike, whatever the sizes and scales."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from train.distill import FrameLoss
from train.hint import similarity_gap
from train.student import Student, StudentConfig
from train.teacher import Teacher, TeacherConfig, embeddings

CLIPS, STEPS, LABELS = 6, 20, 4


def rows(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_turned_and_scaled_states_say_the_same_of_who_is_like_whom():
    states = rows(CLIPS, 8)
    turn, _ = torch.linalg.qr(rows(8, 8, seed=1))
    assert float(similarity_gap(states, 3 * states @ turn)) == pytest.approx(0, abs=1e-6)
    assert float(similarity_gap(states, rows(CLIPS, 20, seed=2))) > 0.1


def test_following_the_hint_closes_the_gap():
    states, embedding = rows(CLIPS, 8), rows(CLIPS, 5, seed=3)
    before = float(similarity_gap(states, embedding))
    for _ in range(200):
        states.requires_grad_()
        (slope,) = torch.autograd.grad(similarity_gap(states, embedding), states)
        states = (states - 0.5 * slope).detach()
    assert float(similarity_gap(states, embedding)) < 0.1 * before


def batch(whole, hints):
    frames = rows(CLIPS, STEPS, 200, seed=4)
    labels = torch.arange(CLIPS) % 2
    answers = rows(CLIPS, LABELS, seed=5).log_softmax(dim=1)
    return (frames, labels, whole, torch.zeros(CLIPS, dtype=torch.long), answers, hints)


def test_the_hint_reaches_the_student_s_states_for_words_alone():
    student = Student(StudentConfig(channels=4, projection=8, hidden=8), LABELS)
    loss = FrameLoss(12, negatives=(2, 3), soft=0.5)
    hints, whole = rows(CLIPS, 5, seed=6), torch.arange(CLIPS) >= 4
    told, otherwise = (batch(whole, inside) for inside in (hints, torch.where(whole[:, None], 9.0, hints)))
    hinted = replace(loss, hint=1.0)
    with torch.no_grad():
        without, with_hint = float(loss(student, told)), float(hinted(student, told))
        assert with_hint > without
        assert float(hinted(student, otherwise)) == with_hint
        assert float(hinted(student, told[:5])) == without, "no hints, no hint"


def test_a_teacher_s_embedding_is_what_its_answer_is_made_of():
    teachers = [Teacher(TeacherConfig(4, 8, 6, 1), LABELS).eval() for _ in range(2)]
    vectors = rows(3, 98, 40)
    inside = embeddings(teachers, vectors)
    assert inside.shape == (3, 2 * 12)
    said = teachers[1](vectors)
    assert torch.allclose(teachers[1].head(inside[:, 12:]), said, atol=0.02), "in bfloat16, where the machine has it"
