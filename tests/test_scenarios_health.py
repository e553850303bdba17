"""From readings to a proved bundle that tells of anomalies: small, on a benchmark that a test makes."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("sklearn", reason="a peer is scikit-learn's")
pytest.importorskip("river", reason="a peer is river's")
pytest.importorskip("onnxruntime", reason="each bundle is proved on all engines")
pytest.importorskip("ai_edge_litert", reason="each bundle is proved on all engines")

from rich.console import Console

from device_runtime import bundle
from scenarios.health import pipeline
from scenarios.health.scenario import HealthBudget, HealthScenario
from train.data.nab import Nab
from train.data.series import Series, shares
from train.loop import Schedule
from train.predictor import PredictorConfig

SAMPLES, SPIKE = 900, 600


@dataclass(frozen=True)
class Waves:
    """A real series, as far as this test goes."""

    name: str = "waves"
    source: str = "made by this test"
    licence: str = "synthetic"

    def series(self) -> Series:
        t = np.arange(3000)
        times = np.datetime64("2026-01-01T00:00:00", "s") + 300 * t.astype("timedelta64[s]")
        return Series("waves", ("a",), 300.0, times, np.sin(t / 20).astype(np.float32)[:, None], shares(len(t)))


def write_benchmark(folder: Path) -> Path:
    """Three files, two of them with a spike that is marked."""
    windows, random = {}, np.random.default_rng(0)
    for name, spike in (("real/a.csv", SPIKE), ("real/b.csv", None), ("street/c.csv", 500)):
        values = 20 + random.normal(size=SAMPLES)
        if spike is not None:
            values[spike : spike + 30] += 60
        times = [str(np.datetime64("2026-01-01T00:00:00") + 300 * i).replace("T", " ") for i in range(SAMPLES)]
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = (f"{time},{value:.4f}" for time, value in zip(times, values, strict=True))
        path.write_text("\n".join(["timestamp,value", *rows, ""]))
        windows[name] = [] if spike is None else [[f"{times[spike - 10]}.000000", f"{times[spike + 50]}.000000"]]
    for file, content in (
        ("labels/combined_windows.json", windows),
        ("config/profiles.json", {"standard": {"CostMatrix": {}}}),
        ("results/final_results.json", {"someone": {"standard": 50.0}}),
    ):
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("health")


@pytest.fixture(scope="module")
def scenario(home):
    write_benchmark(home / "NAB")
    return HealthScenario(
        name="spikes",
        title="Spikes",
        summary="One sensor.",
        learned=(Waves(),),
        budget=HealthBudget(size_kb=10, nab=50, sample_us=1e6),
        benchmark=Nab(home),
        predictor=PredictorConfig(hidden=6, series=12, samples=512, stretch=96, batch=8, steps_an_epoch=4),
        schedule=Schedule(epochs=2, learning_rate=1e-2),
        shown=("real/a.csv",),
    )


@pytest.fixture(scope="module")
def built(scenario, home):
    return pipeline.run(scenario, home / "runs", Console(quiet=True))


def test_readings_become_a_bundle_that_finds_what_is_plain_to_see(built):
    opened = bundle.read(built.bundle)
    assert opened.manifest.task == "anomaly"
    card = opened.manifest.card
    assert {row["licence"] for row in card["data"]} == {"synthetic"}
    assert card["evaluation"]["nab_standard_by_its_protocol"] > 50
    assert not built.missed


def test_the_report_names_peers_published_detectors_and_the_model_s_part(built):
    report = json.loads(built.report.with_suffix(".json").read_text())
    sections = {section["id"]: section for section in report["sections"]}
    names = [row["name"] for row in sections["detectors"]["tables"][0]["rows"]]
    assert names[:4] == ["this bundle", "this bundle", "this bundle", "last value in place of the GRU"]
    assert {"windowed Gaussian", "PCA", "half-space trees (river)", "someone"} <= set(names)
    readings, surprise = sections["surprise"]["charts"]
    assert readings["spans"][0]["name"] == "marked by people"
    assert readings["marks"], "the spike was told"
    assert surprise["level"] == 9.75


def test_a_promise_of_health_that_does_not_hold_is_told(scenario, home):
    strict = replace(scenario, budget=HealthBudget(size_kb=1, nab=101, sample_us=0.001))
    missed = pipeline.run(strict, home / "runs", Console(quiet=True)).missed
    assert [line.split(":")[0] for line in missed] == [
        "size on the device", "a sample, reference engine", "NAB, standard profile",
    ]  # fmt: skip


def test_a_quick_build_of_health_promises_size_alone(scenario):
    short = pipeline.quick(scenario)
    assert (short.name, short.schedule.epochs, short.budget.nab) == ("spikes_quick", 1, None)


def test_real_series_are_learned_from_in_whole_pieces_of_their_training_part(scenario):
    (piece,) = pipeline.pieces(scenario)
    assert len(piece.values) == len(Waves().series().part("train"))
