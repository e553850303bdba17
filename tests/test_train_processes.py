"""One training in two processes of torchrun: the same losses as in one with the same batches."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch
from torch import nn

from processes import environment
from train.loop import Epochs, Schedule, fit
from train.student import Student, StudentConfig

CONFIG = StudentConfig(bands=8, stack=2, window_bands=4, hop_bands=2, channels=4, projection=6, hidden=12)
SCHEDULE, STEPS = Schedule(epochs=4, learning_rate=0.05), 10
BATCH = 17
"""Odd: one process has an example more than the other."""


def curve(parts: int = 1) -> list[float]:
    """The losses of a student that is trained in however many processes there are, and the largest of its weights."""

    def draw(generator):
        for _ in range(STEPS):
            frames = torch.randn(BATCH, 20, 16, generator=generator)
            yield frames, frames[:, :, :3].argmax(dim=2)

    def loss(model, batch):
        return nn.functional.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())

    torch.manual_seed(int(os.environ.get("RANK", "0")))  # the first process's weights count
    student = Student(CONFIG, labels=3, mean=0.0, std=1.0)
    history = fit(student, Epochs(draw, STEPS, parts), loss, lambda _: 0.5, SCHEDULE)
    return [*history.train_loss, *(float(p.detach().abs().max()) for p in student.parameters())]


def main(parts: str, told: str) -> None:
    """What torchrun runs: each process writes down its own curve."""
    curves = [curve(int(count)) for count in parts.split(",")]
    Path(f"{told}.{os.environ['RANK']}").write_text(json.dumps(curves))
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch has no torch.distributed")
def test_torchrun_with_two_processes_gives_the_loss_curve_of_one_with_the_same_batches(tmp_path):
    told = tmp_path / "curves"
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    program = f"import test_train_processes as t; t.main('1,3', {str(told)!r})"
    script = tmp_path / "program.py"
    script.write_text(program)
    run = subprocess.Popen(
        [*launch, str(script)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        said, _ = run.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGTERM)  # torchrun stops its processes
        raise
    assert run.returncode == 0, said
    whole, in_parts = json.loads((tmp_path / "curves.0").read_text())
    assert [whole, in_parts] == json.loads((tmp_path / "curves.1").read_text()), "both know the same, to the bit"
    alone = curve()
    assert alone[3] < 0.8 * alone[0]
    assert whole == pytest.approx(alone, rel=1e-5)
    assert in_parts == pytest.approx(alone, rel=1e-5), "gradients of three parts, each averaged over both"
