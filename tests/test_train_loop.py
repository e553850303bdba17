"""The training loop: it learns, keeps the best epoch, stops when it should, and says plainly what is wrong."""

from __future__ import annotations

import dataclasses
import math
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch
from torch import nn

from device_runtime.errors import InputError
from processes import run_processes
from tiny_training import SCHEDULE, accuracy, bits, epochs, fresh_model, loss, train, trained_at_once, values_in_turn
from train.loop import fit
from train.measure import ERROR


@pytest.fixture
def uninterrupted():
    return trained_at_once()


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


def test_patience_begins_where_epochs_count():
    patient = dataclasses.replace(SCHEDULE, epochs=6, patience=1)
    history = train(fresh_model(), None, patient, validate=values_in_turn(0.9, 0.8, 0.3, 0.4, 0.2), best_from=0.5)
    assert history.epoch == [1, 2, 3, 4, 5]


def test_only_a_validated_epoch_can_be_out_of_patience():
    rare = dataclasses.replace(SCHEDULE, epochs=12, patience=2, validate_every=3)
    history = train(fresh_model(), None, rare, validate=values_in_turn(0.5, 0.6, 0.4, 0.3))
    assert history.epoch == [3, 6, 9], "the third value is worse, and three epochs behind the best one"


def test_what_was_spent_before_an_interruption_is_told_apart(tmp_path):
    first = train(fresh_model(), tmp_path / "kept.ckpt")
    again = train(fresh_model(), tmp_path / "kept.ckpt")
    assert (first.cpu_seconds > 0, first.cpu_seconds_before) == (True, 0.0)
    assert again.cpu_seconds_before == again.cpu_seconds == first.cpu_seconds


def test_two_processes_at_one_training_do_not_share_a_half_written_checkpoint(tmp_path, monkeypatch):
    parts = []
    replaced = Path.replace
    monkeypatch.setattr(Path, "replace", lambda part, whole: parts.append(part.name) or replaced(part, whole))
    for _ in range(2):
        train(fresh_model(), tmp_path / "kept.ckpt")
        (tmp_path / "kept.ckpt").unlink()
    assert len(parts) == len(set(parts)) > 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b".", b"\x80\x02h\x00.", b"\x80\x02X"])
def test_any_damage_of_a_checkpoint_is_one_clear_line(tmp_path, content):
    (tmp_path / "cut.ckpt").write_bytes(content)
    with pytest.raises(InputError, match="is no checkpoint, or is damaged"):
        train(fresh_model(), tmp_path / "cut.ckpt")


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


def test_two_processes_train_one_model_much_like_a_single_process(tmp_path):
    program = (
        "import pathlib, torch, tiny_training as t\n"
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


def test_a_batch_learned_from_in_parts_gives_the_gradient_of_the_whole():
    def weights(parts):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
        train(model, batches=dataclasses.replace(epochs(), parts=parts))
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    whole = weights(1)
    for parts in (2, 5, 16, 100):
        assert torch.allclose(weights(parts), whole, atol=1e-5)
