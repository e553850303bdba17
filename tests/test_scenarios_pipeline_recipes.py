"""Other recipes through the same pipeline: what they ask for is built and proved, or refused before any training."""

from __future__ import annotations

import dataclasses
import sys
import types
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="building needs torch")
pytest.importorskip("onnxruntime", reason="a bundle is proved on ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="a bundle is proved on LiteRT")

import torch

import tiny_scenario
from compress.lowrank import LowRank
from compress.prune import Prune
from compress.quantize import Int8
from compress.ranks import Fixed
from compress.scores import Gradient, Movement
from compress.structured import RemoveUnits
from compress.weight_grids import Linear
from device_runtime import arithmetic, engines
from device_runtime import bundle as bundles
from device_runtime.errors import InputError
from device_runtime.recordings import read_audio
from export.onnx import Onnx
from scenarios import bundling, pipeline, training
from sounds import wav_bytes
from train.cells import Bidirectional, Lstm
from train.teacher import ensemble


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    """The tiny scenario's data and cache, for all builds of this file."""
    root = tmp_path_factory.mktemp("house")
    with tiny_scenario.in_use(root):
        yield root


@pytest.fixture(scope="module")
def scenario(house):
    return tiny_scenario.SCENARIO


@pytest.fixture
def build(house, tmp_path, monkeypatch):
    """Another build, with quick proofs and timings."""
    tiny_scenario.quicken(monkeypatch)
    return lambda scenario, runs=tmp_path: pipeline.run(scenario, runs)


def test_a_student_that_could_not_be_deployed_is_refused_before_it_is_trained(scenario, tmp_path):
    lstm = replace(scenario, student=replace(scenario.student, cell=Lstm()))
    with pytest.raises(
        InputError, match="a student with cells of lstm is trained and compared, but only gru and sru are"
    ):
        pipeline.run(lstm, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("compress", "told"),
    [
        ((LowRank(Fixed(200), epochs=1), Int8()), "rank"),
        ((Prune(sparsity=0.5, epochs=2),), "ends with pruned, but a bundle holds int8. Put Int8 last."),
        ((Int8(weights=Linear(16)),), "codes up to 32767, but engines hold up to 127"),
    ],
    ids=["rank", "float", "16 bits"],
)
def test_what_no_bundle_can_hold_is_refused_before_anything_is_trained(scenario, tmp_path, compress, told):
    with pytest.raises(InputError, match=told):
        pipeline.run(replace(scenario, compress=compress), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_teachers_of_several_kinds_teach_one_student(house, scenario, tmp_path):
    other = replace(scenario.teacher, hidden=4, cell=Bidirectional(Lstm()))
    several = replace(scenario, teachers=(scenario.teacher, other), hint=1.0)
    trainings = training.Trainings(several, tmp_path, house / "cache")
    assert [type(teacher.gru) for teacher in trainings.teachers] == [torch.nn.GRU, torch.nn.LSTM]
    clips = trainings.taught[0]
    expected = ensemble(trainings.teachers, torch.from_numpy(clips.vectors.astype(np.float32)))
    assert torch.allclose(torch.from_numpy(clips.taught), expected, atol=0.02)
    assert clips.hints.shape == (len(clips), 2 * (scenario.teacher.hidden + 4))
    assert 0 <= trainings.student_value(trainings.student(0)) <= 1


def test_a_teacher_of_other_recordings_in_the_same_folders_is_another_one(tmp_path):
    recipe = tiny_scenario.recipe(tmp_path / "data")
    first = training.Trainings(recipe, tmp_path, tmp_path / "cache")
    assert len(first.teachers) == 1
    talk = recipe.mix.negatives[0].recordings("train")[0].path
    talk.write_bytes(wav_bytes(read_audio(talk) / 2))
    assert len(training.Trainings(recipe, tmp_path, tmp_path / "cache").teachers) == 1
    assert len(list(tmp_path.glob("teacher-0-*.ckpt"))) == 2


def without_native(names):
    """It needs no file of its own: it is proved wherever it was built."""
    return [name for name in names if name != "native"]


def test_a_recipe_that_exports_one_format_is_proved_on_the_engines_that_read_it(build, scenario, house, monkeypatch):
    kept = []
    monkeypatch.setattr(bundling, "told", lambda proof: kept.append(proof.engines) or "")
    result = build(replace(scenario, name="one", export=(Onnx(),)), house / "runs")
    assert [without_native(names) for names in kept] == [["reference", "onnx"]]
    assert "model.tflite" not in tiny_scenario.hashes(result)


def test_an_engine_that_is_added_to_the_list_is_proved_without_another_edit(build, scenario, house, monkeypatch):
    kept = []
    monkeypatch.setattr(bundling, "told", lambda proof: kept.append(proof.engines) or "")
    module = types.ModuleType("added_engine")
    module.load_engine = lambda bundle: SimpleNamespace(name="added", step=partial(arithmetic.step, bundle.model))
    monkeypatch.setitem(sys.modules, "added_engine", module)
    monkeypatch.setitem(engines.ENGINES, "added", engines.Choice("model.npz", "added_engine"))
    build(replace(scenario, name="one", export=()), house / "runs")
    assert [without_native(names) for names in kept] == [["reference", "added"]]


def test_missing_test_data_shows_before_anything_is_trained(build, scenario, tmp_path):
    class Missing:
        name = "missing"

        def recordings(self, split):
            raise InputError("missing is not on this machine.")

    with pytest.raises(InputError, match="missing is not on this machine"):
        build(replace(scenario, mix=replace(scenario.mix, tests=(Missing(),))))
    assert not (tmp_path / "tiny").exists()


def test_a_quick_build_is_the_same_pipeline_with_few_epochs(scenario):
    quick = pipeline.quick(scenario)
    assert quick.name == "tiny_quick"
    assert [method.epochs for method in quick.compress] == [1, 1]
    assert quick.teacher_schedule.epochs == 1
    assert quick.mix == scenario.mix
    assert (quick.budget.size_kb, quick.budget.folder_kb) == (scenario.budget.size_kb, scenario.budget.folder_kb)
    assert "A quick build" in quick.notes[-1]


@dataclasses.dataclass(frozen=True)
class Another:
    """A method of a user's own."""

    epochs: int = 30
    name: str = "another"


@dataclasses.dataclass(frozen=True)
class AtOnce:
    """One that trains nothing."""

    name: str = "at once"


def test_any_method_with_epochs_is_shortened_and_others_stay(scenario):
    quick = pipeline.quick(replace(scenario, compress=(AtOnce(), Another(), Int8())))
    assert quick.compress == (AtOnce(), Another(epochs=1), replace(Int8(), epochs=1))


def test_a_changed_method_is_trained_anew_and_not_taken_from_the_last_build(build, scenario):
    before = tiny_scenario.hashes(build(scenario))
    other = replace(scenario, compress=(replace(scenario.compress[0], sparsity=0.8), scenario.compress[1]))
    after = tiny_scenario.hashes(build(other))
    assert after["model.npz"] != before["model.npz"]
    again = tiny_scenario.hashes(build(scenario))
    assert again["model.npz"] == before["model.npz"], "and back again, from its checkpoints"


def test_units_and_then_blocks_that_the_loss_would_not_miss_are_removed_on_the_way_to_a_bundle(build, scenario):
    methods = (
        RemoveUnits(keep=0.75, epochs=1, score=Gradient(batches=3)),
        Prune(0.6, epochs=2, block=(1, 1), smallest=256, score=Movement(batches=3), scope="model"),
        Int8(epochs=1),
    )
    result = build(replace(scenario, compress=methods))
    opened = bundles.read(result.bundle)
    assert [gru.state.weight.shape for gru in opened.model.layers[2:]] == [(72, 24)]
    stages = {stage["name"]: stage for stage in opened.manifest.card["stages"]}
    assert stages["narrowed"]["parameters"] == stages["pruned"]["parameters"] < 0.75 * stages["student"]["parameters"]
    assert stages["pruned"]["sparsity"] > 0.5
    zeros = {name: stage["parameters"] - stage["nonzeros"] for name, stage in stages.items()}
    assert zeros["int8"] >= zeros["pruned"]
