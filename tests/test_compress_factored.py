"""Two factors in training compute the very bits of the device's arithmetic, and their gradients are the float GRU's."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="compression needs torch")

import torch

from compress.factored_cells import FactoredGru, Factors, Whole, matrices
from compress.factored_rows import FactoredRows
from compress.quantize import calibrate
from compress.recurrence import decode, quantize_state, recur
from compress.weight_grids import INT8, PowersOfTwo
from device_runtime import arithmetic, golden
from device_runtime.arithmetic import Factored
from train.forecaster import Forecaster, ForecasterConfig
from train.student import Student, StudentConfig

STUDENTS = {
    "as shipped, smaller": (StudentConfig(channels=12, projection=32, hidden=48), [(12, 16)]),
    "rank one": (StudentConfig(channels=4, projection=16, hidden=17), [(1, 1)]),
    "the state alone": (StudentConfig(channels=5, projection=0, hidden=20), [(0, 7)]),
    "the input alone": (StudentConfig(channels=5, projection=0, hidden=20), [(9, 0)]),
    "two GRU layers": (StudentConfig(channels=4, projection=16, hidden=17, gru_layers=2), [(5, 6), (0, 4)]),
    "factors of what is heard": (StudentConfig(channels=0, projection=0, hidden=16), [(11, 5)]),
}
LABELS = 6


def factor(model, ranks, seed=0):
    """Random factors in place of the GRUs' matrices, as lively as those were; 0 leaves a matrix."""
    torch.manual_seed(seed)

    def made(matrix, rank):
        rows, columns = matrix.product().shape
        if rank == 0:
            return matrix
        outer = torch.randn(rows, rank) * (1.0 / rank**0.5)
        return Factors(outer, torch.randn(rank, columns) * (0.8 / columns**0.5), matrix.bias)

    for at, of_gru in enumerate(ranks):
        pair = zip(matrices(model.grus[at]), of_gru, strict=True)
        model.grus[at] = FactoredGru(*(made(matrix, rank) for matrix, rank in pair))
    return model


def student(shape, seed=0):
    config, ranks = STUDENTS[shape]
    torch.manual_seed(seed)
    return factor(Student(config, LABELS), ranks, seed)


