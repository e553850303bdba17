"""The int8 student computes, in batches and with gradients, the very bits of the device's arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="compression needs torch")

import torch

from compress.blocks import block_mask
from compress.qat import Int8Student
from compress.quantize import calibrate
from compress.rows import BIAS_PER_UNIT
from device_runtime import arithmetic
from device_runtime.recordings import read_audio
from train.batches import FrameView
from train.data.arabic import ArabicCommands
from train.features import feature_vectors
from train.student import Student, StudentConfig

SHAPES = {
    "as shipped, smaller": StudentConfig(channels=12, projection=32, hidden=48),
    "the largest shipped": StudentConfig(channels=24, projection=56, hidden=128),
    "two GRU layers": StudentConfig(channels=4, projection=16, hidden=17, gru_layers=2),
    "without projection": StudentConfig(channels=5, projection=0, hidden=20),
    "without convolution": StudentConfig(channels=0, projection=20, hidden=9),
    "a GRU alone": StudentConfig(channels=0, projection=0, hidden=16),
    "windows that leave bands over": StudentConfig(window_bands=7, hop_bands=5, channels=3, projection=11, hidden=7),
    "one vector a frame": StudentConfig(stack=1, stride=1, channels=8, projection=12, hidden=10),
}
LABELS = 6
LOUDEST = 26
"""Of the speech features; a gain for louder ones, which is a power of two, would leave quiet ones fewer bits."""


def random_frames(config, steps, clips=1, seed=0):
    """Like features: 0 to 26, changing slowly, with a loud step that saturates and a constant stretch."""
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0, 1.5, (clips, steps, config.bands * config.stack)), axis=1)
    frames = (13 + 13 * np.sin(walk / 3)).astype(np.float32)
    frames[:, steps // 3] *= 3
    frames[:, steps // 2 : steps // 2 + steps // 10] = frames[:, :1]
    return torch.from_numpy(frames)


def student(config, seed=0):
    """With lively weights: an untrained one would hardly move."""
    torch.manual_seed(seed)
    made = Student(config, LABELS)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2.0)
    return made


def pruned(made):
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 2:
                parameter.mul_(block_mask(parameter, (8, 2), 0.7))
    return made


def int8(config, seed=0):
    return calibrate(student(config, seed), random_frames(config, 40, clips=3, seed=seed + 1) * 0.9)


def of_device(model, frames):
    """Scores and states of one stream, step by step."""
    state, scores, states = model.initial_state(), [], []
    for frame in frames:
        scored, state = arithmetic.step(model, frame, state)
        scores.append(scored)
        states.append(state)
    return np.stack(scores), np.stack(states)


def assert_same_bits(ours, frames):
    with torch.no_grad():
        scores, states = ours.trace(frames[None])
    expected_scores, expected_states = of_device(ours.model(), frames.numpy())
    assert scores.dtype == states.dtype == torch.float32
    np.testing.assert_array_equal(scores[0].numpy().view(np.uint32), expected_scores.view(np.uint32))
    np.testing.assert_array_equal(states[0].numpy().view(np.uint32), expected_states.view(np.uint32))
    assert np.ptp(expected_scores, axis=0).max() > 0.1, "the fixture should be lively"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_student_in_training_gives_the_device_s_bits(shape):
    config = SHAPES[shape]
    assert_same_bits(int8(config), random_frames(config, 300, seed=7)[0])


@pytest.mark.parametrize("shape", ["as shipped, smaller", "two GRU layers"])
def test_a_pruned_student_gives_the_device_s_bits(shape):
    config = SHAPES[shape]
    sparse = calibrate(pruned(student(config)), random_frames(config, 40, clips=3))
    assert_same_bits(sparse, random_frames(config, 300, seed=8)[0])
    assert (sparse.model().layers[-1].state.weight == 0).mean() > 0.6


def test_a_student_gives_the_device_s_bits_after_it_was_trained_on():
    config = SHAPES["as shipped, smaller"]
    ours = int8(config)
    optimizer = torch.optim.AdamW(ours.parameters(), lr=1e-2)
    frames = random_frames(config, 30, clips=4)
    losses = []
    for _ in range(8):
        loss = torch.nn.functional.cross_entropy(ours(frames)[:, -1], torch.tensor([0, 1, 2, 3]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0], "it should learn"
    assert_same_bits(ours, random_frames(config, 200, seed=9)[0])


def test_clips_in_a_batch_do_not_touch_one_another():
    config = SHAPES["two GRU layers"]
    ours = int8(config)
    frames = random_frames(config, 50, clips=4)
    with torch.no_grad():
        together, alone = ours(frames), torch.cat([ours(clip[None]) for clip in frames])
    assert torch.equal(together, alone)


def cosine(one, other):
    return float(torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_agree_with_the_float_student_s(shape):
    config = SHAPES[shape]
    torch.manual_seed(3)
    float_student = Student(config, LABELS)
    frames = random_frames(config, 40, clips=16).clamp(max=LOUDEST)
    ours = calibrate(float_student, frames)
    wanted = torch.randn(16, 40, LABELS)
    for model in (float_student, ours):
        (model(frames) * wanted).sum().backward()
    theirs = [float_student.head, *(dense.affine for dense in float_student.dense)]
    mine = [ours.head, *ours.dense]
    pairs = [(a.weight.grad, b.weight.grad) for a, b in zip(theirs, mine, strict=True)]
    pairs += [(a.bias.grad, b.bias.grad) for a, b in zip(theirs, mine, strict=True)]
    for gru, inputs, states in zip(float_student.grus, ours.gru_inputs, ours.gru_states, strict=True):
        rows = (inputs.weight, states.weight, inputs.bias, states.bias)
        pairs += [(a.grad, b.grad) for a, b in zip(gru.all_weights[0], rows, strict=True)]
    agreements = [cosine(*pair) for pair in pairs]
    assert min(agreements) > 0.96
    assert sum(agreements) / len(agreements) > 0.98


def test_the_recurrence_s_written_out_gradient_is_autograd_s_own():
    """With the tables replaced by what they tabulate and no rounding, the same formulas by autograd."""
    torch.manual_seed(4)
    hidden, columns = 6, 5
    ours = int8(StudentConfig(stack=1, stride=1, bands=columns, channels=0, projection=0, hidden=hidden))
    gru = torch.nn.GRU(columns, hidden, batch_first=True)
    with torch.no_grad():  # the very int8 weights as a float GRU, on inputs that need no rounding
        scale = 1 / ours.input_gain
        for rows, weight, bias, at in (
            (ours.gru_inputs[0], gru.weight_ih_l0, gru.bias_ih_l0, scale),
            (ours.gru_states[0], gru.weight_hh_l0, gru.bias_hh_l0, torch.tensor(1 / 128)),
        ):
            whole, per_row, grid = rows.parts(at)
            weight.copy_(whole * (per_row / at)[:, None])
            bias.copy_(grid)
    frames = torch.randint(0, 127, (3, 20, columns)) / ours.input_gain
    wanted = torch.randn(3, 20, hidden)
    exact, _ = gru(frames)
    (exact * wanted).sum().backward()
    _, states = ours.trace(frames)
    (states[:, :, columns:] * wanted).sum().backward()
    assert float((states[:, :, columns:] - exact).detach().abs().max()) < 0.03
    for theirs, mine in ((gru.weight_hh_l0, ours.gru_states[0].weight), (gru.bias_hh_l0, ours.gru_states[0].bias)):
        assert cosine(theirs.grad, mine.grad) > 0.99
        assert float(mine.grad.norm() / theirs.grad.norm()) == pytest.approx(1, abs=0.05)


def affines(model):
    for layer in model.layers:
        yield from (layer.affine,) if isinstance(layer, arithmetic.Dense) else (layer.input, layer.state)
    yield model.head


@pytest.mark.parametrize("shape", SHAPES)
def test_the_model_has_short_scales_and_biases_on_their_grid(shape):
    for affine in affines(int8(SHAPES[shape]).model()):
        assert affine.weight.dtype == np.int8
        assert affine.weight.min() >= -127
        assert (np.abs(affine.weight).max(axis=1) >= 120).all(), "each row uses its range"
        assert not (affine.scale.view(np.uint32) & 0xFFFF).any()
        steps = affine.bias * BIAS_PER_UNIT
        np.testing.assert_array_equal(steps, np.round(steps))


def test_the_mean_of_the_features_is_folded_into_the_first_layer():
    config = SHAPES["as shipped, smaller"]
    made = student(config)
    ours = calibrate(made, random_frames(config, 30).clamp(max=LOUDEST))
    constant = torch.full((1, 30, ours.feature_size), float(made.mean))  # what the student sees as zero
    with torch.no_grad():
        assert float((ours(constant) - made(constant)).abs().max()) < 0.1


def test_the_state_has_the_quantizer_s_error_then_each_layer_s_h():
    config = SHAPES["two GRU layers"]
    ours = int8(config)
    with torch.no_grad():
        scores, states = ours.trace(random_frames(config, 5, clips=2))
    assert scores.shape == (2, 5, LABELS)
    assert states.shape == (2, 5, 200 + 17 + 17)
    assert states.shape[2] == ours.model().state_size
    assert float(states[:, :, :200].abs().max()) <= 0.5
    on_grid = states[:, :, 200:] * 32768
    assert torch.equal(on_grid, on_grid.round())


def test_a_quantized_student_can_be_saved_and_loaded():
    config = SHAPES["as shipped, smaller"]
    ours, other = int8(config), int8(config, seed=5)
    other.load_state_dict(ours.state_dict())
    frames = random_frames(config, 20)
    with torch.no_grad():
        assert torch.equal(other(frames), ours(frames))


def test_real_recordings_give_the_device_s_bits(real_data, monkeypatch):
    pytest.importorskip("soundfile", reason="the recordings are compressed")
    monkeypatch.setenv("TINYRNN_DATA", str(real_data))
    recordings = ArabicCommands().recordings("test")[::67][:32]
    audio = np.concatenate([read_audio(recording.path) for recording in recordings])
    config = SHAPES["the largest shipped"]
    frames = FrameView(config.stack, config.stride)(torch.from_numpy(feature_vectors(audio))[None])[0][:1000]
    assert len(frames) == 1000
    ours = calibrate(student(config), frames[None, ::7])
    assert isinstance(ours, Int8Student)
    assert_same_bits(ours, frames)
