"""Removing units: what is left computes what the whole student did without them, on every engine."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="compression needs torch")

import torch
from torch import nn

from compress.prune import Prune
from compress.quantize import Int8, calibrate
from compress.scores import Gradient, Magnitude
from compress.structured import RemoveUnits
from device_runtime.errors import InputError
from models import tiny_manifest
from scenarios import bundling
from train.forecaster import Forecaster, ForecasterConfig
from train.remaining_life import LifeConfig, LifeModel
from train.student import Student, StudentConfig

SHAPE = StudentConfig(channels=8, projection=20, hidden=24, gru_layers=2)
FRAMES = torch.rand(3, 11, 200, generator=torch.Generator().manual_seed(4)) * 20


class Bench:
    """Remembers what it was asked for and pushes weights about at random."""

    def __init__(self):
        self.calibration, self.calls = FRAMES, []

    def losses(self, model, batches):
        for _ in range(batches):
            yield model(FRAMES).square().mean()

    def tune(self, model, epochs, learning_rate, title, after_step=None, best_from=0.0, settings=""):
        sizes = [gru.hidden_size for gru in getattr(model, "grus", ())]
        self.calls.append(SimpleNamespace(epochs=epochs, title=title, sizes=sizes, settings=settings))
        for weight in model.parameters():
            with torch.no_grad():
                weight += 0.01 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
        if after_step:
            after_step(1.0)


def student(config=SHAPE, labels=4):
    torch.manual_seed(0)
    return Student(config, labels)


def silenced(made, channels=(), projection=(), hidden=()):
    """The same student with units that do nothing: all that belongs to them is zero, and their state stays zero."""
    conv, dense = made.dense[0].affine, made.dense[1].affine
    with torch.no_grad():
        for affine, units in ((conv, channels), (dense, projection)):
            affine.weight[list(units)] = 0
            affine.bias[list(units)] = 0
        for gru in made.grus:
            rows = [gate * gru.hidden_size + unit for gate in range(3) for unit in hidden]
            for parameter in gru.parameters():
                parameter[rows] = 0
            gru.weight_hh_l0[:, list(hidden)] = 0
        columns = [at for at in range(dense.in_features) if at % conv.out_features in channels]
        dense.weight[:, columns] = 0
        made.grus[0].weight_ih_l0[:, list(projection)] = 0
        made.grus[1].weight_ih_l0[:, list(hidden)] = 0
        made.head.weight[:, list(hidden)] = 0
    return made


def sizes(made):
    dense = [tuple(layer.affine.weight.shape) for layer in made.dense]
    return dense, [(gru.input_size, gru.hidden_size) for gru in made.grus], tuple(made.head.weight.shape)


def test_units_that_do_nothing_are_removed_and_nothing_changes():
    whole = silenced(student(), (1, 6), (0, 3, 7, 8, 19), (2, 5, 11, 12, 20, 23))
    with torch.no_grad():
        expected, bits = whole(FRAMES), calibrate(whole, FRAMES)(FRAMES)
        narrow = RemoveUnits(keep=0.75, epochs=0).apply(whole, Bench())
        torch.testing.assert_close(narrow(FRAMES), expected, rtol=0, atol=1e-6)  # floats are summed in another order
        assert torch.equal(calibrate(narrow, FRAMES)(FRAMES), bits), "in int8 every sum is exact"
    assert float(expected.std()) > 0.05, "the fixture should be lively"
    assert sizes(narrow) == ([(6, 40), (15, 54)], [(15, 18), (18, 18)], (4, 18))
    assert narrow.config == StudentConfig(channels=6, projection=15, hidden=18, gru_layers=2)


def test_what_is_left_is_a_student_of_the_smaller_config():
    narrow = RemoveUnits(keep=0.5, epochs=1, channels=1.0, projection=0.8).apply(student(), Bench())
    assert narrow.config == StudentConfig(channels=8, projection=16, hidden=12, gru_layers=2)
    twin = Student(narrow.config, 4)
    twin.load_state_dict(narrow.state_dict())
    with torch.no_grad():
        assert torch.equal(twin(FRAMES), narrow(FRAMES))
    assert [str(layer) for layer in twin.modules()] == [str(layer) for layer in narrow.modules()]
    assert [layer.hop for layer in twin.dense] == [layer.hop for layer in narrow.dense]


@pytest.mark.parametrize(
    "config",
    [
        StudentConfig(channels=0, projection=10, hidden=12),
        StudentConfig(channels=4, projection=0, hidden=12),
        StudentConfig(channels=0, projection=0, hidden=12),
    ],
    ids=("no convolution", "no projection", "a GRU alone"),
)
def test_every_shape_of_student_becomes_narrower(config):
    narrow = RemoveUnits(keep=0.5, epochs=0).apply(student(config), Bench())
    halves = StudentConfig(channels=config.channels // 2, projection=config.projection // 2, hidden=6)
    assert narrow.config == halves
    assert sizes(narrow) == sizes(Student(halves, 4))
    assert narrow(FRAMES).shape == (3, 11, 4)


def test_the_order_of_the_units_that_stay_is_kept():
    whole = silenced(student(), hidden=(0, 4))
    rows = [unit for unit in range(24) if unit not in (0, 4)]
    expected = whole.head.weight[:, rows].clone()
    assert torch.equal(RemoveUnits(keep=22 / 24, epochs=0).apply(whole, Bench()).head.weight, expected)


def test_rounds_remove_bit_by_bit_and_share_the_epochs():
    bench = Bench()
    method = RemoveUnits(keep=0.5, epochs=8, rounds=3)
    method.apply(student(), bench)
    assert [call.sizes[0] for call in bench.calls] == [20, 16, 12]
    assert [call.epochs for call in bench.calls] == [2, 3, 3]
    assert [call.title for call in bench.calls] == ["narrowed-1", "narrowed-2", "narrowed"]
    assert all(call.settings == repr(method) for call in bench.calls)
    short = Bench()
    RemoveUnits(keep=0.5, epochs=1, rounds=3).apply(student(), short)
    assert [(call.title, call.epochs) for call in short.calls] == [("narrowed", 1)]


def test_gradients_may_tell_which_units_are_missed():
    """A unit with large weights that nothing listens to is worth nothing to the loss."""

    def deaf_to(unit):
        made = student(StudentConfig(channels=0, projection=0, hidden=6))
        with torch.no_grad():
            for parameter in made.grus[0].parameters():
                parameter[[unit, 6 + unit, 12 + unit]] *= 3
            made.head.weight[:, unit] = 0
            made.grus[0].weight_hh_l0[:, unit] = 0
        return made

    def heads(score):
        narrow = RemoveUnits(keep=5 / 6, epochs=0, score=score).apply(deaf_to(2), Bench())
        return narrow.head.weight

    assert torch.equal(heads(Gradient(batches=2)), deaf_to(2).head.weight[:, [0, 1, 3, 4, 5]])
    assert bool((heads(Magnitude()) == 0).all(dim=0).any()), "by size it would stay"


class Told:
    """A score that remembers what it was told."""

    batches = 1

    def learned(self, so_far, product):
        self.product = product
        return product

    def worth(self, weight, learned):
        return learned


def test_what_the_loss_would_miss_of_a_unit_is_summed_before_its_size_is_taken():
    made, bench, score = student(StudentConfig(channels=0, projection=0, hidden=6)), Bench(), Told()
    bench.losses = lambda model, batches: [model.head.weight.sum()]
    expected = made.head.weight.detach().sum(dim=0)
    RemoveUnits(keep=1.0, epochs=0, score=score).apply(made, bench)
    torch.testing.assert_close(score.product, expected)
    assert bool((expected < 0).any() and (expected > 0).any())
    assert all(parameter.grad is None for parameter in made.parameters())


def test_zeros_made_before_stay_zero_while_it_trains_on():
    zeroed = Prune(sparsity=0.6, epochs=0, ramp=0, block=(1, 1), smallest=100).apply(student(), Bench())
    narrow = RemoveUnits(keep=0.5, epochs=1).apply(zeroed, Bench())
    share = float((narrow.grus[0].weight_hh_l0 == 0).double().mean())
    assert 0.3 < share < 0.7


def test_a_forecaster_s_decoding_steps_become_narrower_with_it():
    torch.manual_seed(0)
    whole = Forecaster(ForecasterConfig(segment=6, segments=5, horizon=12, hidden=10, projection=8)).eval()
    frames = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for unit in (1, 7):
            for parameter in whole.grus[0].parameters():
                parameter[[unit, 10 + unit, 20 + unit]] = 0
            whole.grus[0].weight_hh_l0[:, unit] = 0
            whole.positions[:, [unit, 10 + unit, 20 + unit]] = 0
            whole.head.weight[:, unit] = 0
        expected = whole(frames)
        narrow = RemoveUnits(keep=0.8, epochs=0, projection=1.0).apply(whole, Bench())
        torch.testing.assert_close(narrow(frames), expected, rtol=0, atol=1e-6)
    assert (narrow.config.hidden, narrow.positions.shape) == (8, (2, 24))


def test_a_model_whose_config_calls_its_inputs_channels_keeps_them():
    narrow = RemoveUnits(keep=0.5, epochs=0, channels=0.5).apply(LifeModel(LifeConfig(hidden=8)), Bench())
    assert narrow.config == LifeConfig(channels=14, hidden=4)
    assert narrow(torch.zeros(1, 3, 14)).shape == (1, 3, 3)


def test_a_narrowed_student_ends_as_a_bundle_without_a_differing_bit(tmp_path, monkeypatch):
    exact = bundling.parity
    monkeypatch.setattr(bundling, "parity", lambda student, engines, frames: exact(student, engines, frames, 150))
    onnx = pytest.importorskip("export.onnx").Onnx()
    litert = pytest.importorskip("export.litert").Litert()
    narrow = RemoveUnits(keep=0.6, epochs=1).apply(student(), Bench())
    sparse = Prune(sparsity=0.5, epochs=1, block=(1, 1), ramp=0, smallest=100).apply(narrow, Bench())
    int8 = Int8(epochs=1).apply(sparse, Bench())
    frames = torch.rand(150, 200, generator=torch.Generator().manual_seed(6)) * 20
    bundling.write_bundle(tmp_path / "narrow.bundle", tiny_manifest(), int8, (onnx, litert), frames)
    proof = bundling.prove(tmp_path / "narrow.bundle", int8, frames)
    assert set(proof.differing_bits.values()) == {0}
    assert {"reference", "onnx", "litert"} <= set(proof.engines)
    assert [layer.state.weight.shape for layer in int8.model().layers[2:]] == [(42, 14), (42, 14)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"keep": 0},
            r"RemoveUnits got keep 0: it is the share of units that stays, above 0 and up to 1, such as 0\.75",
        ),
        ({"keep": 1.5}, r"RemoveUnits got keep 1\.5"),
        ({"projection": 0.0}, r"RemoveUnits got projection 0\.0"),
        ({"channels": -1}, r"RemoveUnits got channels -1"),
        ({"rounds": 0}, r"RemoveUnits got 0 rounds and 1 epochs: units are removed in 1 round or more"),
        ({"epochs": -1}, r"RemoveUnits got 1 rounds and -1 epochs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        RemoveUnits(**{"keep": 0.5, "epochs": 1, **wrong})


def test_a_model_that_it_does_not_know_is_refused():
    message = r"RemoveUnits got a {}, whose layers it does not know: it narrows dense and recurrent layers of a float"
    int8 = Int8().apply(student(), Bench())
    replaced = student()
    replaced.dense[0].affine = nn.Sequential(nn.Linear(40, 2), nn.Linear(2, 8))
    for model in (nn.Linear(3, 2), int8, replaced):
        with pytest.raises(InputError, match=message.format(type(model).__name__)):
            RemoveUnits(keep=0.5, epochs=0).apply(model, Bench())
