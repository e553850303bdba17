"""Weights lie where their grid says, in codes that engines hold, and a grid for torch alone says so."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="compression needs torch")

import torch

from compress.ranges import LeastError, MinMax, Percentile, nearest, smallest_units
from compress.rows import Rows
from compress.weight_grids import INT8, Linear, PowersOfTwo
from device_runtime import codecs
from device_runtime.errors import InputError
from device_runtime.fixed_point import INT8_MAX

OF_FOUR_BITS = {
    "linear": Linear(4),
    "linear, per matrix": Linear(4, per="matrix"),
    "linear, percentile": Linear(4, range=Percentile(99)),
    "linear, least error": Linear(4, range=LeastError()),
    "asymmetric": Linear(4, symmetric=False),
    "asymmetric, percentile": Linear(4, range=Percentile(99), symmetric=False),
    "asymmetric, least error": Linear(4, range=LeastError(), symmetric=False),
    "powers of two": PowersOfTwo(),
    "sums of two powers": PowersOfTwo(terms=2),
    "powers of two, per matrix": PowersOfTwo(per="matrix"),
}
EVERY = {"int8": INT8, "int8, percentile": Linear(range=Percentile(99.5)), **OF_FOUR_BITS}
SCALE = torch.tensor(0.02)
"""Of the inputs."""


def matrix(rows=48, columns=64, seed=0):
    """Rows of different sizes, with a few large weights each, as training leaves them."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, generator=generator) * torch.rand(rows, 1, generator=generator).add(0.1)
    return weight + weight**3


def rows(grid, weight=None):
    weight = matrix() if weight is None else weight
    return Rows(weight, torch.zeros(len(weight)), grid=grid)


def error(grid, weight):
    """Squared, after rounding."""
    levels = grid.fit(weight)
    units = levels.units[:, None]
    return (nearest(weight / units, levels.codes) * units - weight).square().sum()


