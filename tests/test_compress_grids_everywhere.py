"""Zero differing bits on every engine, whatever grid the weights lie on, trained or not, pruned or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="compression needs torch")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="needs LiteRT")

import torch

from compress.blocks import block_mask
from compress.quantize import Int8, _gain, calibrate
from compress.ranges import LeastError, MinMax, Percentile
from compress.weight_grids import INT8, Grids, Linear, PowersOfTwo
from device_runtime import bundle, engines, flat
from device_runtime.errors import InputError
from device_runtime.fixed_point import INT8_MAX
from export.litert import Litert
from export.onnx import Onnx
from export.parity import parity
from models import random_frames, tiny_manifest
from scenarios.bundling import write_bundle
from train.student import Student, StudentConfig

GRIDS = {
    "linear 4": Linear(4, range=LeastError()),
    "asymmetric 4": Linear(4, symmetric=False),
    "log 4": PowersOfTwo(),
    "additive log 4": PowersOfTwo(terms=2),
    "log 4 per matrix": PowersOfTwo(per="matrix"),
}
SHAPE = StudentConfig(channels=4, projection=20, hidden=24)


class Bench:
    """Trains for a few steps on noise, with the loss that a student has."""

    def __init__(self, frames):
        self.calibration = frames
        self.settings = []

    def tune(self, model, epochs, learning_rate, title, after_step=None, best_from=0.0, settings=""):
        self.settings.append(settings)
        optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
        asked = torch.arange(len(self.calibration)) % 4
        self.losses = []
        for step in range(6):
            loss = torch.nn.functional.cross_entropy(model(self.calibration)[:, -1], asked)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            after_step((step + 1) / 6)
            self.losses.append(float(loss.detach()))


@pytest.fixture
def bench():
    return Bench(torch.from_numpy(random_frames(8 * 12, SHAPE.bands * SHAPE.stack)).unflatten(0, (8, 12)))


def student(sparsity, shape=SHAPE):
    torch.manual_seed(4)
    made = Student(shape, 4, mean=0.0, std=1.0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(2.0)
            if parameter.ndim == 2 and parameter.numel() > 400:
                parameter.mul_(block_mask(parameter, (8, 1), sparsity))
    return made


def of(trained):
    """Frames of one stream to what the model in torch makes of them."""

    def answers(stream):
        with torch.no_grad():
            scores, states = trained.trace(torch.from_numpy(stream)[None])
        return scores[0].numpy(), states[0].numpy()

    return answers


@pytest.mark.parametrize("sparsity", [0.0, 0.6])
@pytest.mark.parametrize("grid", GRIDS)
def test_no_bit_differs_on_any_engine(grid, sparsity, bench, tmp_path):
    method = Int8(epochs=1, learning_rate=0.02, weights=GRIDS[grid], ends=INT8 if sparsity else None)
    trained = method.apply(student(sparsity), bench)
    assert bench.losses[-1] < bench.losses[0]
    frames = torch.from_numpy(random_frames(300, SHAPE.bands * SHAPE.stack, seed=5))
    write_bundle(tmp_path / "made.bundle", tiny_manifest(), trained, (Onnx(), Litert()), frames)
    opened = bundle.read(tmp_path / "made.bundle")
    proof = parity(of(trained), [engines.load(name, opened) for name in engines.available(opened)], frames.numpy(), 300)
    assert set(proof.engines) >= {"reference", "onnx", "litert"}
    assert set(proof.differing_bits.values()) == {0}
    if sparsity:
        zero = trained.gru_states[0].weight == 0
        assert float(zero.float().mean()) == pytest.approx(sparsity, abs=0.02)


@pytest.mark.parametrize("grid", GRIDS)
def test_the_file_of_the_native_engine_is_half_as_large(grid, bench):
    def size(weights):
        return len(flat.to_bytes(calibrate(large, bench.calibration, Grids(weights, weights)).model()))

    large = student(0.0, replace(SHAPE, hidden=80))
    assert size(GRIDS[grid]) < 0.6 * size(INT8), "scales and biases are the same"


def test_trainings_on_other_grids_are_told_apart_and_int8_is_known_by_its_old_name(bench):
    for method in (
        Int8(epochs=8),
        Int8(epochs=8, weights=PowersOfTwo(), name="log4"),
        Int8(epochs=8, ends=Linear(4)),
        Int8(epochs=8, activations=Percentile(99.9)),
    ):
        method.apply(student(0.0), bench)
    assert bench.settings[0] == "Int8(epochs=8, learning_rate=0.001, name='int8')"
    assert "weights=PowersOfTwo(bits=4, terms=1, per='row', range=LeastError()), name='log4')" in bench.settings[1]
    assert len(set(bench.settings)) == 4


def test_activations_are_clipped_where_their_range_says(bench):
    made = student(0.0)
    all_of_them = calibrate(made, bench.calibration)
    for activations in (Percentile(99), LeastError()):
        clipped = calibrate(made, bench.calibration, activations=activations)
        assert bool((clipped.output_gains >= all_of_them.output_gains).all())
        assert float(clipped.output_gains[0]) > float(all_of_them.output_gains[0])
        assert float(clipped.input_gain) >= float(all_of_them.input_gain)


def test_clipping_holds_where_there_are_more_values_than_are_looked_at():
    values = torch.randn(2**19, generator=torch.Generator().manual_seed(0))
    values[1] = 100.0  # between those that are looked at
    assert INT8_MAX / _gain(values, Percentile(99.9)) < 4
    assert INT8_MAX / _gain(values, MinMax()) == pytest.approx(100.0)


def test_sixteen_bits_are_measured_in_torch_and_refused_in_a_bundle(bench):
    made = student(0.0)
    wide, narrow = (calibrate(made, bench.calibration, Grids(g, g)) for g in (Linear(16), Linear(8)))
    with torch.no_grad():
        exact = made(bench.calibration)
        errors = [float((model(bench.calibration) - exact).square().mean()) for model in (wide, narrow)]
    assert errors[0] < errors[1]
    with pytest.raises(InputError, match=r"codes up to 32767, but engines hold up to 127"):
        wide.model()
