"""What `tinyrnn evaluate` says of a bundle that tells anomalies, on a small copy of the benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from device_runtime import bundle, cli, golden
from device_runtime.errors import BundleError, InputError
from device_runtime.evaluate_anomaly import evaluate
from device_runtime.manifest import Manifest
from device_runtime.session import Session
from device_runtime.times import moment
from models import random_frames, tiny_model
from sensors import write_forecaster

FRONTEND = {"kind": "adaptive", "interval_s": 300, "channels": ["value"]}
DECODER = {"kind": "anomaly", "threshold": 14.0, "quiet": 50}


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("anomaly") / "tiny.bundle"
    model = tiny_model(0, (("gru", 8),), 3, 3)

    def write_files(temporary: Path) -> None:
        golden.write(temporary / golden.GOLDEN, golden.record(model, random_frames(20, 3)))

    labels = ("p10", "p50", "p90")
    manifest = Manifest(name="tiny detector", task="anomaly", labels=labels, frontend=FRONTEND, decoder=DECODER)
    bundle.write(folder, manifest, model, write_files)
    return folder


def series(interval_s: int, spike: int | None, seed: int) -> tuple[list[str], np.ndarray]:
    times = [moment(1_400_000_000.0 + at * interval_s).replace("T", " ")[:19] for at in range(900)]
    values = 20 + np.random.default_rng(seed).normal(0, 1, 900)
    if spike is not None:
        values[spike : spike + 30] += 60
    return times, values


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, windows = tmp_path_factory.mktemp("nab"), {}
    for seed, (name, interval_s, spike) in enumerate(
        [("real/a.csv", 300, 600), ("real/b.csv", 3600, 400), ("street/c.csv", 300, 700), ("quiet/d.csv", 300, None)]
    ):
        times, values = series(interval_s, spike, seed)
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = (f"{time},{value}" for time, value in zip(times, values, strict=True))
        path.write_text("\n".join(["timestamp,value", *rows, ""]))
        windows[name] = [] if spike is None else [[f"{times[spike - 10]}.000000", f"{times[spike + 50]}.000000"]]
    (folder / "labels").mkdir()
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    (folder / "results").mkdir()
    published = {"someone": {"standard": 50.123, "reward_low_FP_rate": 40.0, "reward_low_FN_rate": 60.0}}
    (folder / "results" / "final_results.json").write_text(json.dumps(published))
    return folder


def test_what_is_plain_to_see_is_found_and_counted(detector, benchmark):
    numbers = evaluate(detector, benchmark, "reference")
    assert (numbers["files"], numbers["samples"], numbers["windows"], numbers["found"]) == (4, 3600, 3, 3)
    assert numbers["standard"] > 80
    assert numbers["threshold_chosen_on_all_files"]["standard"]["score"] >= numbers["standard"]
    assert numbers["threshold_chosen_on_other_categories"]["found"] == 3
    assert numbers["per_file"]["real/a.csv"]["found"] == 1
    assert numbers["per_category"]["quiet"] == {"files": 1, "false_alarms": 0}
    assert numbers["published"] == {
        "someone": {"standard": 50.12, "reward_low_FP_rate": 40.0, "reward_low_FN_rate": 60.0}
    }


def test_alarms_are_those_that_the_session_tells(detector, benchmark):
    _, values = series(300, 600, 0)
    told = Session.open(detector, "reference").push(values.astype(np.float32))
    rows = [round(event.time_s / 300) - 1 for event in told]
    assert [row for row in rows if row >= 135] == evaluate(detector, benchmark, "reference")["per_file"]["real/a.csv"][
        "alarm_rows"
    ]


@pytest.mark.parametrize("json_or_text", [["--json"], []])
def test_the_command_prints_scores_and_the_published_ones(detector, benchmark, capsys, json_or_text):
    assert cli.main(["evaluate", str(detector), str(benchmark), "--engine", "reference", *json_or_text]) == 0
    printed = capsys.readouterr().out
    if json_or_text:
        assert json.loads(printed)["task"] == "anomaly"
    else:
        assert "someone (published)" in printed
        assert "last value for the model" in printed


def test_nothing_to_evaluate_on_says_what_to_name(detector, tmp_path, capsys):
    assert cli.main(["evaluate", str(detector), "--engine", "reference"]) == 2
    assert "name a copy of the Numenta Anomaly Benchmark" in capsys.readouterr().err
    assert cli.main(["evaluate", str(detector), str(tmp_path), "--engine", "reference"]) == 2
    assert "is not a copy of the Numenta Anomaly Benchmark" in capsys.readouterr().err
    assert cli.main(["evaluate", str(detector), str(tmp_path), "--split", "train"]) == 2
    assert "has no split train: all its files are scored. Leave it out" in capsys.readouterr().err


def test_a_bundle_without_a_decoder_of_anomalies_is_refused(tmp_path, benchmark):
    write_forecaster(tmp_path / "forecaster.bundle")
    with pytest.raises(InputError, match="has no decoder of anomalies"):
        evaluate(tmp_path / "forecaster.bundle", benchmark, "reference")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"decoder": {**DECODER, "threshold": 0}}, "threshold"),
        ({"decoder": {**DECODER, "memory": 10**9}}, "memory"),
        ({"frontend": {**FRONTEND, "channels": ["a", "b"]}}, "frontend.channels must name one channel"),
        ({"frontend": {**FRONTEND, "interval_s": -1}}, "interval_s"),
    ],
)
def test_settings_that_cannot_be_are_refused(detector, changed, message):
    fields = bundle.read(detector).manifest.as_dict()
    with pytest.raises(BundleError, match=message):
        Manifest.from_dict({**fields, **changed})
