"""Mixed precision: only where it is asked for and pays, and the weights stay float32."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch
from torch import nn

from device_runtime.errors import InputError
from train import precision
from train.loop import Epochs, Schedule, fit
from train.precision import Products
from train.student import Student, StudentConfig


@pytest.mark.parametrize(("wanted", "has", "used"), [(True, True, True), (True, False, False), (False, True, False)])
def test_products_are_bfloat16_where_it_is_wanted_and_there(monkeypatch, wanted, has, used):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: has)
    with precision.mixed(wanted):
        out = nn.Linear(4, 4)(torch.ones(2, 4))
    assert out.dtype == (torch.bfloat16 if used else torch.float32)


@pytest.mark.parametrize(("wanted", "has", "used"), [(True, True, True), (True, False, False), (False, True, False)])
def test_products_are_float16_where_it_is_wanted_and_there(monkeypatch, wanted, has, used):
    monkeypatch.setattr(precision, "has_float16", lambda: has)
    with Products.wanted(float16=wanted).mixed():
        out = nn.Linear(4, 4)(torch.ones(2, 4))
    assert out.dtype == (torch.float16 if used else torch.float32)


def test_a_training_is_not_in_two_precisions_at_once():
    with pytest.raises(InputError, match=r"in bfloat16 or in float16, not in both\. Leave one of them out"):
        Schedule(epochs=1, bfloat16=True, float16=True)


def test_this_machine_can_be_asked():
    assert precision.has_bfloat16() in (True, False)
    assert precision.has_float16() in (True, False)


@pytest.mark.parametrize(("dtype", "most"), [(torch.bfloat16, 0.03), (torch.float16, 0.004)])
def test_gradients_in_16_bits_are_near_those_in_float32(dtype, most):
    torch.manual_seed(0)
    config = StudentConfig(bands=8, stack=2, window_bands=4, hop_bands=2, channels=4, projection=6, hidden=12)
    student = Student(config, labels=3)
    frames = torch.randn(4, 60, 16) * 6 + 10
    labels = torch.randint(3, (4 * 60,))

    def gradients(products):
        optimizer = torch.optim.SGD(student.parameters(), lr=0.0)
        optimizer.zero_grad()
        with products.mixed():
            loss = nn.functional.cross_entropy(student(frames).flatten(0, 1), labels)
        products.backward(loss)
        assert products.step(optimizer, student.parameters(), clip_norm=1e9)
        return torch.cat([p.grad.flatten() for p in student.parameters()])

    plain = gradients(Products())
    assert 0 < float((gradients(Products(dtype)) - plain).abs().max() / plain.abs().max()) < most


def test_a_training_in_bfloat16_learns_and_keeps_float32_weights(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: True)
    torch.manual_seed(0)
    model = nn.Linear(5, 3)
    computed = set()

    def draw(generator):
        for _ in range(20):
            x = torch.randn(32, 5, generator=generator)
            yield x, x[:, :3].argmax(dim=1)

    def loss(model, batch):
        logits = model(batch[0])
        computed.add(logits.dtype)
        return nn.functional.cross_entropy(logits.float(), batch[1])

    schedule = Schedule(epochs=3, learning_rate=0.1, bfloat16=True)
    history = fit(model, Epochs(draw, 20), loss, lambda _: 0.0, schedule)
    assert computed == {torch.bfloat16}
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert history.train_loss[-1] < 0.6 * history.train_loss[0]


def test_a_step_whose_gradients_overflow_is_left_out_and_the_scale_halved():
    model = nn.Linear(3, 2, bias=False)
    products, optimizer = Products(torch.float16), torch.optim.SGD(model.parameters(), lr=0.1)
    before, scale = model.weight.detach().clone(), 65536.0
    for large, taken in ((1e38, False), (1.0, True)):
        optimizer.zero_grad()
        products.backward((model(torch.ones(1, 3)) * large).sum())
        assert products.step(optimizer, model.parameters(), clip_norm=1.0) is taken
        assert torch.equal(model.weight, before) is not taken
        assert products.state_dict()["scale"] == scale / 2


def interrupted_at(step):
    """To call before each step: the power fails before that one."""
    steps = itertools.count()

    def before_step():
        if next(steps) == step:
            raise KeyboardInterrupt

    return before_step


def trained(schedule, factor=1.0, checkpoint=None, before_step=lambda: None):
    """The weights of a small training; the loss of the first batch of each epoch is multiplied."""

    def draw(generator):
        for step in range(10):
            before_step()
            x = torch.randn(32, 5, generator=generator)
            yield x, x[:, :3].argmax(dim=1), torch.full((32,), 1.0 if step else factor)

    def loss(model, batch):
        return nn.functional.cross_entropy(model(batch[0]).float(), batch[1]) * batch[2].mean()

    torch.manual_seed(0)
    model = nn.Linear(5, 3)
    fit(model, Epochs(draw, 10), loss, lambda _: 0.0, schedule, checkpoint)
    return model.weight.detach()


def test_a_training_in_float16_ends_near_one_in_float32(monkeypatch):
    monkeypatch.setattr(precision, "has_float16", lambda: True)
    schedule = Schedule(epochs=3, learning_rate=0.05)
    plain, half = trained(schedule), trained(dataclasses.replace(schedule, float16=True))
    assert 0 < float((half - plain).abs().max() / plain.abs().max()) < 0.02


def test_a_training_in_float16_that_is_interrupted_ends_with_the_same_bits(monkeypatch, tmp_path):
    monkeypatch.setattr(precision, "has_float16", lambda: True)
    schedule, checkpoint = Schedule(epochs=3, learning_rate=0.05, float16=True), tmp_path / "one.ckpt"
    whole = trained(schedule, factor=200.0)
    with pytest.raises(KeyboardInterrupt):
        trained(schedule, 200.0, checkpoint, interrupted_at(14))
    assert torch.load(checkpoint)["loss_scale"]["scale"] == 32768, "the first step of the training overflowed"
    assert torch.equal(trained(schedule, 200.0, checkpoint), whole)
    assert torch.load(checkpoint)["loss_scale"]["scale"] < 32768
