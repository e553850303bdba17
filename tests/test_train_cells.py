"""Every cell streams what it hears whole, learns, counts its own weights and gives the gradients of its equations."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch
from torch import nn

from device_runtime.errors import InputError
from train import truncated
from train.cells import Bidirectional, FastGrnn, Gru, Lstm, MinGru, Sru, Vanilla
from train.recompute import Recompute
from train.student import Student, StudentConfig

CELLS = [Vanilla(), Gru(), Lstm(), Sru(), MinGru(), FastGrnn(), FastGrnn(input_rank=3, state_rank=4)]
EACH = pytest.mark.parametrize("cell", CELLS, ids=repr)
INPUTS, HIDDEN = 5, 7


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def student(cell, layers=1):
    small = StudentConfig(bands=8, stack=2, window_bands=4, hop_bands=2, channels=3, projection=6, hidden=9)
    return Student(replace(small, cell=cell, gru_layers=layers), labels=3)


@EACH
def test_a_layer_streams_what_it_makes_of_the_whole(cell):
    layer, x = cell.layer(INPUTS, HIDDEN), torch.randn(3, 11, INPUTS)
    whole, behind = layer(x)
    assert whole.shape == (3, 11, HIDDEN)
    state, parts = None, []
    for step in range(11):
        y, state = layer(x[:, step : step + 1], state)
        parts.append(y)
    assert torch.allclose(torch.cat(parts, dim=1), whole, atol=1e-6)
    assert torch.allclose(state, behind, atol=1e-6)
    assert not torch.allclose(layer(x, behind)[0], whole, atol=1e-3), "the state counts"


@EACH
def test_a_student_of_any_cell_goes_on_from_where_it_was(cell):
    made, frames = student(cell, layers=2), torch.rand(2, 12, 16) * 20
    whole = made(frames)
    pieces = [outputs for outputs, _ in truncated.pieces(made, frames, 5)]
    assert torch.allclose(torch.cat(pieces, dim=1), whole, atol=1e-5)
    assert torch.allclose(Recompute(4).run(made, frames), whole, atol=1e-5)
    logits, states = made(frames, with_states=True)
    assert torch.equal(logits, whole)
    assert states.shape == (2, 12, 9)


@EACH
@pytest.mark.parametrize(("inputs", "hidden"), [(5, 7), (6, 6)])
def test_a_cell_counts_the_weights_of_its_layer(cell, inputs, hidden):
    named = cell.layer(inputs, hidden).named_parameters()
    assert cell.weights(inputs, hidden) == sum(p.numel() for name, p in named if p.ndim and "bias" not in name)


@EACH
def test_every_cell_learns_to_remember(cell):
    """The sign of the first step's input, five steps later; another input marks that step."""
    model = nn.ModuleDict({"layer": cell.layer(3, 16), "head": nn.Linear(16, 1)})
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    for _ in range(120):
        x = torch.randn(64, 6, 3)
        x[:, :, 2] = torch.arange(6) == 0
        wanted = (x[:, 0, 0] > 0).float()
        y, _ = model["layer"](x)
        loss = nn.functional.binary_cross_entropy_with_logits(model["head"](y[:, -1])[:, 0], wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.5, "guessing costs 0.69"


@pytest.mark.parametrize("cell", [Sru(), MinGru(), FastGrnn(), FastGrnn(2, 3)], ids=repr)
@pytest.mark.parametrize("inputs", [3, 4])
def test_gradients_that_are_written_out_are_those_of_the_equations(cell, inputs):
    layer = cell.layer(inputs, 4).double()
    names, values = zip(*layer.named_parameters(), strict=True)
    x = torch.randn(2, 5, inputs, dtype=torch.double, requires_grad=True)
    state = torch.randn(1, 2, 4, dtype=torch.double, requires_grad=True)

    def run(x, state, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x, state))

    assert torch.autograd.gradcheck(run, (x, state, *values))


@EACH
def test_a_cell_learns_in_bfloat16_what_it_does_in_float32(cell):
    layer, x = cell.layer(INPUTS, HIDDEN), torch.randn(3, 9, INPUTS)
    whole, behind = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        rough, state = layer(x)
        layer(x, state)[0].float().sum().backward()
    assert torch.allclose(rough.float(), whole, atol=0.05)
    assert torch.allclose(state.float(), behind, atol=0.05)
    assert all(bool(torch.isfinite(p.grad).all()) for p in layer.parameters())


