"""Epochs: every clip at most once, from random copies, with its own label, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from train.augment import FeatureWarp
from train.batches import CLIP_VECTORS, SHORTEST_PREROLL, FeatureSet, FrameView, epochs, joined

STILL = FeatureWarp(tempo=0.0, shift=0, tract=0.0)
AS_THEY_ARE = FrameView(0, 0)


def feature_set(clips, vectors=98, first=0, taught=False):
    """Clip i holds nothing but the number first + i, which is also its label."""
    numbers = np.arange(first, first + clips)
    held = np.broadcast_to(numbers[:, None, None], (clips, vectors, 4)).astype(np.float16)
    answers = np.stack([numbers, -numbers], axis=1).astype(np.float32) if taught else None
    return FeatureSet(held, numbers, numbers % 2 == 1, numbers % 7, answers)


def drawn(feature_sets, batch_size=4, seed=0, warp=STILL, view=AS_THEY_ARE):
    made = epochs(feature_sets, view, warp, batch_size)
    batches = list(made.draw(torch.Generator().manual_seed(seed)))
    assert len(batches) == made.steps
    return batches


def test_an_epoch_visits_each_clip_of_a_lone_copy_once():
    labels = torch.cat([batch[1] for batch in drawn([feature_set(22)])])
    assert len(labels) == 20, "what does not fill a batch waits for another epoch"
    assert len(set(labels.tolist())) == 20


def test_every_clip_keeps_its_label_its_mark_its_tail_and_its_teacher_s_answer():
    copies = [feature_set(20, taught=True), feature_set(30, first=100, taught=True)]
    for frames, labels, whole, tails, taught in drawn(copies):
        assert torch.equal(frames, labels[:, None, None].expand_as(frames).float())
        assert torch.equal(whole, labels % 2 == 1)
        assert torch.equal(tails, labels % 7)
        assert torch.equal(taught, torch.stack([labels, -labels], dim=1).float())


def test_a_copy_that_no_teacher_has_heard_gives_batches_of_four():
    assert {len(batch) for batch in drawn([feature_set(20)])} == {4}


def test_batches_come_from_all_copies_but_each_from_one():
    copies = [feature_set(80), feature_set(80, first=100), feature_set(80, first=200)]
    origins = [set((batch[1] // 100).tolist()) for batch in drawn(copies)]
    assert all(len(origin) == 1 for origin in origins)
    assert set.union(*origins) == {0, 1, 2}


def test_an_epoch_is_as_long_as_the_smallest_copy():
    assert epochs([feature_set(80), feature_set(33)], AS_THEY_ARE, STILL, 8).steps == 4


def test_a_copy_smaller_than_a_batch_is_one_batch():
    made = epochs([feature_set(5), feature_set(9)], AS_THEY_ARE, STILL, batch_size=128)
    assert made.steps == 1
    assert [len(batch[1]) for batch in made.draw(torch.Generator().manual_seed(0))] == [5]


def test_the_same_generator_draws_the_same_batches_and_another_others():
    copies = [feature_set(40, 168), feature_set(40, first=100)]
    first, again, other = (drawn(copies, seed=seed, warp=FeatureWarp()) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for one, two in zip(first, again, strict=True) for a, b in zip(one, two, strict=True))
    assert any(not torch.equal(one[1], two[1]) for one, two in zip(first, other, strict=True))


def test_warm_batches_lose_a_random_part_of_their_preroll_and_cold_ones_nothing():
    lengths = {batch[0].shape[1] for batch in drawn([feature_set(200, 168)])}
    assert len(lengths) > 10
    assert min(lengths) > CLIP_VECTORS + SHORTEST_PREROLL
    assert max(lengths) <= 168
    assert {batch[0].shape[1] for batch in drawn([feature_set(40, 98)])} == {98}


def test_a_batch_is_in_frames_as_the_student_sees_them():
    assert drawn([feature_set(8)], view=FrameView(5, 3))[0][0].shape == (4, 32, 20)


def test_joined_sets_keep_clips_labels_marks_and_tails_in_order():
    both = joined([feature_set(3), feature_set(2, first=10)])
    assert len(both) == 5
    assert both.labels.tolist() == [0, 1, 2, 10, 11] == both.vectors[:, 0, 0].tolist()
    assert both.whole.tolist() == [False, True, False, False, True]
    assert both.tails.tolist() == [0, 1, 2, 3, 4]
