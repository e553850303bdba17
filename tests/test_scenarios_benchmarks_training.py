"""The benchmarks of training: every way measured, and pages that say what was found."""

from __future__ import annotations

import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

import torch

from device_runtime.errors import InputError
from scenarios.arabic_commands import SMALL
from scenarios.benchmarks import feature_memory, keras_peer, training_memory
from scenarios.benchmarks.feature_memory import FeatureCost
from scenarios.benchmarks.keras_peer import Peer, StreamedFile
from scenarios.benchmarks.training_cost import CONFIG, LABELS, OptimizerCost, can_run, measure
from scenarios.benchmarks.training_ways import WAYS
from scenarios.training import Trainings
from train.student import Student, StudentConfig


@pytest.fixture(scope="module")
def costs():
    return list(measure([12], [way for way in WAYS if can_run(way)], repeats=1))


def test_every_way_takes_a_step_and_its_bytes_add_up(costs):
    assert [cost.way for cost in costs] == [way.name for way in WAYS if can_run(way)]
    parameters = sum(p.nbytes for p in Student(CONFIG, LABELS).parameters()) / 1e6
    for cost in costs:
        assert cost.parameters_mb == cost.gradients_mb == pytest.approx(parameters)
        assert 0 < cost.kept_mb <= cost.activations_mb < cost.peak_mb
        assert cost.peak_mb == pytest.approx(cost.activations_mb + 2 * parameters + cost.optimizer_mb)


def test_exact_ways_have_the_plain_gradients_and_16_bits_nearly(costs):
    off = {cost.way: cost.gradient_difference for cost in costs}
    assert 1e-5 < off.pop("float16, scaled loss") < off.pop("bfloat16") < 0.05
    assert max(off.values()) < 1e-5


def test_a_way_that_cannot_keep_its_limit_is_left_out(monkeypatch):
    monkeypatch.setattr("scenarios.benchmarks.training_ways.LIMIT_MB", 0.01)
    assert [cost.way for cost in measure([300], [WAYS[3]], repeats=1)] == []


def test_the_page_of_memory_has_every_way_in_its_charts_and_tables(costs):
    rules, features = [OptimizerCost("AdamW", 10, 0.1, 0.2)], [FeatureCost("mapped", 500.0, 50.0, 2.0)]
    page = training_memory.content(costs, rules, features)
    assert [line.name for line in page.sections[0].charts[0].lines] == [cost.way for cost in costs]
    assert [len(section.tables[0].rows) for section in page.sections[1:]] == [len(costs), 1, 1]
    assert "activations" in training_memory._line(costs[0])


def test_an_epoch_over_mapped_features_holds_less_than_one_over_copies(monkeypatch, tmp_path):
    if not sys.platform.startswith("linux"):
        pytest.skip("Linux tells a process's own memory")
    monkeypatch.setattr(feature_memory, "CLIPS", 3000)
    np.save(tmp_path / "vectors.npy", np.zeros((3000, 168, 40), np.float16))
    copied, _ = feature_memory.epoch(tmp_path / "vectors.npy", mapped=False)
    mapped, _ = feature_memory.epoch(tmp_path / "vectors.npy", mapped=True)
    assert copied > 60
    assert mapped < 0.8 * copied


def test_a_step_file_is_streamed_clip_by_clip_from_a_fresh_state():
    scores = StreamedFile(CountsSteps())(torch.zeros(2, 3, 4))
    assert scores[:, :, 0].tolist() == [[0, 1, 2], [0, 1, 2]]


class CountsSteps:
    hidden = 5

    def step(self, frame, state):
        return frame[:2] + state[0], state + 1


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    trainings = Trainings(SMALL, tmp_path, tmp_path)
    other = Student(StudentConfig(hidden=8), 3)
    torch.save({"best_weights": other.state_dict()}, tmp_path / "student-0.ckpt")
    for name in ("student-0.ckpt", "none.ckpt"):
        with pytest.raises(
            InputError, match=rf"{name} holds no student of arabic_commands_small .* or leave --student"
        ):
            keras_peer.loaded(tmp_path / name, trainings)


def test_an_environment_without_tensorflow_is_told_what_to_install(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho \"ModuleNotFoundError: No module named 'tensorflow'\" >&2\nexit 1\n")
    python.chmod(0o755)
    student = Student(StudentConfig(hidden=8), 3)
    told = (
        r"could not convert the student: ModuleNotFoundError: .*pip install 'tinyrnn\[keras\]', or name an environment"
    )
    with pytest.raises(InputError, match=told):
        keras_peer.converted(student, torch.zeros(1, 2, student.feature_size), tmp_path, str(python))


def test_the_page_of_peers_tells_a_failed_conversion_with_its_reason():
    peers = [Peer("TensorFlow, float", 1000, 0.9, 0.8, 0.0, 30.0), Peer("TensorFlow, int8", failure="it would not")]
    rows = keras_peer.content(peers, SMALL).sections[0].tables[0].rows
    assert rows[0].cells == (1000.0, 0.9, 0.8, 0.0, 30.0)
    assert (set(rows[1].cells), rows[1].note) == ({None}, "it would not")
    assert "not converted: it would not" in keras_peer._line(peers[1])
