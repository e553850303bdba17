"""What the losses ask for: the word where it ends, silence before it, none in negatives, the teacher's doubts."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch
from torch.nn import functional

from train.distill import FrameLoss, clip_loss

CLIP_STEPS, STEPS, LABELS = 12, 20, 5
UNKNOWN, SILENCE = 3, 4
LOSS = FrameLoss(CLIP_STEPS, negatives=(UNKNOWN, SILENCE))
LATE = range(STEPS - LOSS.late, STEPS)
EARLY = range(STEPS - CLIP_STEPS, STEPS - CLIP_STEPS + LOSS.early)


def spoken(logits):
    """A model that says these logits whatever it hears."""
    return lambda frames: logits


def batch(labels=(0, 1), whole=(False, False), taught=None, tails=None):
    ends = torch.zeros(len(labels), dtype=torch.long) if tails is None else torch.tensor(tails)
    told = (torch.zeros(len(labels), STEPS, 1), torch.tensor(labels), torch.tensor(whole), ends)
    return told if taught is None else (*told, taught)


def random_logits(clips=2):
    return torch.randn(clips, STEPS, LABELS, generator=torch.Generator().manual_seed(1), requires_grad=True)


def steps_with_gradient(loss, told):
    logits = random_logits(len(told[1]))
    loss(spoken(logits), told).backward()
    return [torch.nonzero(clip.abs().sum(dim=1)).flatten().tolist() for clip in logits.grad]


def certain(label, strength=8.0):
    logits = torch.zeros(1, STEPS, LABELS)
    logits[:, :, label] = strength
    return logits


def test_a_word_is_asked_for_late_in_its_clip_and_silence_at_its_start():
    assert steps_with_gradient(replace(LOSS, silence_weight=0.0), batch()) == [list(LATE), list(LATE)]
    assert steps_with_gradient(LOSS, batch()) == [[*EARLY, *LATE], [*EARLY, *LATE]]


def last_quarter(logits, labels):
    """Cross-entropy on the last quarter of each clip, whatever else is asked for."""
    late = logits[:, -LOSS.late :].flatten(0, 1)
    return functional.cross_entropy(late, torch.tensor(labels).repeat_interleave(LOSS.late), label_smoothing=0.1)


@pytest.mark.parametrize("tail", [0, 1, 8, 11])
def test_a_word_whose_end_is_not_looked_for_or_is_late_costs_what_the_last_quarter_costs(tail):
    logits = random_logits().detach()
    labels = replace(LOSS, silence_weight=0.0)
    told = batch(tails=(tail, tail))
    assert torch.equal(LOSS.at_word_ends(logits, told[3]), logits[:, -LOSS.late :])
    assert float(labels(spoken(logits), told)) == pytest.approx(float(last_quarter(logits, (0, 1))), rel=1e-6)
    taught = torch.randn(2, LABELS, generator=torch.Generator().manual_seed(3))
    for loss in (LOSS, replace(LOSS, soft=0.7)):
        assert float(loss(spoken(logits), batch(taught=taught, tails=(tail, tail)))) == float(
            loss(spoken(logits), batch(taught=taught))
        )


def test_a_word_that_ends_early_is_asked_for_right_after_its_end_and_not_at_the_clip_s():
    early, late = steps_with_gradient(replace(LOSS, silence_weight=0.0), batch(tails=(18, 0)))  # 6 steps, and unknown
    assert early == [STEPS - 6, STEPS - 5, STEPS - 4]
    assert late == list(LATE), "each clip has an end of its own"
    taught = torch.randn(2, LABELS, generator=torch.Generator().manual_seed(3))
    told = batch(tails=(18, 0), taught=taught)
    assert steps_with_gradient(replace(LOSS, silence_weight=0.0, soft=1.0), told) == [early, late]


def test_a_word_s_end_is_counted_in_steps_of_the_student():
    slow, fast = (
        steps_with_gradient(replace(LOSS, silence_weight=0.0, stride=stride), batch(tails=(9, 9))) for stride in (2, 1)
    )
    assert slow[0] == [STEPS - 4, STEPS - 3, STEPS - 2]
    assert fast[0] == [STEPS - 9, STEPS - 8, STEPS - 7]


def test_no_word_is_asked_for_while_silence_is_or_before_its_clip():
    first = EARLY.stop
    assert (
        steps_with_gradient(replace(LOSS, silence_weight=0.0), batch(tails=(36, 500)))
        == [[first, first + 1, first + 2]] * 2
    )


def test_a_recording_without_words_is_judged_on_every_step():
    word, negative = steps_with_gradient(LOSS, batch(labels=(0, UNKNOWN), whole=(False, True)))
    assert word == [*EARLY, *LATE]
    assert negative == list(range(STEPS))


def test_a_cold_clip_starts_with_its_silence():
    logits = random_logits()[:, -CLIP_STEPS:].detach().requires_grad_()
    LOSS(spoken(logits), batch()).backward()
    touched = torch.nonzero(logits.grad[0].abs().sum(dim=1)).flatten().tolist()
    assert touched == [0, 1, *range(CLIP_STEPS - LOSS.late, CLIP_STEPS)]


def test_any_negative_label_satisfies_a_recording_without_words():
    def cost(label):
        told = batch(labels=(UNKNOWN,), whole=(True,))
        return float(replace(LOSS, smoothing=0.0)(spoken(certain(label)), told))

    unknown, silence, word = cost(UNKNOWN), cost(SILENCE), cost(0)
    assert unknown < silence < word  # the label's own share makes the small difference
    assert word > silence + 4


def test_the_right_word_costs_least():
    costs = [float(LOSS(spoken(certain(label)), batch(labels=(1,), whole=(False,)))) for label in range(LABELS)]
    assert min(costs) == costs[1]


def test_without_a_soft_share_the_teacher_is_ignored():
    logits = random_logits().detach()
    one, other = (torch.randn(2, LABELS, generator=torch.Generator().manual_seed(seed)) for seed in (2, 3))
    values = [float(LOSS(spoken(logits), batch(taught=taught))) for taught in (None, one, other)]
    assert values[0] == values[1] == values[2]


def test_with_only_a_soft_share_the_labels_of_words_are_ignored():
    soft = replace(LOSS, soft=1.0)
    logits, taught = random_logits().detach(), torch.randn(2, LABELS)
    assert float(soft(spoken(logits), batch((0, 1), taught=taught))) == float(
        soft(spoken(logits), batch((2, 0), taught=taught))
    )


def test_the_soft_share_is_least_where_student_and_teacher_agree():
    soft = replace(LOSS, soft=1.0, silence_weight=0.0)
    taught = torch.randn(2, LABELS, generator=torch.Generator().manual_seed(4)).log_softmax(dim=1)
    agreeing = taught[:, None].expand(2, STEPS, LABELS).clone().requires_grad_()
    at_best = soft(spoken(agreeing), batch(taught=taught))
    at_best.backward()
    assert float(agreeing.grad.abs().max()) < 1e-6
    assert at_best < soft(spoken(random_logits()), batch(taught=taught))


def test_the_teacher_is_not_asked_about_recordings_without_words():
    soft = replace(LOSS, soft=0.7)
    logits = random_logits(1).detach()
    told = batch(labels=(SILENCE,), whole=(True,))
    assert float(soft(spoken(logits), (*told, torch.randn(1, LABELS)))) == float(LOSS(spoken(logits), told))


def test_the_teacher_s_loss_is_one_label_a_clip():
    logits = torch.randn(3, LABELS, requires_grad=True)
    value = clip_loss(spoken(logits), batch((0, 1, 2), (False,) * 3))
    assert value == torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2]), label_smoothing=0.1)


def test_words_stay_silent_throughout_a_clip_of_another_word_but_not_before_it():
    word, other = steps_with_gradient(replace(LOSS, silence_weight=0.0), batch(labels=(0, UNKNOWN)))
    assert word == list(LATE)
    assert other == list(range(EARLY.stop, STEPS))


@pytest.mark.parametrize("whole", [False, True])
def test_one_bad_moment_costs_more_than_the_same_doubt_spread_out(whole):
    """What sets a detector off is its worst moment."""
    base = certain(UNKNOWN)
    spread, moment = base.clone(), base.clone()
    inside = slice(EARLY.stop, STEPS - LOSS.late)  # where no label is asked for
    spread[:, inside, 0] = 5.0
    moment[:, EARLY.stop : EARLY.stop + LOSS.late, 0] = 12.0

    def cost(logits):
        return float(LOSS(spoken(logits), batch(labels=(UNKNOWN,), whole=(whole,))))

    assert cost(moment) > cost(spread) > cost(base)


def test_another_word_may_not_be_heard_once_the_one_before_must_be_forgotten():
    first = EARLY.stop
    strict, lax = replace(LOSS, silence_weight=0.0, clear=1.0), replace(LOSS, silence_weight=0.0)
    told = batch(labels=(0, UNKNOWN))
    heard, quiet = torch.zeros(2, 2, STEPS, LABELS)
    heard[:, :, 1] = 4.0  # word 1 in a clip of word 0, and in one of no word
    quiet[:, :, SILENCE] = 4.0
    early = quiet.clone()
    early[:, :first] = heard[:, :first]
    cost = {name: float(strict(spoken(x), told) - lax(spoken(x), told)) for name, x in
            (("heard", heard), ("early", early), ("quiet", quiet))}  # fmt: skip
    assert cost["heard"] > 1.0
    assert cost["early"] == pytest.approx(cost["quiet"]), "before that it may still be the answer"
    assert cost["quiet"] < 0.1
    own = certain(0)
    assert float(strict(spoken(own), batch(labels=(0,), whole=(False,)))) == pytest.approx(
        float(lax(spoken(own), batch(labels=(0,), whole=(False,)))), abs=0.01
    )
