"""8-bit optimizer state: a quarter of the bytes, nearly the same training, and a clear line without torchao."""

from __future__ import annotations

import itertools
import sys

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch
from torch import nn

from device_runtime.errors import InputError
from train.loop import Epochs, Schedule, fit
from train.optimizers import AdamW, AdamW8bit, state_bytes


def trained(optimizer, checkpoint=None, before_step=lambda: None):
    """A layer of 4,096 weights taught to copy the signs of its input; and the last training loss."""

    def draw(generator):
        for _ in range(8):
            before_step()
            x = torch.randn(32, 64, generator=generator)
            yield x, x.sign()

    def loss(model, batch):
        return nn.functional.mse_loss(model(batch[0]), batch[1])

    torch.manual_seed(0)
    model = nn.Linear(64, 64)
    history = fit(model, Epochs(draw, 8), loss, lambda _: 0.0, Schedule(4, 0.02, optimizer=optimizer), checkpoint)
    return torch.cat([p.detach().flatten() for p in model.parameters()]), history.train_loss


def interrupted_at(step):
    """To call before each step: the power fails before that one."""
    steps = itertools.count()

    def before_step():
        if next(steps) == step:
            raise KeyboardInterrupt

    return before_step


def stepped(optimizer, rows=128):
    model = nn.Linear(256, rows)
    rule = optimizer.over(model.parameters(), 0.01, 0.02)
    model(torch.ones(1, 256)).square().sum().backward()
    rule.step()
    return rule


def test_without_torchao_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchao", None)
    told = (
        r"8-bit optimizer state needs torchao, which cannot be imported .*pip install 'tinyrnn\[light\]', or train with"
    )
    with pytest.raises(InputError, match=told):
        trained(AdamW8bit())


def test_adamw_remembers_two_float32_numbers_a_weight():
    weights = 256 * 128 + 128
    assert state_bytes(stepped(AdamW())) == 8 * weights + 2 * 4, "and the number of the step, of each tensor"


@pytest.fixture
def torchao():
    return pytest.importorskip("torchao", reason="8-bit optimizer state needs tinyrnn[light]")


def test_in_8_bits_a_large_matrix_costs_a_quarter(torchao):
    assert state_bytes(stepped(AdamW8bit())) < 0.33 * state_bytes(stepped(AdamW()))
    assert state_bytes(stepped(AdamW8bit(), rows=15)) == state_bytes(stepped(AdamW(), rows=15)), "too small for codes"


def test_in_8_bits_a_training_learns_what_it_does_in_32(torchao):
    (plain, told), (light, told_light) = trained(AdamW()), trained(AdamW8bit())
    assert told_light[-1] < 0.7 * told_light[0]
    assert told_light == pytest.approx(told, rel=0.03)
    assert 0 < float((light - plain).abs().max() / plain.abs().max()) < 0.1


def test_in_8_bits_a_training_that_is_interrupted_ends_with_the_same_bits(torchao, tmp_path):
    whole = trained(AdamW8bit())
    with pytest.raises(KeyboardInterrupt):
        trained(AdamW8bit(), tmp_path / "one.ckpt", interrupted_at(20))
    weights, told = trained(AdamW8bit(), tmp_path / "one.ckpt")
    assert torch.equal(weights, whole[0])
    assert told == whole[1]


def test_a_checkpoint_of_another_optimizer_is_refused(torchao, tmp_path):
    trained(AdamW(), tmp_path / "one.ckpt")
    with pytest.raises(InputError, match=r"optimizer was None, now AdamW8bit\(block=256\)"):
        trained(AdamW8bit(), tmp_path / "one.ckpt")
