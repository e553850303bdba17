"""Scores: each ranks weights as its paper says, and what was learned outlives an interrupted training."""

from __future__ import annotations

import itertools

import pytest

pytest.importorskip("torch", reason="compression needs torch")

import torch
from torch import nn

from compress.prune import Prune
from compress.scores import Gradient, Magnitude, Movement
from device_runtime.errors import InputError
from train.loop import Epochs, Schedule, fit
from train.training_losses import training_losses

WEIGHT = [[1.0, -4.0, 3.0, -2.0]]
SLOPE = [[5.0, 1.0, -1.0, -0.5]]
"""The loss rises so steeply with each weight: training lowers the first two and raises the others."""


class OneMatrix(nn.Module):
    """A matrix, and beside it a head that is never pruned."""

    def __init__(self, weight=WEIGHT):
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor(weight))
        self.head = nn.Linear(2, 2)


class Bench:
    """Its losses have the slope that the test names, and it trains by nothing at all."""

    def __init__(self, *slopes):
        self.slopes = [torch.tensor(slope) for slope in slopes or (SLOPE,)]
        self.asked = []

    def losses(self, model, batches):
        self.asked.append(batches)
        for slope in itertools.islice(itertools.cycle(self.slopes), batches):
            yield (model.matrix * slope).sum()

    def tune(self, model, epochs, learning_rate, title, after_step=None, best_from=0.0, settings=""):
        raise AssertionError("nothing is trained in 0 epochs")


def left(score, sparsity=0.5, bench=None, weight=WEIGHT, **settings):
    """Which weights stay when half of them are removed at once."""
    prune = Prune(sparsity, epochs=0, block=(1, 1), ramp=0, smallest=1, score=score, **settings)
    pruned = prune.apply(OneMatrix(weight), bench or Bench())
    return (pruned.matrix != 0).int().tolist()


def test_each_score_keeps_what_it_says():
    assert left(Magnitude()) == [[0, 1, 1, 0]]  # 1, 16, 9, 4
    assert left(Gradient(batches=1)) == [[1, 1, 0, 0]]  # 5, 4, 3, 1
    assert left(Movement(batches=1)) == [[0, 1, 1, 0]]  # -5, 4, 3, -1: signs of weight and way differ


def test_movement_keeps_a_small_weight_that_grows_and_drops_a_large_one_that_shrinks():
    weight, bench = [[9.0, 0.1, 0.2, 8.0]], Bench([[1.0, -1.0, -1.0, 1.0]])
    assert left(Magnitude(), weight=weight, bench=bench) == [[1, 0, 0, 1]]
    assert left(Movement(), weight=weight, bench=bench) == [[0, 1, 1, 0]]


def test_what_was_zero_before_is_counted_among_the_zeros():
    weight = [[0.0, 0.0, 3.0, 4.0]]  # movement: 0, 0 and below: to be driven to zero is worth less than to be there
    shrinking = Bench([[1.0, 1.0, 1.0, 1.0]])
    assert left(Movement(), weight=weight, bench=shrinking) == [[0, 0, 1, 1]]


def test_a_step_that_overflows_teaches_a_score_nothing():
    weight, once = [[1.0, 2.0, 3.0, 4.0]], [[4.0, 3.0, 0.5, 0.1]]
    overflowing = Bench([[float("inf"), 1.0, float("nan"), 1.0]], once)
    assert left(Gradient(batches=2), weight=weight, bench=overflowing) == [[1, 1, 0, 0]]


def test_a_gradient_s_sign_does_not_matter_and_batches_do_not_cancel():
    there_and_back = Bench([[1.0, 0.1, 0.1, 0.1]], [[-1.0, 0.1, 0.1, 0.1]])
    weight = [[1.0, 1.0, 1.1, 1.2]]
    assert left(Gradient(batches=2), 0.75, there_and_back, weight) == [[1, 0, 0, 0]]
    assert left(Movement(batches=2), 0.75, there_and_back, weight) == [[1, 0, 0, 0]]  # 0 against -0.2, -0.22, -0.24


def test_momentum_says_how_soon_a_batch_is_forgotten():
    weight, bench = [[1.0, 1.0]], ([[3.0, 0.0]], [[0.0, 2.0]])
    assert left(Gradient(momentum=0.9, batches=2), 0.5, Bench(*bench), weight) == [[1, 0]]  # 0.27 against 0.2
    assert left(Gradient(momentum=0.5, batches=2), 0.5, Bench(*bench), weight) == [[0, 1]]  # 0.75 against 1


