"""A training that is interrupted and resumed ends where it would have; no other checkpoint is taken for its own."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from device_runtime.errors import InputError
from processes import environment
from tiny_training import SCHEDULE, STEPS, bits, epochs, fresh_model, train, trained_at_once, values_in_turn
from train import loop
from train.loop import CHECKPOINT


@pytest.fixture
def uninterrupted():
    return trained_at_once()


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
    assert untimed(history) == untimed(uninterrupted[1])


def untimed(history):
    return dataclasses.replace(history, seconds=0, cpu_seconds=0, cpu_seconds_before=0)


def test_a_training_killed_between_epochs_resumes_to_the_same_bits(tmp_path, uninterrupted):
    program = (
        "import os, signal, pathlib, tiny_training as t\n"
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
    assert untimed(resumed) == untimed(history)
    assert bits(again) == bits(first)
    assert not drawn


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


def test_a_checkpoint_of_other_arrays_gives_one_clear_line(tmp_path):
    checkpoint = tmp_path / "one.ckpt"
    train(fresh_model(), checkpoint)
    saved = torch.load(checkpoint, weights_only=True)
    saved["model"] = {f"{name}.v": array for name, array in saved["model"].items()}
    torch.save(saved, checkpoint)
    with pytest.raises(InputError, match=r"one\.ckpt holds other arrays than this model: another version of tinyrnn"):
        train(fresh_model(), checkpoint)


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


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    checkpoint = tmp_path / "one.ckpt"

    def fill_the_disk(step):
        if step == STEPS:  # after the first epoch was saved
            (tmp_path / "one.part").symlink_to("/dev/full")

    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    monkeypatch.setattr(loop, "_part", lambda checkpoint: checkpoint.with_suffix(".part"))
    with pytest.raises(OSError, match="No space left"):
        train(fresh_model(), checkpoint, batches=epochs(fill_the_disk))
    assert torch.load(checkpoint, weights_only=True)["epoch"] == 1
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_a_checkpoint_from_before_measures_had_names_is_resumed(tmp_path, uninterrupted):
    checkpoint = tmp_path / "one.ckpt"
    train(fresh_model(), checkpoint)
    saved = torch.load(checkpoint, weights_only=True)
    saved["history"]["validation_accuracy"] = saved["history"].pop("validation")
    torch.save(saved, checkpoint)
    again = fresh_model(7)
    assert train(again, checkpoint).validation == uninterrupted[1].validation
    assert bits(again) == uninterrupted[0]
