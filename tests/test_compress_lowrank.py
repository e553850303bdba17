"""Low rank keeps what matters to what a matrix is given, at the rank that was asked for, and goes on to int8."""

from __future__ import annotations

import copy

import pytest

pytest.importorskip("torch", reason="compression needs torch")

import torch

from compress.factored_cells import FactoredGru, Factors, Whole, matrices
from compress.lowrank import LowRank, truncatable
from compress.prune import Prune
from compress.quantize import Int8
from compress.ranks import Energy, Fixed, Validated
from device_runtime import golden
from device_runtime.arithmetic import Affine, Factored
from device_runtime.errors import InputError
from train.student import Student, StudentConfig

CONFIG = StudentConfig(channels=6, projection=24, hidden=20)


class Bench:
    """Says how near a model's answers are to those of another; trains by random pushes at every weight."""

    def __init__(self, student):
        self.calibration = torch.rand(4, 30, 200, generator=torch.Generator().manual_seed(0)).cumsum(1) * 2 % 20
        self.wanted = copy.deepcopy(student)
        self.tunings, self.values = [], 0

    def value(self, model):
        self.values += 1
        with torch.no_grad():
            return 1 - float((model(self.calibration) - self.wanted(self.calibration)).square().mean().sqrt())

    def tune(self, model, epochs, learning_rate, title, after_step=None, best_from=0.0, settings=""):
        self.tunings.append((epochs, learning_rate, title, settings))
        generator = torch.Generator().manual_seed(1)
        for step in range(3):
            with torch.no_grad():
                for weight in model.parameters():
                    weight += 0.01 * torch.randn(weight.shape, generator=generator)
            after_step((step + 1) / 3)


def student(config=CONFIG):
    torch.manual_seed(0)
    made = Student(config, 4)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(1.5)
    return made


def ranks(model):
    return [matrix.rank if isinstance(matrix, Factors) else None for gru in model.grus for matrix in matrices(gru)]


def test_a_fixed_rank_is_that_of_every_matrix_and_the_answers_stay_near():
    made = student()
    bench = Bench(made)
    distances = []
    for rank in (2, 6, 10):
        small = LowRank(Fixed(rank), epochs=0).apply(copy.deepcopy(made), bench)
        assert ranks(small) == [rank, rank]
        distances.append(1 - bench.value(small))
    assert distances[0] > distances[1] > distances[2]
    assert bench.tunings == []


