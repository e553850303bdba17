"""The peers that we are timed against do the same work: their float steps agree with each other and with ours."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="a peer is torch")
pytest.importorskip("onnx", reason="a peer is an ONNX graph")
pytest.importorskip("onnxruntime", reason="a peer runs on ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="a peer runs on LiteRT")

from device_runtime import arithmetic, bundle, engines
from export.litert import Litert
from export.onnx import Onnx
from models import random_frames, tiny_manifest, tiny_model
from scenarios.benchmarks.__main__ import main
from scenarios.benchmarks.floats import float_model
from scenarios.benchmarks.peers import BASELINE, PEERS

MODELS = {
    "sliding dense and GRU": tiny_model(1, feature_size=200),
    "two GRUs": tiny_model(2, (("gru", 17), ("gru", 9)), 5, 3),
    "one window and inputs left over": tiny_model(3, (("dense", 16, 6, 4), ("gru", 9)), 9, 3),
}


@pytest.mark.parametrize("shape", MODELS)
def test_the_peers_take_the_same_steps_in_float(shape, tmp_path):
    model = MODELS[shape]
    floats = float_model(model)
    frames = np.clip(random_frames(60, model.feature_size, seed=3), -2, 2)
    answers = {}
    for peer in PEERS:
        peer.write(floats, tmp_path / peer.NAME)
        engine = peer.load(tmp_path / peer.NAME, sum(model.hidden_sizes))
        assert engine.name == peer.NAME
        state, scores = model.initial_state(), []
        for frame in frames:
            score, state = engine.step(frame, state)
            scores.append(score)
        answers[peer.NAME] = np.array(scores)
    state, ours = model.initial_state(), []
    for frame in frames:
        score, state = arithmetic.step(model, frame, state)
        ours.append(score)
    first, *others = answers.values()
    for other in others:
        np.testing.assert_allclose(other, first, atol=2e-5)
    assert np.sqrt(np.mean((np.array(ours) - first) ** 2)) < 0.05 < np.std(first)


def test_one_table_and_one_json_hold_every_engine_and_every_peer(tmp_path, capsys):
    pytest.importorskip("pymicro_features", reason="speech bundles need pymicro-features")
    model = MODELS["sliding dense and GRU"]
    bundle.write(tmp_path / "tiny.bundle", tiny_manifest(), model, lambda folder: _write_graphs(model, folder))
    asked = ["--part", "bundles", "--bundle", str(tmp_path / "tiny.bundle"), "--steps", "50"]
    assert main([*asked, "--json", str(tmp_path / "bench.json")]) == 0
    rows = json.loads((tmp_path / "bench.json").read_text())["bundles"]["tiny.bundle"]
    ours = engines.available(bundle.read(tmp_path / "tiny.bundle"))
    assert [row["engine"] for row in rows] == [*ours, *(peer.NAME for peer in PEERS)]
    assert {"reference", "onnx", "litert"} <= set(ours)
    assert [row["exact"] for row in rows] == [True] * len(ours) + [False] * len(PEERS)
    assert all(row["step_us_p99"] >= row["step_us_median"] > 0 and row["peak_mb"] > 10 for row in rows)
    assert [row["step_ratio"] for row in rows if row["engine"] == BASELINE] == [1.0]
    printed = capsys.readouterr().out
    assert all(row["engine"] in printed for row in rows)
    assert f"ratios: to {BASELINE}" in printed


def _write_graphs(model, folder):
    for backend in (Onnx(), Litert()):
        backend.write(model, folder / backend.filename)


def test_no_bundle_is_told_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("scenarios.benchmarks.__main__.BUNDLES", tmp_path)
    assert main([]) == 2
    assert capsys.readouterr().err.startswith(f"{tmp_path} holds no *.bundle. Name one with --bundle, or make one")


def test_a_json_file_that_cannot_be_written_is_told_before_anything_is_timed(tmp_path, capsys):
    assert main(["--bundle", str(tmp_path), "--json", str(tmp_path / "missing" / "bench.json")]) == 2
    assert (
        "bench.json cannot be written: its folder does not exist. Give --json another file" in capsys.readouterr().err
    )
