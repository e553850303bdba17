"""The verb `tinyrnn compare`: decisions as evaluate makes them, flips in the right direction, bad input refused."""

import dataclasses
import importlib.metadata
import json

import numpy as np
import pytest

from device_runtime import Session, bundle, cli
from device_runtime.evaluate import evaluate
from device_runtime.recordings import list_recordings
from models import SPEECH, tiny_manifest, tiny_model
from scenarios import report
from scenarios.comparing import flips as flipping
from scenarios.comparing.paired import Paired
from scenarios.comparing.tape import Tape, all_scores
from sensors import NAMES, readings, write_estimator, write_forecaster, write_log
from sounds import EAGER, babble, skip_where_nothing_hears, wav_bytes

LABELS = ("_silence_", "_unknown_", "yes", "no")
WRITE = report.write
SHAPE = (("dense", 8, 40, 20), ("gru", 6))


def write_words(folder, seed=0, shape=SHAPE, labels=LABELS, **changed):
    decoder = {**EAGER, "thresholds": {label: 0.2 for label in labels if not label.startswith("_")}}
    manifest = dataclasses.replace(tiny_manifest(labels=labels), frontend={**SPEECH, **changed}, decoder=decoder)
    bundle.write(folder, manifest, tiny_model(seed, shape, labels=len(manifest.labels)), lambda _: None)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Twelve clips, two of them of no word, and bundles that hear them."""
    skip_where_nothing_hears()
    folder = tmp_path_factory.mktemp("comparing")
    for i in range(12):
        path = folder / "data" / ("yes", "no", "other")[i % 5 // 2] / f"{i}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav_bytes(babble(0.6 + 0.05 * i, seed=i)))
    write_words(folder / "a.bundle", 0)
    write_words(folder / "b.bundle", 1)
    write_words(folder / "wide.bundle", 2, (("dense", 8, 40, 20), ("gru", 7)))
    return folder


@pytest.fixture(autouse=True)
def verb(monkeypatch):
    """`tinyrnn compare`, installed or not; its pages are put together, but not drawn."""
    monkeypatch.setattr("scenarios.report.write", lambda content, folder, render: (folder / "report.html", content))
    added = importlib.metadata.EntryPoint("compare", "scenarios.comparing.verb:add_verb", cli.VERBS_GROUP)
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda **of: [added] if of["group"] == cli.VERBS_GROUP else []
    )


@pytest.fixture
def drawn(monkeypatch):
    """Pages are drawn, too."""
    monkeypatch.setattr("scenarios.report.write", WRITE)


def compared(capsys, folder, *arguments):
    code = cli.main(["compare", *map(str, arguments), "--out", str(folder), "--json"])
    told = capsys.readouterr()
    assert code == 0, told.err
    return json.loads(told.out)


def refused(capsys, *arguments):
    assert cli.main(["compare", *map(str, arguments)]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert told.err.count("\n") == 1
    return told.err


def test_a_tape_decides_as_the_session_does(place):
    session = Session.open(place / "b.bundle", "reference")
    evaluation = evaluate(session, list_recordings(place / "data"))
    tape = Tape.record(session, evaluation, 99)
    played = tape.play(session.bundle.model)
    assert played.decisions("warm") == evaluation.decisions("warm")
    assert len(set(played.decisions("warm"))) > 1
    for clip, again in zip(evaluation.clips, played.clips, strict=True):
        assert np.array_equal(clip.warm, again.warm)
        assert clip.fired["warm"] == again.fired["warm"]
    assert any(clip.fired["warm"] for clip in evaluation.clips)
    assert len(tape.first(3).play(tiny_model(1, SHAPE)).clips) == 3


def test_streams_of_different_lengths_have_the_scores_of_single_steps(place, monkeypatch):
    model = tiny_model(0, SHAPE)
    streams = [np.random.default_rng(i).normal(0, 1, (n, 200)).astype(np.float32) for i, n in enumerate((3, 9, 0, 5))]
    together = all_scores(model, streams)

    def missing():
        raise ImportError

    monkeypatch.setattr("device_runtime.extension.load", missing)
    for one, other in zip(together, all_scores(model, streams), strict=True):
        assert np.array_equal(one, other)


def test_the_numbers_are_those_of_evaluate_and_of_a_count_by_hand(place, capsys, tmp_path, drawn):
    found = compared(capsys, tmp_path, place / "a.bundle", place / "b.bundle", place / "data")
    runs = [
        evaluate(Session.open(place / name, "reference"), list_recordings(place / "data"))
        for name in ("a.bundle", "b.bundle")
    ]
    assert [found["first"]["accuracy"], found["second"]["accuracy"]] == [run.as_dict()["accuracy"] for run in runs]
    assert [found["first"]["accuracy_cold"], found["second"]["accuracy_cold"]] == [
        run.as_dict()["accuracy_cold"] for run in runs
    ]
    truth = [clip.truth for clip in runs[0].clips]
    before, after = (run.decisions("warm") for run in runs)
    by_hand = {
        "right to wrong": sum(a == t != b for a, b, t in zip(before, after, truth, strict=True)),
        "wrong to right": sum(a != t == b for a, b, t in zip(before, after, truth, strict=True)),
        "wrong to other wrong": sum(t != a != b != t for a, b, t in zip(before, after, truth, strict=True)),
    }
    assert found["flips"] == by_hand
    assert sum(by_hand.values()) == len(found["flipped_clips"]) > 0
    assert found["warm"]["only_first_right"] == by_hand["right to wrong"]
    for label, facts in found["per_label"].items():
        mine = [at for at, said in enumerate(truth) if said == label]
        assert facts["recall_first"] == round(sum(before[at] == label for at in mine) / len(mine), 4)
        for grown in facts["confusions_grown"]:
            counts = [sum(run[at] == grown["taken_for"] for at in mine) for run in (before, after)]
            assert counts == [grown["before"], grown["after"]]
            assert counts[0] < counts[1]
    assert found["parts"]["fit"]
    assert {r["part"] for r in found["parts"]["results"]} >= {"layers.0", "layers.1.state", "layers.1 gate z", "head"}
    assert len(found["units"]["results"]) == 12
    page = json.loads((tmp_path / "report.json").read_text())
    assert page["headlines"][1]["value"] == str(by_hand["right to wrong"])
    assert "<svg" in (tmp_path / "report.html").read_text()


def test_a_bundle_beside_itself_has_no_flip_and_its_parts_change_nothing(place, capsys, tmp_path):
    found = compared(capsys, tmp_path, place / "a.bundle", place / "a.bundle", place / "data", "--limit", 5)
    assert found["clips"] == 5
    assert not any(found["flips"].values())
    assert found["warm"]["p_value"] == 1
    assert found["warm"]["difference"] == 0
    assert all(result["difference"] == 0 for result in found["parts"]["results"])
    assert set(found["parts"]["moved"].values()) == {0.0}


def test_models_of_other_shapes_say_so_and_are_rounded_part_by_part(place, capsys, tmp_path):
    arguments = [place / "a.bundle", place / "wide.bundle", place / "data", "--limit", 6]
    found = compared(capsys, tmp_path, *arguments)
    assert found["parts"]["why_not"] == "layers dense by 20, GRU of 6 and dense by 20, GRU of 7"
    assert {(r["of"], r["how"]) for r in found["parts"]["results"]} == {
        (of, how) for of in ("first", "second") for how in ("4 bits", "powers of two")
    }
    assert cli.main(["compare", *map(str, arguments), "--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "No part of one fits into the other: layers dense by 20, GRU of 6 and dense by 20, GRU of 7." in told
    assert "flips, warm: " in told


def test_srus_are_compared_by_gate_and_unit(place, capsys, tmp_path, monkeypatch):
    def missing():
        raise ImportError

    monkeypatch.setattr("device_runtime.extension.load", missing)  # the reference runs every layer
    shape = (("dense", 2, 100, 100), ("sru", 2))
    for seed, name in enumerate(("sru_a.bundle", "sru_b.bundle")):
        write_words(tmp_path / name, seed, shape)
    pair = (tmp_path / "sru_a.bundle", tmp_path / "sru_b.bundle")
    found = compared(capsys, tmp_path, *pair, place / "data", "--engine", "reference")
    gates = [f"layers.1 gate {letter}" for letter in "xfrp"]
    assert list(found["parts"]["moved"]) == ["layers.0", "layers.1.input", *gates, "head"]
    assert {row["part"] for row in found["units"]["results"]} == {f"layers.1 unit {i}" for i in range(2)}


def test_the_test_of_mcnemar_is_the_exact_one():
    assert Paired(100, 10, 2, 5).p_value == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert Paired(3, 4, 4, 0).p_value == 1.0
    assert Paired(3, 0, 0, 0).p_value == 1.0
    assert Paired(0, 600, 500, 0).p_value == pytest.approx(Paired(0, 500, 600, 0).p_value)
    assert Paired(0, 600, 500, 0).p_value == pytest.approx(0.00283, rel=0.01)


def test_the_interval_of_a_difference_is_newcombes():
    """Against the examples of his paper, table 2: both, first alone, second alone, neither."""
    known = {(36, 12, 2, 0): (0.0569, 0.3404), (54, 0, 0, 0): (-0.0664, 0.0664)}
    for counts, (low, high) in known.items():
        found = Paired(*counts).interval_95
        assert [-found[1], -found[0]] == pytest.approx([low, high], abs=2e-4), counts


def forecasters(folder):
    for name, seed in (("a", 0), ("b", 3)):
        write_forecaster(folder / f"{name}.bundle", seed=seed)
    return write_log(folder / "log.csv", readings(500))


def test_forecasts_are_compared_window_by_window(capsys, tmp_path, drawn):
    log = forecasters(tmp_path)
    first, second = tmp_path / "a.bundle", tmp_path / "b.bundle"
    found = compared(capsys, tmp_path / "out", first, second, log, "--engine", "reference")
    evaluations = []
    for path in (first, second):
        assert cli.main(["evaluate", str(path), str(log), "--engine", "reference", "--json"]) == 0
        evaluations.append(json.loads(capsys.readouterr().out))
    for key, numbers in zip(("first", "second"), evaluations, strict=True):
        assert [found[key]["mse"], found[key]["mae"]] == [numbers["mse"], numbers["mae"]]
        assert [c[key] for c in found["per_channel"].values()] == [c["mse"] for c in numbers["per_channel"].values()]
        assert [c[key] for c in found["per_horizon"].values()] == [c["mse"] for c in numbers["per_horizon"]]
    assert found["mse"]["difference"] == pytest.approx(evaluations[1]["mse"] - evaluations[0]["mse"], abs=2e-5)
    changed = found["windows_changed_most"]
    gaps = [abs(window["second"] - window["first"]) for window in changed]
    assert gaps == sorted(gaps, reverse=True)
    assert {r["part"] for r in found["parts"]["results"]} >= {"layers.0.input", "layers.0 gate n", "head", "linear"}
    assert len(found["units"]["results"]) == 24
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()
    assert cli.main(["compare", str(first), str(second), str(log), "--out", str(tmp_path / "out")]) == 0
    assert "windows whose squared error changed most" in capsys.readouterr().out


def test_a_channel_that_was_never_read_is_left_out(capsys, tmp_path, drawn):
    forecasters(tmp_path)
    log = write_log(tmp_path / "half.csv", readings(500) * np.array([np.nan, 1], np.float32))
    found = compared(capsys, tmp_path / "out", tmp_path / "a.bundle", tmp_path / "b.bundle", log)
    assert list(found["per_channel"]) == [NAMES[1]]
    stopped = readings(500)
    stopped[406:] = np.nan  # early in the test part
    log = write_log(tmp_path / "stopped.csv", stopped)
    found = compared(capsys, tmp_path / "early", tmp_path / "a.bundle", tmp_path / "b.bundle", log)
    assert all(isinstance(c["first"], float) and c["first"] == c["first"] for c in found["per_horizon"].values())
    assert "<svg" in (tmp_path / "out" / "report.html").read_text()


def test_a_forecaster_beside_itself_changes_no_window(capsys, tmp_path):
    log = forecasters(tmp_path)
    found = compared(capsys, tmp_path / "out", tmp_path / "a.bundle", tmp_path / "a.bundle", log)
    assert found["windows_better"] == found["windows_worse"] == 0
    assert not found["windows_changed_most"]
    assert all(result["difference"] == 0 for result in found["parts"]["results"])


def test_what_cannot_be_compared_is_refused_in_one_line(place, capsys, tmp_path):
    log = forecasters(tmp_path)
    a, data = place / "a.bundle", place / "data"
    (tmp_path / "taken").write_text("a file")
    taken = refused(capsys, a, place / "b.bundle", data, "--out", tmp_path / "taken")
    assert "the report's folder" in taken
    assert "taken is a file. Expected a folder" in taken
    assert "is for keyword_spotting, but" in refused(capsys, a, tmp_path / "a.bundle", data)
    assert "Name two bundles of one task" in refused(capsys, a, tmp_path / "a.bundle", data)
    write_estimator(tmp_path / "life.bundle")
    life = refused(capsys, tmp_path / "life.bundle", tmp_path / "life.bundle", data)
    assert "compare takes bundles for keyword_spotting or forecasting, but" in life
    write_words(tmp_path / "other.bundle", labels=(*LABELS[:3], "stop"))
    labels = refused(capsys, a, tmp_path / "other.bundle", data)
    assert "the bundles have different labels:" in labels
    assert "alone has no; " in labels
    assert "alone has stop. Name two of the same labels" in labels
    write_forecaster(tmp_path / "scaled.bundle", {"std": [3.0, 6.0]})
    sensors = refused(capsys, tmp_path / "a.bundle", tmp_path / "scaled.bundle", log)
    assert "the bundles were made for different sensors: std is [3.0, 5.0] in" in sensors
    manifest = bundle.read(tmp_path / "a.bundle").manifest
    longer = dataclasses.replace(manifest, decoder={**manifest.decoder, "positions": 3})
    model = tiny_model(0, (("gru", 12), ("decode", 3)), 6, 3, linear=(6, 8))
    bundle.write(tmp_path / "far.bundle", longer, model, lambda _: None)
    horizon = refused(capsys, tmp_path / "a.bundle", tmp_path / "far.bundle", log)
    assert "forecasts 12 samples, but" in horizon
    assert "Name two of the same horizon" in horizon
    limit = refused(capsys, tmp_path / "a.bundle", tmp_path / "b.bundle", log, "--limit", 3)
    assert "--limit counts clips; a forecast is measured on every window of the split" in limit


def test_missing_files_and_splits_are_told_in_one_line(place, capsys, tmp_path):
    log = forecasters(tmp_path)
    a, b, data = place / "a.bundle", place / "b.bundle", place / "data"
    assert "there is no folder" in refused(capsys, a, tmp_path / "none.bundle", data)
    assert "there is no data folder" in refused(capsys, a, b, tmp_path / "none")
    assert "has no recordings in the split validation; it has: test" in refused(
        capsys, a, b, data, "--split", "validation"
    )
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "test.csv").write_text("file,class\n")
    assert "holds no labelled recordings" in refused(capsys, a, b, tmp_path / "empty")
    f, g = tmp_path / "a.bundle", tmp_path / "b.bundle"
    assert "none.csv" in refused(capsys, f, g, tmp_path / "none.csv")
    short = write_log(tmp_path / "short.csv", readings(50))
    assert "at least 12 are needed for one forecast" in refused(capsys, f, g, short)
    assert "--limit must be at least 1, got 0" in refused(capsys, a, b, data, "--limit", 0)
    assert "there is no engine 'fast'" in refused(capsys, a, b, data, "--engine", "fast")
    assert "there is no engine 'fast'" in refused(capsys, f, g, log, "--engine", "fast")


def test_labels_in_another_order_are_the_same_labels(place, capsys, tmp_path):
    write_words(tmp_path / "turned.bundle", 0, labels=(*LABELS[:2], "no", "yes"))
    found = compared(
        capsys, tmp_path / "out", place / "a.bundle", tmp_path / "turned.bundle", place / "data", "--limit", 3
    )
    assert found["parts"]["why_not"] == "their labels come in different orders"
    assert flipping.DIRECTIONS[0] in found["flips"]


def test_frames_made_differently_keep_parts_apart(place, capsys, tmp_path):
    write_words(tmp_path / "fast.bundle", stride=2)
    found = compared(
        capsys, tmp_path / "out", place / "a.bundle", tmp_path / "fast.bundle", place / "data", "--limit", 3
    )
    assert found["parts"]["why_not"] == "their frames are made differently"
