"""From engines that failed to a proved bundle that tells how long others last: small, on engines that a test makes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("sklearn", reason="the peers are scikit-learn's")
pytest.importorskip("onnxruntime", reason="each bundle is proved on all engines")
pytest.importorskip("ai_edge_litert", reason="each bundle is proved on all engines")

import torch
from rich.console import Console

from compress.prune import Prune
from device_runtime import bundle
from device_runtime.errors import InputError
from device_runtime.evaluate_life import evaluate_folder
from scenarios.life import pipeline
from scenarios.life.scenario import LifeBudget, LifeScenario
from scenarios.life.training import LifeTrainings
from train.data.cmapss import Cmapss
from train.loop import Schedule

WORN = (4, 11)
"""Columns behind the number and the cycle that rise as an engine wears out; the others stand still."""


def write_engines(folder: Path) -> Path:
    """C-MAPSS in small: 15 engines that fail, 6 that were stopped before."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)

    def lines(number: int, life: int, shown: int) -> str:
        values = np.full((shown, 24), 0.5)
        cycles = np.arange(1, shown + 1)
        for column in WORN:
            values[:, column] = (cycles / life) ** 3 + 0.05 * random.normal(size=shown)
        return "".join(
            f"{number} {c} {' '.join(f'{v:.4f}' for v in row)}\n" for c, row in zip(cycles, values, strict=True)
        )

    lives = random.integers(80, 160, 21)
    (folder / "train_FD001.txt").write_text("".join(lines(i + 1, n, n) for i, n in enumerate(lives[:15])))
    stopped = [(int(n), int(n * share)) for n, share in zip(lives[15:], (0.4, 0.5, 0.6, 0.7, 0.8, 0.9), strict=True)]
    (folder / "test_FD001.txt").write_text("".join(lines(i + 1, n, k) for i, (n, k) in enumerate(stopped)))
    (folder / "RUL_FD001.txt").write_text("".join(f"{n - k}\n" for n, k in stopped))
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("life")


@pytest.fixture(scope="module")
def scenario(home):
    write_engines(home / "CMAPSS")
    return LifeScenario(
        name="worn",
        title="Worn engines",
        summary="Two sensors that rise.",
        data=Cmapss(home),
        budget=LifeBudget(size_kb=10, rmse=45),
        teacher_hidden=10,
        teachers=2,
        hidden=8,
        teacher_schedule=Schedule(epochs=2, learning_rate=1e-2),
        schedule=Schedule(epochs=2, learning_rate=1e-2),
        steps_an_epoch=15,
        batch_size=16,
    )


@pytest.fixture(scope="module")
def built(scenario, home):
    return pipeline.run(scenario, home / "runs", Console(quiet=True))


def test_lives_become_a_bundle_that_estimates_others(built, scenario):
    opened = bundle.read(built.bundle)
    assert opened.manifest.frontend["channels"] == [f"sensor_{column - 2}" for column in WORN]
    measured = evaluate_folder(built.bundle, scenario.data.folder()).as_dict()
    card = opened.manifest.card["evaluation"]
    assert {key: card[key] for key in ("units", "rmse", "coverage_80")} == {
        key: measured[key] for key in ("units", "rmse", "coverage_80")
    }
    assert not built.missed


def test_the_report_has_stages_peers_and_whole_lives(built):
    report = json.loads(built.report.with_suffix(".json").read_text())
    sections = {section["id"]: section for section in report["sections"]}
    rows = [row["name"] for row in sections["stages"]["tables"][0]["rows"]]
    assert rows == ["mean of 2 teachers", "student", "int8", "bundle"]
    assert {"linear model", "boosted trees"} <= {row["name"] for row in sections["peers"]["tables"][0]["rows"]}
    assert len(sections["lives"]["charts"]) == 3


def test_a_finished_build_of_lives_trains_nothing_again(built, scenario, home, monkeypatch):
    monkeypatch.setattr("train.loop._one_epoch", lambda *given: pytest.fail("trained again"))
    again = pipeline.run(scenario, home / "runs", Console(quiet=True))
    first, second = (bundle.read(result.bundle).manifest.files["model.npz"] for result in (built, again))
    assert first == second


def test_a_promise_of_lives_that_does_not_hold_is_told(scenario, home):
    strict = replace(scenario, budget=LifeBudget(size_kb=1, rmse=0.1))
    missed = pipeline.run(strict, home / "runs", Console(quiet=True)).missed
    assert [line.split(":")[0] for line in missed] == ["size on the device", "root mean square error"]


def test_a_quick_build_of_lives_promises_size_alone(scenario):
    short = pipeline.quick(scenario)
    assert (short.name, short.teachers, short.schedule.epochs, short.budget.rmse) == ("worn_quick", 1, 1, None)


def test_lives_that_do_not_end_in_int8_are_no_bundle(scenario, home):
    with pytest.raises(InputError, match="worn ends with pruned, but a bundle holds int8. Put Int8 last"):
        pipeline.run(replace(scenario, compress=(Prune(0.1, 1, smallest=10),)), home / "runs", Console(quiet=True))


def test_losses_of_lives_for_scores_are_those_that_tuning_learns_from(built, scenario, home):
    trainings = LifeTrainings(scenario, home / "runs" / "worn" / "checkpoints")
    model = trainings.student()
    losses, again = (torch.stack(list(trainings.losses(model, 20))) for _ in range(2))
    assert torch.equal(losses, again)
    losses.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