@pytest.mark.parametrize("name", EVERY)
def test_weights_are_rounded_to_the_nearest_of_the_levels(name):
    weight, made = matrix(), rows(EVERY[name])
    codes, scale, _ = made.parts(SCALE)
    levels = made.levels()
    units = scale / SCALE
    assert bool(torch.isin(codes, levels.codes).all())
    assert 0 in levels.codes
    distances = (weight[:, :, None] - levels.codes * units[:, None, None]).abs().amin(dim=2)
    chosen = (weight - codes * units[:, None]).abs()
    assert torch.allclose(chosen, distances, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_engines_hold_the_codes_and_store_sixteen_of_them_in_four_bits(name):
    weight = rows(EVERY[name]).affine(SCALE).weight
    assert abs(weight.astype(int)).max() <= INT8_MAX
    assert (codecs.smallest(weight).codebook is not None) == (name in OF_FOUR_BITS)


@pytest.mark.parametrize("name", EVERY)
def test_zeros_stay_zeros_and_are_stored_in_blocks(name):
    weight = matrix()
    weight[8:32, ::2] = 0
    stored = rows(EVERY[name], weight).affine(SCALE).weight
    assert not stored[8:32, ::2].any()
    assert codecs.smallest(stored).sparse_rows > 0


@pytest.mark.parametrize("name", EVERY)
def test_a_matrix_of_zeros_is_no_harm(name):
    affine = rows(EVERY[name], torch.zeros(3, 4)).affine(SCALE)
    assert not affine.weight.any()
    assert (affine.scale > 0).all()


@pytest.mark.parametrize("name", OF_FOUR_BITS)
def test_scales_and_biases_beside_four_bits_are_short(name):
    made = Rows(matrix(), torch.linspace(-2, 2, 48), grid=OF_FOUR_BITS[name])
    affine = made.affine(SCALE)
    assert not (affine.scale.view("uint32") & 0x3FFFF).any()
    assert (affine.bias * 512 == (affine.bias * 512).round()).all()
    with torch.no_grad():
        units = made.levels().units.expand(48)
    assert torch.allclose(torch.from_numpy(affine.scale), units * SCALE, rtol=0.032)
    assert torch.allclose(torch.from_numpy(affine.bias), made.bias.detach(), atol=1 / 1024)


def test_min_max_reaches_the_largest_weight_of_each_row():
    weight = matrix()
    for grid in (Linear(4), Linear(8), Linear(16)):
        levels = grid.fit(weight)
        assert torch.allclose(levels.units * levels.codes[-1], weight.abs().amax(dim=1))
    levels = Linear(4, symmetric=False).fit(weight)
    reached = levels.units[:, None] * levels.codes
    assert bool((reached.amin(dim=1) <= weight.amin(dim=1) + 1e-5).all())
    assert bool((reached.amax(dim=1) >= weight.amax(dim=1) - 1e-5).all())


def test_a_percentile_clips_its_share_of_the_weights_that_are_not_zero():
    weight = torch.arange(-100.0, 101).repeat(2, 1)
    levels = Linear(4, range=Percentile(90)).fit(torch.cat([weight, torch.zeros(2, 500)], dim=1))
    assert levels.units.tolist() == pytest.approx([90.1 / 7] * 2, rel=0.01)
    levels = Linear(4, range=Percentile(90), symmetric=False).fit(weight)
    assert levels.units.tolist() == pytest.approx([90 / 7] * 2, rel=0.02), "5 % at each end"


def test_the_least_error_is_less_than_any_other_range_s():
    weight = matrix()
    least = error(Linear(4, range=LeastError()), weight)
    assert least < error(Linear(4, range=MinMax()), weight)
    assert least < error(Linear(4, range=Percentile(97)), weight)
    assert error(PowersOfTwo(), weight) < error(PowersOfTwo(range=MinMax()), weight)


def test_one_unit_for_a_matrix_is_one_unit():
    assert len(Linear(4, per="matrix").fit(matrix()).units) == 1
    assert len(set(rows(Linear(4, per="matrix")).affine(SCALE).scale)) == 1
    assert len(set(rows(Linear(4)).affine(SCALE).scale)) > 30


def test_asymmetric_levels_follow_weights_that_lean_to_one_side():
    leaning = matrix().abs() - 0.2
    symmetric, free = Linear(4), Linear(4, symmetric=False)
    assert error(free, leaning) < error(symmetric, leaning) / 2
    codes = free.fit(leaning).codes
    assert (len(codes), bool(codes[0] > -4)) == (16, True)


def test_powers_of_two_are_finer_than_linear_levels_for_small_weights():
    assert PowersOfTwo().fit(matrix()).codes.tolist() == [*(-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64)]
    few_large = torch.full((1, 200), 1 / 60)
    few_large[0, :3] = 1.0
    assert error(PowersOfTwo(), few_large) < error(Linear(4), few_large) / 100


def test_int8_is_what_it_always_was():
    """The formula as bundles and checkpoints from before there were grids know it."""
    weight = matrix()
    scale = weight.abs().amax(dim=1).clamp(min=1e-6) / 127 * SCALE
    short = ((scale.view(torch.int32) + 0xFFFF) & ~0xFFFF).view(torch.float32)
    codes = torch.floor(weight / (short / SCALE)[:, None] + 0.5).clamp(-127, 127)
    made = rows(INT8)
    assert [name for name, _ in made.named_parameters()] == ["weight", "bias"]
    assert list(made.state_dict()) == ["weight", "bias"]
    assert torch.equal(made.parts(SCALE)[0], codes)
    assert torch.equal(made.parts(SCALE)[1], short)


@pytest.mark.parametrize("name", OF_FOUR_BITS)
def test_weights_and_units_learn_towards_a_smaller_error(name):
    weight = matrix(12, 20)
    made = rows(OF_FOUR_BITS[name], weight)
    q = torch.randint(-127, 128, (60, 20), generator=torch.Generator().manual_seed(2)).float()
    asked = q @ weight.T * 1.3 * SCALE
    optimizer = torch.optim.Adam(made.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        loss = (made(q, SCALE) - asked).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < (0.97 if "matrix" in name else 0.65) * losses[0]
    assert float(made.growth.detach().abs().min()) > 0, "units learn too"


@pytest.mark.parametrize("grid", [Linear(16), Linear(16, symmetric=False), Linear(8, symmetric=False)])
def test_what_leaves_the_int8_grid_is_for_torch_alone(grid):
    made, weight = rows(grid), matrix()
    q = torch.randint(-127, 128, (5, 64), generator=torch.Generator().manual_seed(3)).float()
    exact = q @ weight.T * SCALE
    assert float((made(q, SCALE) - exact).detach().abs().max()) < 0.03 * float(exact.abs().max())
    with pytest.raises(
        InputError, match=r"codes up to \d+, but engines hold up to 127: 16 bits, .* choose Linear\(8\)"
    ):
        made.affine(SCALE)


def test_sixteen_bits_are_finer_than_eight():
    assert error(Linear(16), matrix()) < error(Linear(8), matrix()) / 1e4


def test_a_row_of_zeros_has_a_unit():
    assert float(smallest_units(torch.zeros(1, 3), torch.arange(-7.0, 8))) > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Linear(3), r"linear weights got 3 bits; take 4 or 8, or 16 to be measured in torch alone\."),
        (lambda: Linear(0), r"got 0 bits; take 4 or 8"),
        (lambda: Linear(4, per="gate"), r"weights got a unit per 'gate'; take per='row' or per='matrix'\."),
        (lambda: PowersOfTwo(8), r"powers of two got 8 bits; take 4: with more, 2\*\*7 would leave the int8 grid\."),
        (lambda: PowersOfTwo(3), r"powers of two got 3 bits; take 4"),
        (lambda: PowersOfTwo(terms=3), r"powers of two got 3 terms; a level is a power, or the sum of 2\."),
        (lambda: PowersOfTwo(per="column"), r"a unit per 'column'"),
        (lambda: Percentile(101), r"a range got the percentile 101; it takes one above 50, up to 100\."),
        (lambda: Percentile(-1), r"got the percentile -1;"),
        (lambda: Percentile(float("nan")), r"got the percentile nan;"),
    ],
)
def test_what_no_grid_can_be_is_one_line(make, message):
    with pytest.raises(InputError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)
