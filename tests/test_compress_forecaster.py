"""The int8 forecaster computes, for whole batches of windows and with gradients, the very bits of the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("torch", reason="compression needs torch")

import torch
from torch import nn

from compress.int8_forecaster import Int8Forecaster
from compress.prune import Prune, keep_zeros
from compress.quantize import Int8, calibrate
from compress.rows import BIAS_PER_UNIT
from device_runtime import arithmetic, golden
from device_runtime.arithmetic import Decode, Gru
from device_runtime.engines.reference import ReferenceEngine
from export.parity import parity


class Dense(nn.Module):
    """A dense layer over the whole frame."""

    def __init__(self, columns, rows):
        super().__init__()
        self.hop, self.affine = columns, nn.Linear(columns, rows)


@dataclass(frozen=True)
class Shape:
    """Of a forecaster."""

    width: int = 8
    frames: int = 6
    positions: int = 3
    quantiles: int = 3
    hidden: int = 16
    codes: int = 0
    projection: int = 0
    layers: int = 1
    linear: bool = True


class Forecaster(nn.Module):
    """The smallest float model that can be quantized as a forecaster, with lively weights."""

    def __init__(self, shape):
        super().__init__()
        torch.manual_seed(3)
        self.width = shape.width
        self.feature_size = size = shape.width + shape.codes
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("std", torch.tensor(1.0))
        self.dense = nn.ModuleList([Dense(size, shape.projection)] if shape.projection else [])
        sizes = [shape.projection or size] + [shape.hidden] * shape.layers
        self.grus = nn.ModuleList(nn.GRU(one, other, batch_first=True) for one, other in pairwise(sizes))
        self.positions = nn.Parameter(torch.randn(shape.positions, 3 * shape.hidden))
        self.head = nn.Linear(shape.hidden, shape.quantiles * shape.width)
        self.linear = nn.Linear(shape.frames, shape.positions) if shape.linear else None

    def forward(self, frames):
        x = frames
        for dense in self.dense:
            x = torch.relu(dense.affine(x))
        for gru in self.grus:
            x, _ = gru(x)
        _, weight, _, bias = self.grus[-1].all_weights[0]
        h = x[:, -1, None]
        ghr, ghz, ghn = (h @ weight.T + bias).chunk(3, dim=-1)
        gxr, gxz, gxn = self.positions.chunk(3, dim=-1)
        z = torch.sigmoid(gxz + ghz)
        scores = self.head(torch.tanh(gxn + torch.sigmoid(gxr + ghr) * ghn) * (1 - z) + z * h)
        if self.linear is not None:
            ahead = self.linear(frames[..., : self.width].transpose(1, 2)).transpose(1, 2)
            scores = scores.unflatten(2, (-1, self.width)) + ahead[:, :, None]
        return scores.flatten(1)


SHAPES = {
    "a GRU and a linear map": Shape(),
    "a code of the channel behind the samples": Shape(codes=3, projection=10),
    "two GRUs": Shape(layers=2, hidden=9),
    "one position": Shape(positions=1),
    "one frame": Shape(frames=1),
    "without a linear map": Shape(linear=False, quantiles=1),
    "as shipped": Shape(width=24, frames=30, positions=4, hidden=64),
}


def windows(shape, count=4, seed=0):
    """Slow waves and noise, with a flat window and a loud one: (count, frames, features)."""
    random = np.random.default_rng(seed)
    steps = np.arange(shape.frames * shape.width)
    waves = np.sin(steps / shape.width * 2 + random.uniform(0, 6, (count, 1))) + random.normal(
        0, 0.5, (count, steps.size)
    )
    waves[1] = 0.25
    waves[2] *= 6
    codes = np.eye(max(shape.codes, 1))[random.integers(0, max(shape.codes, 1), count), None, : shape.codes]
    frames = waves.reshape(count, shape.frames, shape.width)
    return torch.from_numpy(
        np.concatenate([frames, np.broadcast_to(codes, (count, shape.frames, shape.codes))], axis=2).astype(np.float32)
    )


def int8(shape):
    return calibrate(Forecaster(shape), windows(shape, 8, seed=1) / 3)  # some windows are louder than calibration


def bits(values):
    return np.ascontiguousarray(values).view(np.uint32)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_forecaster_in_training_gives_the_device_s_bits_after_each_window(shape):
    ours, frames = int8(SHAPES[shape]), windows(SHAPES[shape], 12)
    model = ours.model()
    with torch.no_grad():
        scores = ours(frames)
    assert (scores.dtype, scores.shape) == (torch.float32, (12, model.score_size))
    for window, given in zip(frames.numpy(), scores.numpy(), strict=True):
        expected = golden.record(model, window).scores[-1]
        np.testing.assert_array_equal(bits(given), bits(expected))
    assert float(scores.std(dim=0).max()) > 0.1, "the fixture should be lively"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_trace_gives_scores_and_states_after_every_step_of_any_stream(shape):
    ours, model = int8(SHAPES[shape]), int8(SHAPES[shape]).model()
    stream = windows(SHAPES[shape], 20).flatten(0, 1)  # one stream, far longer than a window
    with torch.no_grad():
        scores, states = ours.trace(torch.stack([stream, -stream]))
    for i, frames in enumerate((stream, -stream)):
        recorded = golden.record(model, frames.numpy())
        np.testing.assert_array_equal(bits(scores[i].numpy()), bits(recorded.scores))
        np.testing.assert_array_equal(bits(states[i].numpy()), bits(recorded.states))


def test_windows_shorter_than_the_linear_map_see_zeros_before_them():
    ours = int8(SHAPES["as shipped"])
    frames = windows(SHAPES["as shipped"])[:, :7]
    with torch.no_grad():
        given = ours(frames)[0].numpy()
    np.testing.assert_array_equal(bits(given), bits(golden.record(ours.model(), frames[0].numpy()).scores[-1]))


def test_parity_holds_an_engine_to_a_forecaster_over_windows_as_one_stream():
    ours = int8(SHAPES["a GRU and a linear map"])
    stream = windows(SHAPES["a GRU and a linear map"], 20).flatten(0, 1).numpy()

    def student(frames):
        with torch.no_grad():
            scores, states = ours.trace(torch.from_numpy(frames)[None])
        return scores[0].numpy(), states[0].numpy()

    assert parity(student, [ReferenceEngine(ours.model())], stream, 120).differing_bits == {"reference": 0}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_forecaster_gives_the_device_s_bits_after_it_was_trained_on(shape):
    ours, frames = int8(SHAPES[shape]), windows(SHAPES[shape], 6, seed=2)
    wanted = torch.randn(ours(frames).shape, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(ours.parameters(), lr=1e-2)
    losses = []
    for _ in range(10):
        loss = (ours(frames) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.95 * losses[0], "it should learn"
    with torch.no_grad():
        given = ours(frames)[3].numpy()
    np.testing.assert_array_equal(bits(given), bits(golden.record(ours.model(), frames[3].numpy()).scores[-1]))


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_reach_every_parameter_and_agree_with_the_float_forecaster_s(shape):
    exact = Forecaster(SHAPES[shape])
    frames = windows(SHAPES[shape], 24) / 3
    ours = calibrate(exact, frames)
    wanted = torch.randn(exact(frames).shape, generator=torch.Generator().manual_seed(0))
    for model in (exact, ours):
        (model(frames) * wanted).sum().backward()
    pairs = [(exact.positions, ours.positions)]
    for gru, inputs, states in zip(exact.grus, ours.gru_inputs, ours.gru_states, strict=True):
        pairs += list(zip(gru.all_weights[0], (inputs.weight, states.weight, inputs.bias, states.bias), strict=True))
    theirs = [exact.head, *(dense.affine for dense in exact.dense), *([exact.linear] if exact.linear else [])]
    mine = [ours.head, *ours.dense, *([ours.linear] if ours.linear else [])]
    for linear, rows in zip(theirs, mine, strict=True):
        pairs += [(linear.weight, rows.weight), (linear.bias, rows.bias)]
    assert {id(own) for _, own in pairs} == {id(parameter) for parameter in ours.parameters()}
    for their, own in pairs:
        agreement = torch.nn.functional.cosine_similarity(their.grad.flatten(), own.grad.flatten(), dim=0)
        assert float(agreement) > 0.95
        assert float(own.grad.norm() / their.grad.norm()) == pytest.approx(1, abs=0.1)


def test_int8_scores_stay_close_to_the_float_forecaster_s():
    exact, frames = Forecaster(SHAPES["as shipped"]), windows(SHAPES["as shipped"], 30)
    with torch.no_grad():
        wanted, given = exact(frames), calibrate(exact, frames)(frames)
    assert 0 < float((wanted - given).square().mean().sqrt()) < 0.05 * float(wanted.std())


def test_positions_lie_on_the_grid_of_the_biases_and_the_largest_input_becomes_127():
    shape = SHAPES["as shipped"]
    frames = windows(shape, 8)
    ours = calibrate(Forecaster(shape), frames)
    assert isinstance(ours, Int8Forecaster)
    positions = ours.model().layers[-1].positions
    steps = positions * BIAS_PER_UNIT
    np.testing.assert_array_equal(steps, np.round(steps))
    assert (positions.dtype, positions.shape) == (np.float32, (4, 192))
    assert np.abs(positions - ours.positions.detach().numpy()).max() <= 0.5 / BIAS_PER_UNIT
    assert float(ours.input_gain) * float(frames.abs().max()) == pytest.approx(127, rel=1e-6)
    model = ours.model()
    assert (model.positions, model.linear.width, model.linear.frames) == (4, 24, 30)
    assert [type(layer) for layer in model.layers] == [Gru, Decode]


def test_a_quantized_forecaster_can_be_saved_and_loaded():
    shape = SHAPES["a code of the channel behind the samples"]
    ours, other = int8(shape), calibrate(Forecaster(shape), windows(shape, 9, seed=5))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.5)
        other.load_state_dict(ours.state_dict())
        assert torch.equal(other(windows(shape)), ours(windows(shape)))


class Bench:
    """Trains by random pushes at every weight."""

    def __init__(self, frames):
        self.calibration = frames

    def tune(self, model, epochs, learning_rate, title, after_step=None, best_from=0.0, settings=""):
        generator = torch.Generator().manual_seed(1)
        for step in range(5):
            with torch.no_grad():
                for weight in model.parameters():
                    weight += 0.01 * torch.randn(weight.shape, generator=generator)
            after_step((step + 1) / 5)


def test_pruning_takes_weights_and_never_positions_and_what_is_zero_stays_zero():
    shape = Shape(width=24, frames=30, positions=30, hidden=64)
    bench = Bench(windows(shape))
    pruned = Prune(sparsity=0.5, epochs=1, smallest=700).apply(Forecaster(shape), bench)
    assert float((pruned.grus[0].weight_hh_l0 == 0).double().mean()) == pytest.approx(0.5, abs=0.01)
    assert float((pruned.linear.weight == 0).double().mean()) == pytest.approx(0.5, abs=0.02)
    assert pruned.positions.numel() >= 2048, "as large as a matrix that is pruned"
    assert bool((pruned.positions != 0).all())
    with torch.no_grad():
        pruned.positions[0, 0] = 0  # what is zero by chance may move
    ours = Int8(epochs=1).apply(pruned, bench)
    assert torch.equal(ours.gru_states[0].weight == 0, pruned.grus[0].weight_hh_l0 == 0)
    assert float(ours.positions[0, 0].detach()) != 0
    assert not any(weight is ours.positions for weight, _ in keep_zeros(ours))
    state = arithmetic.step(ours.model(), bench.calibration[0, 0].numpy(), ours.model().initial_state())[1]
    assert np.isfinite(state).all()
