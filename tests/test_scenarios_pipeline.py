"""A tiny scenario from recordings to a proved bundle: the same bytes for the same seed, and no bundle on trust."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="building needs torch")
pytest.importorskip("onnxruntime", reason="a bundle is proved on ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="a bundle is proved on LiteRT")

import torch

import tiny_scenario
from compress.rows import BIAS_PER_UNIT
from device_runtime import bundle as bundles
from device_runtime import engines, golden
from device_runtime.errors import InputError, PromiseError
from device_runtime.evaluate import evaluate
from device_runtime.recordings import read_audio
from device_runtime.session import Session
from export.litert import Litert
from export.onnx import Onnx
from scenarios import bundling, pipeline, training
from scenarios.benchmarks.peers import PEERS
from scenarios.measure import weights_of
from scenarios.model_card import commit


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


@pytest.fixture(scope="module")
def built(house, scenario):
    """Built once with nothing left out: 12,000 frames of parity, every engine timed."""
    impossible = replace(scenario, budget=replace(scenario.budget, accuracy=1.01, missed_rate=-0.01))
    return pipeline.run(impossible, house / "runs")


@pytest.fixture
def build(house, tmp_path, monkeypatch):
    """Another build, with quick proofs and timings."""
    tiny_scenario.quicken(monkeypatch)
    return lambda scenario, runs=tmp_path: pipeline.run(scenario, runs)


def test_the_bundle_opens_on_every_engine_and_gives_its_golden_bits(built):
    opened = bundles.read(built.bundle)
    assert opened.manifest.labels == ("low", "high", "_unknown_", "_silence_")
    assert set(opened.manifest.decoder["thresholds"]) == {"low", "high"}
    assert [name for name in engines.available(opened) if name != "native"] == ["reference", "onnx", "litert"]
    for name in engines.available(opened):
        assert golden.replay(engines.load(name, opened), golden.read(opened)) == 0
    session = Session.open(built.bundle)
    assert len(list(session.listen(read_audio(built.report.parent / "example.wav")))) > 50


def test_nothing_is_left_beside_the_run_s_results(built):
    names = {path.name for path in built.report.parent.iterdir()}
    assert names == {"checkpoints", "tiny.bundle", "report.html", "report.json", "example.wav"}
    assert tiny_scenario.trainings(built.report.parent) == {"teacher-0", "student-0", "pruned", "int8"}


def test_the_card_says_where_the_bundle_comes_from(built):
    card = bundles.read(built.bundle).manifest.card
    assert [row["name"] for row in card["data"]] == ["tones", "talk"]
    assert [row["name"] for row in card["stages"]] == ["teacher", "student", "pruned", "int8"]
    assert card["seeds"] == [0]
    assert card["commit"]
    student, pruned = card["stages"][1:3]
    assert pruned["nonzeros"] < student["nonzeros"] == student["parameters"]


def test_the_card_s_last_stage_is_what_session_measures_on_the_bundle(built, scenario):
    opened = bundles.read(built.bundle)
    again = evaluate(Session(opened), scenario.mix.words.recordings("test")).as_dict()
    stage, evaluation = opened.manifest.card["stages"][-1], opened.manifest.card["evaluation"]
    for key in ("accuracy", "interval_95", "accuracy_cold", "clips"):
        assert stage[key] == evaluation[key] == again[key], key
    assert evaluation["missed_rate"] == again["detection"]["missed_rate"]
    assert 0 <= evaluation["accuracy_noise_10db"] <= 1
    assert set(evaluation["unknown_triggered"]) == {"others"}
    assert set(evaluation["false_accepts_per_hour"]) == {"talk"}
    reported = json.loads((built.report.parent / "report.json").read_text())
    assert reported["stages"][-1]["measured_with"] == "Session, warm"
    assert round(reported["stages"][-1]["accuracy"], 4) == stage["accuracy"] == reported["evaluation"][0]["accuracy"]


def test_a_bundle_whose_weights_are_not_the_proved_ones_does_not_take_its_place(built, monkeypatch, tmp_path):
    proved, bundle = tmp_path / "proved", tmp_path / "tiny.bundle"
    shutil.copytree(built.bundle, proved)
    bundling.publish(shutil.copytree(proved, tmp_path / "first"), bundle, {"title": "before"})
    exact = bundles.npz.write

    def altered(path, arrays):
        exact(path, arrays)
        path.write_bytes(path.read_bytes() + b"0")

    monkeypatch.setattr(bundles.npz, "write", altered)
    with pytest.raises(PromiseError, match=r"would not hold the model\.npz that was proved\. Build again; nothing has"):
        bundling.publish(proved, bundle, {"title": "after"})
    assert bundles.read(bundle).manifest.card == {"title": "before"}


def test_the_report_holds_the_measured_numbers(built):
    report = json.loads((built.report.parent / "report.json").read_text())
    assert [stage["name"] for stage in report["stages"]] == ["teacher", "student", "pruned", "int8"]
    frames, proof = report["notes"][0].split(maxsplit=1)
    assert int(frames) >= 12_000
    ours = engines.available(bundles.read(built.bundle))
    assert proof == f"test frames gave the same bits on {', '.join(ours)} and in training."
    assert report["command"] == "tinyrnn build tiny --seed 0"
    assert {row["name"]: row["splits"] for row in report["data"]} == {
        "tones": {"train": 12, "validation": 12, "test": 12},
        "talk": {"train": 2, "validation": 2, "test": 2},
        "others": {"test": 3},
    }
    assert [row["engine"] for row in report["engines"]] == ours
    assert [row["engine"] for row in report["peers"]] == [peer.NAME for peer in PEERS]
    assert {row["name"]: row["clips"] for row in report["unknown_words"]} == {"others": 3}
    assert {row["name"]: round(3600 * row["hours"]) for row in report["false_accepts"]} == {"talk": 6}
    assert (report["trade_off"]["clips"], report["trade_off"]["split"]) == (12, "cold test")
    assert list(report["curves"]) == ["teacher", "student", "pruned", "int8"]
    assert report["evaluation"][0]["clips"] == 12
    assert "Two [tones]" in built.report.read_text()


def test_the_sizes_in_the_budget_are_those_of_the_finished_folder(built):
    device, folder = json.loads((built.report.parent / "report.json").read_text())["budget"][:2]
    stored = bundles.read(built.bundle).device_bytes / 1000
    assert (device["what"], device["unit"], device["measured"]) == ("size on the device", "KB", stored)
    whole = sum(path.stat().st_size for path in built.bundle.iterdir())
    assert (folder["what"], folder["promised"], folder["measured"]) == ("size of the whole folder", 300, whole / 1000)


def test_words_are_taken_for_words(built):
    confusion = json.loads((built.report.parent / "report.json").read_text())["confusion"]
    assert confusion["labels"] == ["low", "high"], "no row for what the test recordings do not say"
    assert sum(map(sum, confusion["matrix"])) == 12


def test_a_missed_budget_is_told_in_words_and_numbers(built):
    accuracy, missed = built.missed
    assert accuracy.startswith("accuracy, warm: promised at least 101 %, measured ")
    assert missed.startswith("words missed: promised at most -1 %, measured ")
    assert built.bundle.exists(), "the bundle is there to be looked at"


def test_an_interrupted_build_ends_with_the_bytes_of_an_uninterrupted_one(
    built, build, scenario, monkeypatch, tmp_path
):
    """Stopped in the second epoch of each training, on a fresh cache."""
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))
    fit = training.fit
    for title in ("teacher-0", "student-0", "pruned", "int8"):
        monkeypatch.setattr("scenarios.training.fit", stopping(fit, title))
        with pytest.raises(KeyboardInterrupt):
            build(scenario)
        assert title in tiny_scenario.trainings(tmp_path / "tiny")
        assert not (tmp_path / "tiny" / "tiny.bundle").exists()
    monkeypatch.setattr("scenarios.training.fit", fit)
    result = build(scenario)
    assert result.missed == ()
    assert tiny_scenario.hashes(result) == tiny_scenario.hashes(built)
    assert result.bundle.joinpath("model.npz").read_bytes() == built.bundle.joinpath("model.npz").read_bytes()


def stopping(fit, title):
    """A `fit` that is interrupted at the last step of one training."""

    def interrupted(model, epochs, loss, validate, schedule, checkpoint, seed, after_step, name, *more):
        steps = 0

        def stop(model, batch):
            nonlocal steps
            steps += 1
            if name == title and steps == schedule.epochs * epochs.steps:
                raise KeyboardInterrupt
            return loss(model, batch)

        return fit(model, epochs, stop, validate, schedule, checkpoint, seed, after_step, name, *more)

    return interrupted


def test_another_seed_gives_another_model(built, build, scenario):
    other = build(replace(scenario, seed=1))
    assert tiny_scenario.hashes(other)["model.npz"] != tiny_scenario.hashes(built)["model.npz"]
    assert bundles.read(other.bundle).manifest.card["seeds"] == [1]


@dataclasses.dataclass(frozen=True)
class Wrong:
    """A backend that writes a model with one bias off by one step of its grid."""

    right: object

    @property
    def filename(self):
        return self.right.filename

    def write(self, model, path):
        off = np.zeros_like(model.head.bias)
        off[0] = 1 / BIAS_PER_UNIT
        self.right.write(replace(model, head=replace(model.head, bias=model.head.bias + off)), path)


BACKENDS = (Onnx(), Litert())


@pytest.mark.parametrize("right", BACKENDS, ids=lambda backend: backend.filename)
def test_a_backend_with_one_wrong_bit_fails_the_build_and_leaves_the_bundle_before(
    built, build, house, scenario, right
):
    before = tiny_scenario.hashes(built)
    wrong = replace(scenario, export=(Wrong(right), next(b for b in BACKENDS if b is not right)))
    with pytest.raises(PromiseError, match=rf"{engine_of(right)} differs from the student by \d+ bits, first in frame"):
        build(wrong, house / "runs")
    assert tiny_scenario.hashes(built) == before


def engine_of(backend):
    return next(name for name, choice in engines.ENGINES.items() if choice.file == backend.filename)


def test_a_bundle_that_cannot_be_proved_on_every_engine_is_none(build, scenario, built, house, monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "litert", replace(engines.ENGINES["litert"], packages=("not_installed_here",)))
    before = tiny_scenario.hashes(built)
    with pytest.raises(PromiseError, match=r"cannot be proved for litert: install them, then build again"):
        build(scenario, house / "runs")
    assert tiny_scenario.hashes(built) == before


def test_a_scenario_that_does_not_end_in_int8_is_told_so(build, scenario, built, house):
    with pytest.raises(InputError, match=r"tiny ends with pruned, but a bundle holds int8\. Put Int8 last\."):
        build(replace(scenario, compress=scenario.compress[:1]), house / "runs")


def test_int8_weights_are_counted_as_they_are_stored(built):
    opened = bundles.read(built.bundle)
    stage = opened.manifest.card["stages"][-1]
    matrices = sum(a.weight.size + 8 * len(a.bias) for a in affines(opened.model))
    assert stage["bytes"] == matrices
    assert weights_of(torch.nn.Linear(3, 2)).bytes == 4 * 8


def affines(model):
    for layer in model.layers:
        yield from (layer.affine,) if hasattr(layer, "affine") else (layer.input, layer.state)
    yield model.head


def test_the_commit_is_unknown_where_there_is_no_git(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert commit() == "unknown"


def test_parity_is_over_more_frames_than_promised():
    assert bundling.PARITY_FRAMES >= 10_000
