"""The training loop: interrupted and resumed it ends where it would have, and it says plainly what is wrong."""

from __future__ import annotations

import dataclasses
import math
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch
from torch import nn

from device_runtime.errors import InputError
from processes import environment, run_processes
from train.loop import CHECKPOINT, Epochs, Schedule, fit
from train.measure import ERROR

SCHEDULE = Schedule(epochs=4, learning_rate=0.05)
STEPS = 3


def fresh_model(seed: int = 0) -> nn.Module:
    """With dropout and batch statistics, which a resumed training must also get back."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))


def epochs(before_step=lambda step: None) -> Epochs:
    steps_drawn = 0

    def draw(generator):
        nonlocal steps_drawn
        for _ in range(STEPS):
            before_step(steps_drawn)
            steps_drawn += 1
            x = torch.randn(16, 5, generator=generator)
            yield x, x[:, :3].argmax(dim=1)

    return Epochs(draw, STEPS)


def loss(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def accuracy(model) -> float:
    x = torch.randn(64, 5, generator=torch.Generator().manual_seed(9))
    return float((model(x).argmax(dim=1) == x[:, :3].argmax(dim=1)).double().mean())


def train(model, checkpoint=None, schedule=SCHEDULE, batches=None, validate=accuracy, objective=loss, **more):
    return fit(model, batches or epochs(), objective, validate, schedule, checkpoint, seed=3, **more)


def bits(model) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def values_in_turn(*values):
    """A validation that answers these, one after the other."""
    turn = iter(values)
    return lambda model: next(turn)


@pytest.fixture
def uninterrupted():
    model = fresh_model()
    history = train(model)
    return bits(model), history


def test_a_training_learns(uninterrupted):
    _, history = uninterrupted
    assert history.epoch == [1, 2, 3, 4]
    assert history.train_loss[-1] < 0.8 * history.train_loss[0]
    assert max(history.validation) > 0.6


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(uninterrupted):
    again, other = fresh_model(), fresh_model()
    train(again)
    fit(other, epochs(), loss, accuracy, SCHEDULE, seed=4)
    assert bits(again) == uninterrupted[0]
    assert bits(other) != uninterrupted[0]


@pytest.mark.parametrize("step", [0, 4, 6, 11], ids=lambda step: f"before step {step}")
def test_an_interrupted_and_resumed_training_ends_with_the_same_bits(tmp_path, uninterrupted, step):
    def stop(at):
        if at == step:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "deep" / "one.ckpt"
    with pytest.raises(KeyboardInterrupt):
        train(fresh_model(), checkpoint, batches=epochs(stop))
    assert checkpoint.exists() == (step >= STEPS)
    resumed = fresh_model()
    history = train(resumed, checkpoint)
    assert bits(resumed) == uninterrupted[0]
    assert dataclasses.replace(history, seconds=0) == dataclasses.replace(uninterrupted[1], seconds=0)


def test_a_training_killed_between_epochs_resumes_to_the_same_bits(tmp_path, uninterrupted):
    program = (
        "import os, signal, pathlib, test_train_loop as t\n"
        "def kill(step):\n"
        "    if step == 2 * t.STEPS: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"t.train(t.fresh_model(), pathlib.Path({str(tmp_path)!r}) / 'one.ckpt', batches=t.epochs(kill))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = fresh_model()
    train(resumed, tmp_path / "one.ckpt")
    assert bits(resumed) == uninterrupted[0]


def test_a_finished_training_is_not_trained_again(tmp_path):
    first, again = fresh_model(), fresh_model(seed=5)
    train(first, tmp_path / "one.ckpt")
    drawn = []
    train(again, tmp_path / "one.ckpt", batches=epochs(drawn.append))
    assert bits(again) == bits(first)
    assert not drawn


def test_a_training_that_stopped_early_stays_stopped(tmp_path):
    patient = dataclasses.replace(SCHEDULE, epochs=9, patience=2)
    first, again = fresh_model(), fresh_model(seed=5)
    history = train(first, tmp_path / "one.ckpt", patient, validate=values_in_turn(0.5, 0.7, 0.6, 0.6))
    assert history.epoch == [1, 2, 3, 4], "two epochs after the best one"
    drawn = []
    resumed = train(again, tmp_path / "one.ckpt", patient, epochs(drawn.append))
    assert resumed == history
    assert bits(again) == bits(first)
    assert not drawn


def test_patience_begins_where_epochs_count():
    patient = dataclasses.replace(SCHEDULE, epochs=6, patience=1)
    history = train(fresh_model(), None, patient, validate=values_in_turn(0.9, 0.8, 0.3, 0.4, 0.2), best_from=0.5)
    assert history.epoch == [1, 2, 3, 4, 5]


def test_the_best_epoch_is_kept_and_of_equals_the_latest():
    weights = []

    def validate(model):
        weights.append(bits(model))
        return (0.2, 0.8, 0.8, 0.5)[len(weights) - 1]

    model = fresh_model()
    train(model, validate=validate)
    assert bits(model) == weights[2]
    assert not model.training, "ready to use"


def test_epochs_before_best_from_are_never_the_best():
    weights = []

    def validate(model):
        weights.append(bits(model))
        return (0.9, 0.8, 0.4, 0.6)[len(weights) - 1]

    model = fresh_model()
    train(model, validate=validate, best_from=0.6)
    assert bits(model) == weights[3]


def test_the_last_epoch_is_validated_whatever_the_interval():
    assert train(fresh_model(), None, dataclasses.replace(SCHEDULE, validate_every=3)).epoch == [3, 4]


def test_after_each_step_the_hook_is_told_the_share_done():
    told = []
    train(fresh_model(), None, dataclasses.replace(SCHEDULE, epochs=2), after_step=told.append)
    assert told == [pytest.approx((i + 1) / 6) for i in range(6)]


def test_a_loss_that_is_no_number_stops_the_training_at_once(tmp_path):
    drawn = []
    with pytest.raises(InputError, match=re.escape("the loss became nan in epoch 1. Lower learning_rate (0.05).")):
        train(
            fresh_model(),
            tmp_path / "one.ckpt",
            batches=epochs(drawn.append),
            objective=lambda m, b: loss(m, b) * math.nan,
        )
    assert drawn == [0]
    assert not (tmp_path / "one.ckpt").exists()


def test_a_checkpoint_of_another_training_is_refused_and_kept(tmp_path):
    checkpoint = tmp_path / "one.ckpt"
    train(fresh_model(), checkpoint, identity="these words")
    before = checkpoint.read_bytes()
    with pytest.raises(
        InputError,
        match=r"one\.ckpt belongs to another training \(identity was these words, now those words\)\. "
        r"Remove it to start anew, or go back to its settings to go on\.",
    ):
        train(fresh_model(), checkpoint, identity="those words")
    with pytest.raises(InputError, match=r"epochs was 4, now 5"):
        train(fresh_model(), checkpoint, dataclasses.replace(SCHEDULE, epochs=5), identity="these words")
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "another file"])
def test_a_damaged_checkpoint_gives_one_clear_line(tmp_path, damage):
    checkpoint = tmp_path / "one.ckpt"
    train(fresh_model(), checkpoint)
    if damage == "another file":
        torch.save({"weights": torch.zeros(3)}, checkpoint)
    else:
        whole = checkpoint.read_bytes()
        checkpoint.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"not a checkpoint\n"}[damage])
    with pytest.raises(
        InputError, match=r"one\.ckpt is no checkpoint, or is damaged\. Remove it: this training then starts anew\."
    ):
        train(fresh_model(), checkpoint)


def test_a_checkpoint_holds_weights_and_numbers_only(tmp_path):
    train(fresh_model(), tmp_path / "one.ckpt")
    saved = torch.load(tmp_path / "one.ckpt", weights_only=True)
    assert set(saved) == CHECKPOINT
    assert saved["epoch"] == 4


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):
    checkpoint = tmp_path / "one.ckpt"

    def fill_the_disk(step):
        if step == STEPS:  # after the first epoch was saved
            (tmp_path / "one.part").symlink_to("/dev/full")

    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OSError, match="No space left"):
        train(fresh_model(), checkpoint, batches=epochs(fill_the_disk))
    assert torch.load(checkpoint, weights_only=True)["epoch"] == 1


def test_two_processes_train_one_model_much_like_a_single_process(tmp_path):
    program = (
        "import pathlib, torch, test_train_loop as t\n"
        "rank = __import__('os').environ['RANK']\n"
        "model = t.fresh_model(seed=int(rank))  # the first process's weights count\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "history = t.train(model, folder / 'one.ckpt')\n"
        "torch.save([model.state_dict(), history.train_loss, history.validation], folder / f'rank{rank}.pt')\n"
        "torch.distributed.destroy_process_group()\n"
    )
    ends = run_processes([sys.executable, "-c", program], count=2)
    assert [code for code, _, _ in ends] == [0, 0], ends
    said = [errors for _, _, errors in ends]
    assert "epoch 4/4" in said[0]
    assert "epoch" not in said[1], "one of them speaks for all"

    (ours, *told), (theirs, *told_theirs) = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(2))
    assert told == told_theirs
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    alone = fresh_model()
    history = train(alone)
    assert told[0] == pytest.approx(history.train_loss, rel=0.15)
    assert max(told[1]) == pytest.approx(max(history.validation), abs=0.15)


def test_of_an_error_the_lowest_is_kept():
    model, seen = fresh_model(), []
    errors = values_in_turn(0.5, 0.2, 0.3, 0.4)

    def validate(model):
        seen.append(bits(model))
        return errors(model)

    history = train(model, validate=validate, measure=ERROR)
    assert history.validation == [0.5, 0.2, 0.3, 0.4]
    assert bits(model) == seen[1]


def test_what_is_measured_is_named_in_a_log(capsys):
    train(fresh_model(), validate=values_in_turn(*[0.25] * 4), measure=ERROR)
    assert "validation error 0.2500" in capsys.readouterr().err


def test_a_checkpoint_from_before_measures_had_names_is_resumed(tmp_path, uninterrupted):
    checkpoint = tmp_path / "one.ckpt"
    train(fresh_model(), checkpoint)
    saved = torch.load(checkpoint, weights_only=True)
    saved["history"]["validation_accuracy"] = saved["history"].pop("validation")
    torch.save(saved, checkpoint)
    again = fresh_model(7)
    assert train(again, checkpoint).validation == uninterrupted[1].validation
    assert bits(again) == uninterrupted[0]


def test_a_batch_learned_from_in_parts_gives_the_gradient_of_the_whole():
    def weights(parts):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
        train(model, batches=dataclasses.replace(epochs(), parts=parts))
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    whole = weights(1)
    for parts in (2, 5, 16, 100):
        assert torch.allclose(weights(parts), whole, atol=1e-5)
