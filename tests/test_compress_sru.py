"""Students of simple recurrent units are compressed as those of GRUs are, with the device's bits after every method."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compress.factored_cells import Factors, matrices
from compress.lowrank import LowRank
from compress.prune import Prune
from compress.quantize import Int8, calibrate
from compress.ranks import Fixed
from compress.structured import RemoveUnits
from compress.weight_grids import PowersOfTwo
from device_runtime.arithmetic import Factored
from device_runtime.errors import InputError
from test_compress_qat import LABELS, assert_same_bits, cosine, random_frames
from train.cells import Gru, Sru
from train.student import Student, StudentConfig

SHAPES = {
    "one layer": StudentConfig(channels=8, projection=20, hidden=24, cell=Sru()),
    "two layers": StudentConfig(channels=4, projection=16, hidden=17, gru_layers=2, cell=Sru()),
    "units as many as inputs": StudentConfig(channels=4, projection=16, hidden=16, cell=Sru()),
    "alone": StudentConfig(channels=0, projection=0, hidden=16, cell=Sru()),
}


class Bench:
    """Pushes weights about at random."""

    def __init__(self, config):
        self.calibration = random_frames(config, 40, clips=3)

    def tune(self, model, epochs, learning_rate, title, after_step=None, best_from=0.0, settings=""):
        for weight in model.parameters():
            with torch.no_grad():
                weight += 0.01 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
        if after_step:
            after_step(1.0)


def student(config, seed=0):
    """With lively weights, and gates that hear their state."""
    torch.manual_seed(seed)
    made = Student(config, LABELS)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.mul_(6.0 if name.endswith(".v") else 2.0)
    return made


@pytest.mark.parametrize("shape", SHAPES)
def test_a_student_in_training_gives_the_device_s_bits(shape):
    config = SHAPES[shape]
    ours = calibrate(student(config), random_frames(config, 40, clips=3, seed=1))
    assert_same_bits(ours, random_frames(config, 300, seed=7)[0])


def test_its_scores_are_near_those_of_the_float_student():
    config = SHAPES["one layer"]
    exact, frames = student(config), random_frames(config, 60, clips=4, seed=2).clamp(max=26)
    ours = calibrate(exact, frames)
    with torch.no_grad():
        assert cosine(ours(frames), exact(frames)) > 0.99


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_agree_with_the_float_student_s(shape):
    config = SHAPES[shape]
    torch.manual_seed(3)
    exact, frames = Student(config, LABELS), random_frames(config, 40, clips=16).clamp(max=26)
    ours, wanted = calibrate(exact, frames), torch.randn(16, 40, LABELS)
    for model in (exact, ours):
        (model(frames) * wanted).sum().backward()
    pairs = [(exact.head.weight, ours.head.weight)]
    for layer, inputs, own in zip(exact.grus, ours.gru_inputs, ours.gru_states, strict=True):
        pairs += [(layer.affine.weight, inputs.weight), (layer.affine.bias, inputs.bias), (layer.v, own.v)]
    agreements = [cosine(theirs.grad, mine.grad) for theirs, mine in pairs]
    assert min(agreements) > 0.95
    sizes = [float(mine.grad.norm() / theirs.grad.norm()) for theirs, mine in pairs if theirs.ndim == 1]
    assert sizes == pytest.approx([1.0] * len(sizes), abs=0.1), "weights are trained in the units of the float student"


@pytest.mark.parametrize(
    "methods",
    [
        (Prune(sparsity=0.6, epochs=1, block=(8, 1), ramp=0, smallest=100), Int8(epochs=1)),
        (LowRank(Fixed(5), epochs=1), Int8(epochs=1)),
        (RemoveUnits(keep=0.6, epochs=1), Prune(sparsity=0.5, epochs=1, block=(1, 1), ramp=0, smallest=100), Int8()),
        (Int8(epochs=1, weights=PowersOfTwo()),),
    ],
    ids=["pruned", "low rank", "narrowed and pruned", "powers of two"],
)
@pytest.mark.parametrize("shape", ["one layer", "two layers"])
def test_methods_one_after_the_other_end_in_the_device_s_bits(shape, methods):
    config = SHAPES[shape]
    made: nn.Module = student(config)
    for method in methods:
        made = method.apply(made, Bench(config))
    assert_same_bits(made, random_frames(config, 200, seed=8)[0])


def test_low_rank_makes_factors_of_an_sru_s_matrix_and_keeps_what_it_computes():
    config = SHAPES["one layer"]
    exact, whole, frames = student(config), student(config), random_frames(config, 30, clips=2)
    (before,) = matrices(exact.grus[0])
    LowRank(Fixed(15), epochs=0).apply(exact, Bench(config))
    (after,) = matrices(exact.grus[0])
    assert isinstance(after, Factors)
    assert (after.rank, tuple(after.product().shape)) == (15, tuple(before.product().shape))
    with torch.no_grad():
        assert cosine(exact(frames), whole(frames)) > 0.98
    assert isinstance(calibrate(exact, frames).model().layers[2].input, Factored)


def test_removed_units_leave_a_student_of_the_smaller_config_that_says_the_same_where_they_did_nothing():
    config = SHAPES["two layers"]
    made, frames = student(config), random_frames(config, 20, clips=2)
    gone = torch.tensor([1, 4, 5, 9, 16])
    with torch.no_grad():
        for layer in made.grus:
            rows = (torch.arange(4)[:, None] * 17 + gone).flatten()
            layer.affine.weight[rows], layer.affine.bias[rows] = 0.0, 0.0
            layer.v[(torch.arange(2)[:, None] * 17 + gone).flatten()] = 0.0
        made.grus[1].affine.weight[:, gone], made.head.weight[:, gone] = 0.0, 0.0
        expected = made(frames)
    narrow = RemoveUnits(keep=12 / 17, epochs=0, projection=1.0, channels=1.0).apply(made, Bench(config))
    assert narrow.config == StudentConfig(channels=4, projection=16, hidden=12, gru_layers=2, cell=Sru())
    with torch.no_grad():
        torch.testing.assert_close(narrow(frames), expected)


def test_states_far_above_one_are_told_in_units_of_the_largest():
    config = SHAPES["alone"]
    loud = student(config)
    with torch.no_grad():
        loud.grus[0].affine.weight[:16] *= 20
    frames = random_frames(config, 60, clips=3)
    ours = calibrate(loud, frames)
    assert float(ours.gru_states[0].unit) > 5
    _, states = ours.trace(frames)
    largest = float(states[..., -16:].detach().abs().max())
    assert 0.3 < largest < 1
    assert np.isfinite(ours.model().layers[-1].peephole).all()


def test_the_three_gates_of_a_prune_are_those_of_grus_alone():
    config = StudentConfig(channels=0, projection=0, hidden=16, cell=Gru())
    prune = Prune(sparsity=0.5, epochs=0, block=(1, 1), ramp=0, smallest=100, gates=(0.9, 0.5, 0.1))
    assert prune.apply(student(config), Bench(config)) is not None
    with pytest.raises(InputError, match="but this model has no matrix of a GRU with 100 weights or more"):
        prune.apply(student(SHAPES["alone"]), Bench(SHAPES["alone"]))
