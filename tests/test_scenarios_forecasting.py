"""From a series to a proved bundle that forecasts it: small, on waves that a test can make."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("onnxruntime", reason="each bundle is proved on all engines")
pytest.importorskip("ai_edge_litert", reason="each bundle is proved on all engines")

import torch
from rich.console import Console

from compress.prune import Prune
from compress.quantize import Int8
from device_runtime import bundle
from device_runtime.errors import InputError
from device_runtime.evaluate_forecast import evaluate
from device_runtime.session import Session
from scenarios.forecasting import measure, pipeline
from scenarios.forecasting.intervals import offsets
from scenarios.forecasting.scenario import ForecastBudget, ForecastScenario
from scenarios.forecasting.training import ForecastTrainings
from scenarios.peers.last_value import LastValue
from scenarios.peers.linear_map import LinearMap
from scenarios.peers.seasonal import Seasonal
from train.data.series import Series, shares
from train.forecaster import ForecasterConfig
from train.loop import Schedule
from train.ridge import Ridge

SMALL = ForecasterConfig(segment=6, segments=6, horizon=12, hidden=10)


@dataclass(frozen=True)
class Waves:
    """Two channels that rise and fall, one with gaps."""

    name: str = "waves"
    source: str = "made by this test"
    licence: str = "synthetic"
    gaps: tuple[slice, ...] = (slice(700, 703),)

    def series(self) -> Series:
        random = np.random.default_rng(0)
        t = np.arange(900)
        values = np.stack([np.sin(t * np.pi / 6), 5 + np.cos(t * np.pi / 12)], axis=1)
        values += 0.2 * random.normal(size=values.shape)
        for gap in self.gaps:
            values[gap, 1] = np.nan
        times = np.datetime64("2026-01-01T00:00:00", "s") + 3600 * t.astype("timedelta64[s]")
        return Series("waves", ("a", "b"), 3600.0, times, values.astype(np.float32), shares(len(t)))


SCENARIO = ForecastScenario(
    name="waves",
    title="Waves",
    summary="Two channels.",
    data=Waves(),
    budget=ForecastBudget(size_kb=20, mse=2.0, mae=2.0, coverage=(0.5, 1.0)),
    peers=(LastValue(), Seasonal(24), LinearMap()),
    forecaster=SMALL,
    teacher=(replace(SMALL, hidden=12),),
    teachers=2,
    teacher_schedule=Schedule(epochs=4, learning_rate=1e-2),
    schedule=Schedule(epochs=5, learning_rate=1e-2),
    batch_size=32,
    compress=(Prune(0.3, 1, smallest=100), Int8(epochs=1)),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("forecasting")


@pytest.fixture(scope="module", autouse=True)
def own_cache(home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINYRNN_CACHE", str(home / "cache"))
        yield


@pytest.fixture(scope="module")
def built(home):
    return pipeline.run(SCENARIO, home / "runs", Console(quiet=True))


@pytest.fixture(scope="module")
def report(built):
    return json.loads(built.report.with_suffix(".json").read_text())


def section(report, name):
    return next(section for section in report["sections"] if section["id"] == name)


def test_a_series_becomes_a_bundle_that_forecasts_it(built):
    opened = bundle.read(built.bundle)
    assert opened.manifest.labels == ("p10", "p50", "p90")
    assert set(opened.manifest.files) == {"model.npz", "model.onnx", "model.tflite", "golden.npz"}
    values = Waves().series().values
    told = Session.open(built.bundle).push(values[:40])
    assert [event.channel for event in told] == ["a", "b"] * 5, "from the first full look-back on, at each sample"
    assert all(low <= middle <= high for e in told for low, middle, high in zip(e.low, e.median, e.high, strict=True))


def test_the_card_s_errors_are_those_of_the_session(built):
    opened = bundle.read(built.bundle)
    series = Waves().series()
    measured = evaluate(Session.open(built.bundle, every=1), series.values, *series.splits.span("test")).as_dict()
    card = opened.manifest.card["evaluation"]
    assert {key: card[key] for key in ("windows", "mse", "mae")} == {
        key: measured[key] for key in ("windows", "mse", "mae")
    }
    assert card["mse"] < 0.9, "better than the mean of the series"


def test_a_report_has_stages_peers_forecasts_and_the_bundle(built, report):
    names = [row["name"] for row in section(report, "stages")["tables"][0]["rows"]]
    assert names == ["mean of 2 teachers", "student", "pruned", "int8", "bundle"]
    peers = {row["name"] for row in section(report, "peers")["tables"][0]["rows"]}
    assert peers == {"this bundle", "last value", "seasonal naive", "linear map (ridge)"}
    assert len(section(report, "forecasts")["charts"]) == 2, "the first channel and the last"
    assert "<svg" in built.report.read_text()


def test_the_int8_row_in_torch_and_the_bundle_through_the_session_agree(report):
    rows = {row["name"]: row["cells"] for row in section(report, "stages")["tables"][0]["rows"]}
    assert rows["bundle"][0] == pytest.approx(rows["int8"][0], abs=2e-3)


def test_a_finished_build_trains_nothing_again(built, home, monkeypatch):
    monkeypatch.setattr("train.loop._one_epoch", lambda *given: pytest.fail("trained again"))
    again = pipeline.run(SCENARIO, home / "runs", Console(quiet=True))
    assert (
        bundle.read(again.bundle).manifest.files["model.npz"] == bundle.read(built.bundle).manifest.files["model.npz"]
    )


def test_promises_that_do_not_hold_are_told(home):
    strict = replace(SCENARIO, budget=ForecastBudget(size_kb=1, mse=0.001, mae=0.001, coverage=(0.999, 1.0)))
    missed = pipeline.run(strict, home / "runs", Console(quiet=True)).missed
    assert [line.split(":")[0] for line in missed][:4] == [
        "size on the device", "coverage of the interval", "mean squared error", "mean absolute error",
    ]  # fmt: skip


def test_a_quick_build_promises_size_alone():
    short = pipeline.quick(SCENARIO)
    assert (short.name, short.teachers, short.schedule.epochs) == ("waves_quick", 1, 1)
    assert (short.budget.mse, short.budget.size_kb) == (None, 20)


def test_a_forecaster_that_does_not_end_in_int8_is_no_bundle(home):
    with pytest.raises(InputError, match="waves ends with pruned, but a bundle holds int8. Put Int8 last"):
        pipeline.run(replace(SCENARIO, compress=SCENARIO.compress[:1]), home / "runs", Console(quiet=True))


def test_losses_for_scores_are_those_that_tuning_learns_from(built, home):
    trainings = ForecastTrainings(SCENARIO, home / "runs" / "waves" / "checkpoints", home / "cache")
    model = trainings.student(SCENARIO.seed)
    losses, again = (torch.stack(list(trainings.losses(model, 3))) for _ in range(2))
    assert torch.equal(losses, again)
    losses.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_offsets_make_the_interval_hold_its_share_of_the_validation_part(home):
    trainings = ForecastTrainings(SCENARIO, home / "offsets", home / "cache")
    windows = trainings.windows("validation")
    model = trainings.student(seed=0, soft=0.0)
    below, above = offsets(model, windows, 0.8)
    assert len(below) == len(above) == 2 * SMALL.positions
    low, high = (torch.tensor(values).view(2, 1, SMALL.positions, 1) for values in (below, above))
    frames, targets = windows[torch.arange(len(windows))]
    with torch.no_grad():
        lines = model(frames).view(2, -1, SMALL.positions, 3, SMALL.segment)
    actual = targets.view(2, -1, SMALL.positions, SMALL.segment)
    inside = (lines[..., 0, :] - low <= actual) & (actual <= lines[..., 2, :] + high)
    known = ~actual.isnan()
    assert float(inside[known].float().mean()) == pytest.approx(0.8, abs=0.01)


def test_peers_are_held_against_the_bundle_on_the_same_readings(built, home):
    gaps = replace(SCENARIO, data=Waves(gaps=(slice(760, 764), slice(800, 821))))
    trainings = ForecastTrainings(gaps, home / "runs" / "waves" / "checkpoints", home / "cache")
    series = trainings.series
    ours = evaluate(Session.open(built.bundle, every=1), series.values, *trainings.splits.span("test"))
    rows = {row.name: row for row in measure.peers(trainings, ours)}
    model = ours.as_dict()
    assert rows["last value"].mse == pytest.approx(model["peers"]["last_value"]["mse"], rel=1e-4)
    assert rows["last value"].squared.mean == pytest.approx(model["mse"] - rows["last value"].mse, rel=1e-4)


def test_linear_maps_teach_beside_the_others_by_weights_that_validation_data_chose(home):
    longer = replace(SMALL, segment=12, segments=3)  # a teacher may hear the same window in other segments
    scenario = replace(SCENARIO, teacher=(SMALL, longer), maps=(Ridge(), Ridge(by_phase=True)), soft=1.0)
    trainings = ForecastTrainings(scenario, home / "mapped", home / "cache")
    teachers = trainings.teachers
    assert (len(teachers.forecasters), len(teachers.maps), len(teachers.weights)) == (2, 2, 4)
    student = trainings.student(0)
    rows = measure.stages(trainings, {"student": student})
    assert [row.name for row in rows] == ["weighed mean of 4 teachers", "student"]
    maps = 2 * scenario.forecaster.look_back * scenario.forecaster.horizon
    assert rows[0].weights.parameters == maps + sum(
        parameter.numel() for one in teachers.forecasters for parameter in one.parameters()
    )
    assert rows[0].mse < 1.0, "better than the mean of the series"


@dataclass(frozen=True)
class Silent(Waves):
    """The second sensor stops before the last part."""

    def series(self) -> Series:
        series = super().series()
        series.values[series.splits.span("test")[0] :, 1] = np.nan
        return series


def test_a_sensor_that_is_silent_in_a_whole_part_is_named_before_anything_is_trained(home):
    with pytest.raises(InputError, match=r"waves: b has no reading at all in the test part \(samples \d+ to \d+\)"):
        ForecastTrainings(replace(SCENARIO, data=Silent()), home / "silent", home / "cache")


def test_a_log_that_was_written_anew_is_another_training(home):
    trained = ForecastTrainings(replace(SCENARIO, teachers=1), home / "anew", home / "cache")
    assert len(trained.teachers.forecasters) == 1
    trained = ForecastTrainings(replace(SCENARIO, teachers=1), home / "anew", home / "cache")
    trained.standardised.values[:100] += 0.5  # under the same name
    assert len(trained.teachers.forecasters) == 1
    assert len(list((home / "anew").glob("teacher-*.ckpt"))) == 2