def test_sru_is_its_equations():
    layer, x, c = Sru().layer(INPUTS, HIDDEN), torch.randn(2, 4, INPUTS), torch.randn(1, 2, HIDDEN)
    y, behind = layer(x, c)
    c = c[0]
    for step in range(4):
        candidate, f, r, passing = layer.affine(x[:, step]).chunk(4, dim=-1)
        of_forget, of_reset = layer.v.chunk(2)
        f, r = torch.sigmoid(f + of_forget * c), torch.sigmoid(r + of_reset * c)
        c = f * c + (1 - f) * candidate
        assert torch.allclose(y[:, step], r * c + (1 - r) * passing, atol=1e-6)
    assert torch.allclose(behind[0], c, atol=1e-6)


def test_min_gru_is_its_equations_and_stays_between_minus_one_and_one():
    layer, x, h = MinGru().layer(INPUTS, HIDDEN), 50 * torch.randn(2, 30, INPUTS), torch.zeros(2, HIDDEN)
    y, _ = layer(x)
    for step in range(30):
        candidate, keep = layer.affine(x[:, step]).chunk(2, dim=-1)
        z = 1 - torch.sigmoid(keep)
        h = (1 - z) * h + z * torch.tanh(candidate)
        assert torch.allclose(y[:, step], h, atol=1e-5)
    assert y.abs().max() <= 1


@pytest.mark.parametrize("cell", [FastGrnn(), FastGrnn(2, 3)], ids=repr)
def test_fast_grnn_is_its_equations(cell):
    layer, x, h = cell.layer(INPUTS, HIDDEN), torch.randn(2, 4, INPUTS), torch.randn(1, 2, HIDDEN)
    y, _ = layer(x, h)
    w, u = (factors[0] if len(factors) == 1 else factors[0] @ factors[1] for factors in (layer.w, layer.u))
    h, zeta, nu = h[0], layer.zeta.sigmoid(), layer.nu.sigmoid()
    for step in range(4):
        both = x[:, step] @ w.T + h @ u.T
        z, n = torch.sigmoid(both + layer.bias_gate), torch.tanh(both + layer.bias)
        h = (zeta * (1 - z) + nu) * n + z * h
        assert torch.allclose(y[:, step], h, atol=1e-6)


@pytest.mark.parametrize("cell", [Sru(memory=30), MinGru(memory=30)], ids=repr)
def test_units_begin_with_memories_of_one_to_so_many_steps(cell):
    layer = cell.layer(3, 500)
    forget = layer.affine.bias[500:1000].sigmoid()
    steps = 1 / (1 - forget)
    assert 1.9 < steps.min() < 3
    assert 28 < steps.max() < 31


def test_factors_begin_with_the_spread_of_a_whole_matrix():
    thin, whole = FastGrnn(8, 8).layer(64, 64), FastGrnn().layer(64, 64)
    thin_spread, spread = (matrix.detach().std() for matrix in (thin.u[0] @ thin.u[1], whole.u[0]))
    assert float(thin_spread) == pytest.approx(float(spread), rel=0.15)


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (FastGrnn(input_rank=6), "rank 6 for a matrix of 7 x 5"),
        (FastGrnn(state_rank=0), "rank 0 for a matrix of 7 x 7"),
    ],
    ids=repr,
)
def test_a_rank_that_its_matrix_cannot_have_is_refused(cell, told):
    with pytest.raises(InputError, match=f"FastGRNN got {told}: a rank is at least 1 and at most the smaller side"):
        cell.layer(INPUTS, HIDDEN)


def test_a_student_that_would_hear_the_future_is_refused():
    told = r"a student cannot be bidirectional lstm: it streams.*Give the student Lstm\(\), and this to its teacher"
    with pytest.raises(InputError, match=told):
        student(Bidirectional(Lstm()))
    with pytest.raises(InputError, match=told):
        Bidirectional(Lstm()).weights(5, 7)


def test_a_gru_student_is_what_it_always_was():
    """Checkpoints of before cells could be chosen load, and a training begins with the same numbers."""
    made = student(Gru(), layers=2)
    expected = [f"grus.{i}.{name}_l0" for i in range(2) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    assert [key for key in made.state_dict() if key.startswith("grus")] == expected
    torch.manual_seed(5)
    layer = Gru().layer(INPUTS, HIDDEN)
    torch.manual_seed(5)
    plain = nn.GRU(INPUTS, HIDDEN, batch_first=True)
    assert all(torch.equal(ours, its) for ours, its in zip(layer.parameters(), plain.parameters(), strict=True))
