"""Mixed precision: only where it is asked for and pays, and the weights stay float32."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch
from torch import nn

from train import precision
from train.loop import Epochs, Schedule, fit


@pytest.mark.parametrize(("wanted", "has", "used"), [(True, True, True), (True, False, False), (False, True, False)])
def test_products_are_bfloat16_where_it_is_wanted_and_there(monkeypatch, wanted, has, used):
    monkeypatch.setattr(precision, "has_bfloat16", lambda: has)
    with precision.mixed(wanted):
        out = nn.Linear(4, 4)(torch.ones(2, 4))
    assert out.dtype == (torch.bfloat16 if used else torch.float32)


def test_this_machine_can_be_asked():
    assert precision.has_bfloat16() in (True, False)


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