def random_frames(size, steps, clips=1, seed=0):
    """Like features: 0 to 26, changing slowly, with a loud step that saturates and a constant stretch."""
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0, 1.5, (clips, steps, size)), axis=1)
    frames = (13 + 13 * np.sin(walk / 3)).astype(np.float32)
    frames[:, steps // 3] *= 3
    frames[:, steps // 2 : steps // 2 + steps // 10] = frames[:, :1]
    return torch.from_numpy(frames)


def int8(shape, seed=0):
    return calibrate(student(shape, seed), random_frames(200, 40, clips=3, seed=seed + 1).clamp(max=24))


def bits(values):
    return np.ascontiguousarray(values).view(np.uint32)


def assert_same_bits(ours, frames):
    with torch.no_grad():
        scores, states = ours.trace(frames[None])
    recorded = golden.record(ours.model(), frames.numpy())
    np.testing.assert_array_equal(bits(scores[0].numpy()), bits(recorded.scores))
    np.testing.assert_array_equal(bits(states[0].numpy()), bits(recorded.states))
    assert np.ptp(recorded.scores, axis=0).max() > 0.1, "the fixture should be lively"


@pytest.mark.parametrize("shape", STUDENTS)
def test_a_student_with_factors_gives_the_device_s_bits(shape):
    ours = int8(shape)
    assert_same_bits(ours, random_frames(200, 300, seed=7)[0])
    found = [
        [product.factors for product in (gru.input, gru.state)]
        for gru in ours.model().layers[-len(STUDENTS[shape][1]) :]
    ]
    for factors, ranks in zip(found, STUDENTS[shape][1], strict=True):
        assert [made[0].rows if len(made) > 1 else 0 for made in factors] == list(ranks)


def test_a_student_with_factors_gives_the_device_s_bits_after_it_was_trained_on():
    ours, frames = int8("two GRU layers"), random_frames(200, 30, clips=4)
    optimizer = torch.optim.AdamW(ours.parameters(), lr=1e-2)
    losses = []
    for _ in range(8):
        loss = torch.nn.functional.cross_entropy(ours(frames)[:, -1], torch.tensor([0, 1, 2, 3]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0], "it should learn"
    assert_same_bits(ours, random_frames(200, 200, seed=9)[0])


FORECASTER = ForecasterConfig(segment=6, segments=8, horizon=18, hidden=12)


def forecaster():
    torch.manual_seed(5)
    return factor(Forecaster(FORECASTER), [(4, 5)]).eval()


def windows(count, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 1, (count, 8, 6)).astype(np.float32))


def test_a_forecaster_decodes_through_factors_with_the_device_s_bits():
    ours = calibrate(forecaster(), windows(20))
    model, frames = ours.model(), windows(6, seed=1) * 1.5
    assert isinstance(model.layers[0].state, Factored)
    with torch.no_grad():
        scores = ours(frames)
        traced, states = ours.trace(frames)
    for window, given, of_trace, state in zip(frames.numpy(), scores, traced, states, strict=True):
        recorded = golden.record(model, window)
        np.testing.assert_array_equal(bits(given.numpy()), bits(recorded.scores[-1]))
        np.testing.assert_array_equal(bits(of_trace.numpy()), bits(recorded.scores))
        np.testing.assert_array_equal(bits(state.numpy()), bits(recorded.states))


def pairs(exact, ours):
    """Parameters of GRUs in float and in int8 that stand for one another."""
    for gru, *of_gru in zip(exact.grus, ours.gru_inputs, ours.gru_states, strict=True):
        for matrix, rows in zip(matrices(gru), of_gru, strict=True):
            if isinstance(matrix, Factors):
                assert isinstance(rows, FactoredRows)
                yield from ((matrix.outer, rows.outer.weight), (matrix.inner, rows.inner.weight))
                yield matrix.bias, rows.outer.bias
            else:
                yield from ((matrix.weight, rows.weight), (matrix.bias, rows.bias))


def agree(exact, ours, least=0.95):
    for their, own in pairs(exact, ours):
        agreement = torch.nn.functional.cosine_similarity(their.grad.flatten(), own.grad.flatten(), dim=0)
        assert float(agreement) > least


@pytest.mark.parametrize("shape", STUDENTS)
def test_gradients_agree_with_the_float_student_s(shape):
    exact = student(shape, seed=3)
    frames = random_frames(200, 40, clips=16).clamp(max=26)
    ours = calibrate(exact, frames)
    wanted = torch.randn(16, 40, LABELS)
    for model in (exact, ours):
        (model(frames) * wanted).sum().backward()
    agree(exact, ours)


def test_gradients_agree_with_the_float_forecaster_s():
    exact, frames = forecaster(), windows(24)
    ours = calibrate(exact, frames)
    wanted = torch.randn(exact(frames).shape)
    for model in (exact, ours):
        (model(frames) * wanted).sum().backward()
    agree(exact, ours)


@pytest.mark.parametrize("grid", [INT8, PowersOfTwo(bits=4)], ids=["int8", "a grid whose units are learned"])
def test_the_recurrence_s_written_out_gradient_through_factors_is_autograd_s_own(grid):
    """The same operations, one step after the other, by autograd with rounding passed through."""
    torch.manual_seed(2)
    rows = FactoredRows(
        Factors(torch.randn(18, 4) / 2, torch.randn(4, 6) / 2, torch.randn(18) / 4), gain=200.0, grid=grid
    )
    gx = torch.randn(3, 9, 18, requires_grad=True)
    wanted, scale = torch.randn(3, 9, 6), torch.tensor(1 / 128)
    (recur(gx, *rows.parts(scale)) * wanted).sum().backward()
    ours = [gx.grad, *(parameter.grad for parameter in rows.parameters())]
    gx.grad = None
    for parameter in rows.parameters():
        parameter.grad = None
    h, states = torch.zeros(3, 6), []
    for step in range(9):  # a position for each clip, of which it takes its own
        h = decode(gx[:, step], rows(quantize_state(h), scale), h)[torch.arange(3), torch.arange(3)]
        states.append(h)
    (torch.stack(states, dim=1) * wanted).sum().backward()
    theirs = [gx.grad, *(parameter.grad for parameter in rows.parameters())]
    saturated = rows.inner(quantize_state(torch.stack(states, 1)), scale) * 200
    assert 0 < float((saturated.abs() > 128).float().mean()) < 0.5, "some values between the factors leave the grid"
    for own, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, their, rtol=1e-4, atol=1e-5)


def test_a_factored_gru_is_the_gru_of_the_product():
    torch.manual_seed(0)
    gru = torch.nn.GRU(7, 5, batch_first=True)
    whole = FactoredGru(*matrices(gru))
    x, h = torch.randn(2, 9, 7), torch.randn(1, 2, 5)
    for got, expected in zip((*whole(x), *whole(x, h)), (*gru(x), *gru(x, h)), strict=True):
        assert torch.equal(got, expected)
    factors = Factors(torch.randn(15, 3), torch.randn(3, 5), gru.bias_hh_l0)
    with torch.no_grad():
        gru.weight_hh_l0.copy_(factors.outer @ factors.inner)
    torch.testing.assert_close(FactoredGru(whole.input, factors)(x)[0], gru(x)[0])
    assert [isinstance(matrix, Whole) for matrix in matrices(FactoredGru(whole.input, factors))] == [True, False]


def test_the_largest_value_between_the_factors_becomes_127():
    ours = int8("as shipped, smaller")
    frames = random_frames(200, 40, clips=3, seed=1).clamp(max=24)
    with torch.no_grad():
        states = ours.run(frames).states[0]
        rows = next(iter(ours.gru_states))
        between = rows.inner(torch.floor(states * 128 + 0.5), torch.tensor(1 / 128)) * rows.gain
    assert float(between.abs().max()) == pytest.approx(127, rel=0.03)


def test_factors_can_be_saved_and_loaded():
    shape = "two GRU layers"
    ours, other = int8(shape), int8(shape, seed=5)
    other.load_state_dict(ours.state_dict())
    floats, others = student(shape), student(shape, seed=5)
    others.load_state_dict(floats.state_dict())
    frames = random_frames(200, 20)
    with torch.no_grad():
        assert torch.equal(other(frames), ours(frames))
        assert torch.equal(others(frames), floats(frames))


def test_a_model_made_of_factors_is_smaller():
    def stored(model):
        return sum(
            part.weight.size
            for layer in model.layers
            if isinstance(layer, arithmetic.Gru)
            for part in layer.state.factors
        )

    config = StudentConfig(channels=12, projection=32, hidden=48)
    frames = random_frames(200, 20, clips=2)
    assert stored(int8("as shipped, smaller").model()) < 0.5 * stored(
        calibrate(Student(config, LABELS), frames).model()
    )