def test_only_scores_that_need_gradients_ask_for_losses_and_none_leaves_a_trace():
    bench, model = Bench(), OneMatrix()
    names = list(model.state_dict())
    Prune(0.5, 0, ramp=0, smallest=1).apply(model, bench)
    assert bench.asked == []
    Prune(0.5, 0, ramp=0, smallest=1, score=Gradient(batches=3)).apply(model, bench)
    assert bench.asked == [3]
    assert list(model.state_dict()) == names
    assert model.matrix.grad is None


@pytest.mark.parametrize(
    ("score", "settings", "message"),
    [
        (Gradient, {"momentum": 1.0}, r"Gradient got momentum 1.0: it is a share from 0 to below 1, such as 0\.99"),
        (Gradient, {"momentum": -0.5}, r"Gradient got momentum -0.5"),
        (Gradient, {"batches": 0}, r"Gradient got 0 batches, but needs 1 or more to see gradients before it removes"),
        (Movement, {"batches": -1}, r"Movement got -1 batches"),
    ],
)
def test_settings_that_make_no_sense_are_refused(score, settings, message):
    with pytest.raises(InputError, match=message):
        score(**settings)


INPUTS, TARGETS = torch.randn(2, 40, 6, generator=torch.Generator().manual_seed(5))


def draw(generator):
    for at in torch.randperm(40, generator=generator).split(8):
        yield INPUTS[at], TARGETS[at]


def square(model, batch):
    x, target = batch
    return (model(x) - target).square().mean()


class RealBench:
    """Trains with the real loop, and may be cut off in an epoch."""

    def __init__(self, checkpoint=None, cut_after=None):
        self.checkpoint, self.cut_after, self.states = checkpoint, cut_after, []

    def losses(self, model, batches):
        return training_losses(model, Epochs(draw, steps=5), square, batches, seed=0)

    def tune(self, model, epochs, learning_rate, title, after_step=None, best_from=0.0, settings=""):
        def step(done):
            after_step(done)
            self.states.append({name: value.clone() for name, value in model.state_dict().items()})
            if len(self.states) == self.cut_after:
                raise KeyboardInterrupt

        def last(model):
            return float(len(self.states))  # the last epoch is the best

        schedule = Schedule(epochs, learning_rate)
        fit(model, Epochs(draw, 5), square, last, schedule, self.checkpoint, 0, step, best_from=best_from)


def model():
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 6))


def prune(score):
    return Prune(0.6, epochs=6, block=(2, 1), ramp=0.5, learning_rate=0.03, smallest=1, score=score)


@pytest.mark.parametrize("score", [Magnitude(), Gradient(momentum=0.8, batches=4), Movement(batches=4)], ids=repr)
def test_an_interrupted_pruning_ends_at_the_same_weights(score, tmp_path):
    whole = prune(score).apply(model(), RealBench())
    with pytest.raises(KeyboardInterrupt):
        prune(score).apply(model(), RealBench(tmp_path / "cut.ckpt", cut_after=13))
    resumed = prune(score).apply(model(), RealBench(tmp_path / "cut.ckpt"))
    assert list(whole.state_dict()) == list(resumed.state_dict()) == list(model().state_dict())
    assert all(map(torch.equal, whole.state_dict().values(), resumed.state_dict().values()))
    assert float((whole[0].weight == 0).double().mean()) == pytest.approx(0.6, abs=0.03)


@pytest.mark.parametrize("score", [Gradient(batches=4), Movement(batches=4)], ids=repr)
def test_after_the_ramp_the_masks_are_held_while_the_rest_learns(score):
    bench = RealBench()
    prune(score).apply(model(), bench)
    zeros = [state["0.weight"] == 0 for state in bench.states]
    assert not zeros[0].all()
    assert all(torch.equal(later, zeros[15]) for later in zeros[15:])
    assert not torch.equal(bench.states[15]["0.weight"], bench.states[-1]["0.weight"])
    assert all(name in bench.states[0] for name in ("evidence_0", "evidence_3"))


def test_scores_that_learn_choose_other_blocks_than_magnitude():
    masks = {repr(score): prune(score).apply(model(), RealBench())[0].weight != 0 for score in (
        Magnitude(), Gradient(batches=4), Movement(batches=4),
    )}  # fmt: skip
    assert all(not torch.equal(one, other) for one, other in itertools.combinations(masks.values(), 2))


def test_losses_come_from_the_same_batches_each_time_as_many_as_asked_for():
    one, again = (list(RealBench().losses(model(), 7)) for _ in range(2))
    assert all(loss.requires_grad for loss in one)
    values = [loss.item() for loss in one]
    assert values == [loss.item() for loss in again]
    assert len({round(value, 6) for value in values}) == 7, "the second epoch is drawn anew"