def test_at_full_rank_nothing_changes_whether_or_not_inputs_are_looked_at():
    matrix = matrices(student().grus[0])[1]
    x = torch.randn(3, 50, 20) * torch.logspace(-3, 1, 20) + 1
    for inputs in (x, None):
        whole = truncatable(matrix, inputs).cut(20)
        torch.testing.assert_close(whole.product(), matrix.product(), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(whole.bias, matrix.bias, rtol=1e-3, atol=1e-3)


def test_what_the_inputs_do_not_use_is_dropped_first():
    """On inputs that vary in 4 directions, around any mean, rank 4 loses nothing, and no other rank-4 matrix less."""
    torch.manual_seed(1)
    matrix = Whole(torch.randn(60, 20), torch.randn(60))
    x = torch.randn(500, 4) @ torch.randn(4, 20) + torch.randn(20)
    exact = x @ matrix.weight.T + matrix.bias

    def error(inputs, rank):
        factors = truncatable(matrix, inputs).cut(rank)
        return float((x @ factors.product().T + factors.bias - exact).detach().square().mean().sqrt())

    assert error(x, 4) < 1e-3 < 1 < error(None, 4)
    centred = (x - x.mean(0)).double()
    singular = torch.linalg.svdvals(centred @ matrix.weight.detach().double().T)
    least = float(singular[2:].square().sum().div(exact.numel()).sqrt())
    assert error(x, 2) == pytest.approx(least, rel=0.01)


def test_constant_inputs_go_into_the_bias():
    matrix = Whole(torch.randn(9, 3), torch.randn(9))
    x = torch.ones(5, 7, 3)
    factors = truncatable(matrix, x).cut(1)
    torch.testing.assert_close(
        x @ factors.product().T + factors.bias, x @ matrix.weight.T + matrix.bias, rtol=1e-3, atol=1e-3
    )


def test_energy_keeps_the_smallest_rank_that_holds_the_share():
    singular = torch.tensor([3.0, 2.0, 1.0, 0.0])  # energies 9, 4, 1, 0

    def chosen(share):
        return Energy(share).choose(singular, 4, lambda rank: 0.0)

    assert [chosen(share) for share in (0.1, 9 / 14, 0.7, 13 / 14, 0.95, 1)] == [1, 1, 2, 2, 3, 3]


def test_a_validated_rank_is_the_smallest_that_loses_little():
    tried = []

    def lost(rank):
        tried.append(rank)
        return 0.5 / rank

    assert Validated(0.1).choose(torch.ones(30), 20, lost) == 5
    assert len(tried) <= 5
    assert Validated(0.001).choose(torch.ones(30), 20, lost) == 21, "then the matrix stays whole"


def test_validation_finds_a_rank_for_each_matrix_and_leaves_the_rest_of_the_student_alone():
    made = student()
    bench = Bench(made)
    small = LowRank(Validated(0.02), epochs=0).apply(copy.deepcopy(made), bench)
    assert bench.value(small) > 0.95
    assert len(set(ranks(small))) == 2
    assert all(rank is None or rank < 18 for rank in ranks(small))
    assert bench.values < 15
    assert torch.equal(small.head.weight, made.head.weight)


def test_a_matrix_whose_factors_would_be_no_smaller_stays_whole():
    made = student()
    small = LowRank(Fixed(14), epochs=0).apply(copy.deepcopy(made), Bench(made))
    assert ranks(small) == [14, 14]  # 60 x 24: up to 17; 60 x 20: up to 14
    assert ranks(LowRank(Fixed(16), epochs=0).apply(copy.deepcopy(made), Bench(made))) == [16, None]
    assert ranks(LowRank(Energy(1.0), epochs=0).apply(copy.deepcopy(made), Bench(made))) == [None, None]


def test_the_factors_are_trained_on_and_what_was_pruned_before_stays_zero():
    made = student()
    bench = Bench(made)
    with torch.no_grad():
        made.dense[1].affine.weight[:8, :2] = 0
    method = LowRank(Fixed(5), epochs=3, learning_rate=1e-3)
    small = method.apply(made, bench)
    assert bench.tunings == [(3, 1e-3, "low-rank", repr(method))]
    assert small is made
    assert not bool(small.dense[1].affine.weight[:8, :2].any())
    assert {name for name, parameter in small.named_parameters() if "grus" in name and parameter.ndim == 2} == {
        f"grus.0.{matrix}.{factor}" for matrix in ("input", "state") for factor in ("inner", "outer")
    }


def test_factors_can_be_pruned_factored_again_and_quantized():
    config = StudentConfig(channels=6, projection=24, hidden=20, gru_layers=2)
    made = student(config)
    bench = Bench(made)
    small = LowRank(Fixed(8), epochs=1).apply(made, bench)
    pruned = Prune(0.5, epochs=1, block=(8, 1), smallest=100).apply(small, bench)
    assert float((pruned.grus[1].state.inner == 0).float().mean()) == pytest.approx(0.5, abs=0.05)
    smaller = LowRank(Fixed(4), epochs=0).apply(copy.deepcopy(pruned), bench)
    assert ranks(smaller) == [4] * 4
    ours = Int8(epochs=1).apply(pruned, bench)
    model = ours.model()
    state = model.layers[-1].state
    assert isinstance(state, Factored)
    assert isinstance(model.head, Affine)
    zeros = pruned.grus[1].state.inner.detach().numpy() == 0
    assert not state.inner.weight[zeros].any()
    frames = bench.calibration[0]
    with torch.no_grad():
        scores, states = ours.trace(frames[None])
    recorded = golden.record(model, frames.numpy())
    assert scores[0].numpy().tobytes() == recorded.scores.tobytes()
    assert states[0].numpy().tobytes() == recorded.states.tobytes()


def test_the_gates_of_a_factored_gru_may_be_pruned_apart():
    """The rows of the outer factor are those of the gates, of the inner one they are not."""
    made = student()
    bench = Bench(made)
    small = LowRank(Fixed(10), epochs=0).apply(made, bench)
    pruned = Prune(0.5, epochs=1, block=(1, 1), smallest=100, gates=(0.2, 0.8, 0.0)).apply(small, bench)
    state = pruned.grus[0].state
    assert [float((rows == 0).float().mean()) for rows in state.outer.chunk(3)] == pytest.approx(
        [0.2, 0.8, 0.0], abs=0.01
    )
    assert float((state.inner == 0).float().mean()) == pytest.approx(0.5, abs=0.01)


def test_int8_answers_of_factors_stay_near_the_float_ones():
    made = student()
    bench = Bench(made)
    small = LowRank(Fixed(12), epochs=0).apply(made, bench)
    ours = Int8(epochs=0).apply(small, bench)
    with torch.no_grad():
        wanted, given = small(bench.calibration), ours(bench.calibration)
    assert 0 < float((wanted - given).square().mean().sqrt()) < 0.1 * float(wanted.std())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Fixed(0), r"low rank got the rank 0, but a matrix has at least rank 1\."),
        (lambda: Energy(0), r"low rank got 0 of the energy to keep: it is a share above 0 and up to 1\."),
        (lambda: Energy(1.1), r"low rank got 1\.1 of the energy to keep"),
        (lambda: Validated(1), r"low rank got 1 of the value to lose: it is a share from 0 to below 1\."),
        (
            lambda: LowRank(Fixed(21), epochs=0).apply(student(), Bench(student())),
            r"low rank got the rank 21, but the smallest matrix has rank 20\. Choose a rank up to 14: above it two",
        ),
    ],
)
def test_a_rank_that_cannot_be_is_one_line(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_factored_gru_goes_on_from_a_state():
    made = student()
    small = LowRank(Fixed(6), epochs=0).apply(made, Bench(made))
    assert isinstance(small.grus[0], FactoredGru)
    frames = torch.rand(2, 12, 200) * 20
    first, states = small.continued(frames[:, :5], ())
    second, _ = small.continued(frames[:, 5:], states)
    torch.testing.assert_close(torch.cat([first, second], dim=1), small(frames))
