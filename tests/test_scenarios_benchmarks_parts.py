"""What `make bench` aims at: every part runs, tells of each contestant, and says which targets were met; no times."""

from __future__ import annotations

import importlib.util
import json
import shutil

import numpy as np
import pytest

pytest.importorskip("torch", reason="a peer is torch")
pytest.importorskip("onnx", reason="a peer is an ONNX graph")
pytest.importorskip("onnxruntime", reason="a peer runs on ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="a peer runs on LiteRT")

from device_runtime import extension, flat
from device_runtime.engines import ENGINES
from device_runtime.errors import EngineError
from models import NATIVE
from scenarios.benchmarks import (
    audio_second,
    limit,
    memory,
    peer_litert,
    peer_litert_dynamic,
    peer_litert_int8,
    peer_onnx,
    peer_onnx_lean,
    peer_vad,
    peer_wakeword,
    plain_gru,
    products,
    python_step,
    turns,
    zeros,
)
from scenarios.benchmarks.__main__ import PARTS, main
from scenarios.benchmarks.floats import float_model
from scenarios.benchmarks.part import Part, Target

needs_native = pytest.mark.skipif(not NATIVE, reason="the native engine is not built")
FEW = 20


@pytest.mark.parametrize(
    ("peer", "error"),
    [(peer_onnx_lean, 1e-5), (peer_litert, 1e-4), (peer_litert_dynamic, 0.05), (peer_litert_int8, 0.15)],
)
def test_the_peers_of_a_plain_gru_take_the_steps_of_the_float_gru(peer, error, tmp_path):
    model = plain_gru.plain_gru(24, 10)
    engines = [python_step.load_peer(peer_onnx, model, tmp_path), python_step.load_peer(peer, model, tmp_path)]
    assert engines[1].name == peer.NAME
    states = [model.initial_state()] * 2
    answers = [[], []]
    for frame in plain_gru.random_frames(model, 60):
        for i, engine in enumerate(engines):
            scores, states[i] = engine.step(frame, states[i])
            answers[i].append(scores.ravel())
    expected, got = np.array(answers)
    assert np.sqrt(np.mean((got - expected) ** 2)) < error < np.std(expected)


def test_a_dynamic_range_file_holds_int8_weights(tmp_path):
    model = float_model(plain_gru.plain_gru(64, 40))
    for peer in (peer_litert, peer_litert_dynamic, peer_litert_int8):
        peer.write(model, tmp_path / peer.NAME)
    whole, *small = [
        (tmp_path / peer.NAME).stat().st_size for peer in (peer_litert, peer_litert_dynamic, peer_litert_int8)
    ]
    assert all(size < whole / 2 for size in small)


def test_zero_blocks_are_exactly_the_share_and_leave_the_rest(tmp_path):
    dense = plain_gru.plain_gru(32, 16)
    sparse = plain_gru.with_zero_blocks(dense, 0.75, (8, 1))
    before, after = dense.layers[0].state.weight, sparse.layers[0].state.weight
    blocks = after.reshape(12, 8, 32).any(axis=1)
    assert np.mean(blocks) == 0.25
    assert np.array_equal(after[after != 0], before[after != 0])
    assert np.array_equal(dense.head.weight, sparse.head.weight)


def test_contestants_take_turns_and_the_median_counts():
    log = []
    costs = {"a": iter([1.0, 9.0, 2.0]), "b": iter([4.0, 5.0, 6.0])}

    def stopwatch(name):
        return lambda times: (log.append((name, times)), next(costs[name]))[1]

    assert turns.in_turns({name: stopwatch(name) for name in costs}, 3) == {"a": 2.0, "b": 5.0}
    rounds = [log[at : at + 2] for at in range(0, 6, 2)]
    assert [sorted(turn) for turn in rounds] == [[("a", 1), ("b", 1)]] * 3
    assert rounds[0] in (rounds[1][::-1], rounds[2][::-1]), "the order changes"
    assert turns.cpu_time(lambda times: sum(range(10_000 * times)), items=2)(5) > 0


@pytest.mark.parametrize(
    ("target", "is_met", "line"),
    [
        (Target("ratio", 11.71, least=10), True, "  met           ratio: 11.7, target at least 10"),
        (Target("ratio", 9.0, least=10), False, "  missed        ratio: 9, target at least 10"),
        (Target("us", 2.5, most=2.5), True, "  met           us: 2.5, target at most 2.5"),
        (Target("us", None, most=2.5), None, "  not measured  us: at most 2.5"),
    ],
)
def test_a_target_says_whether_it_was_met(target, is_met, line):
    assert target.is_met is is_met
    assert target.line() == line
    assert target.as_dict()["is_met"] is is_met


@needs_native
def test_a_step_is_timed_on_every_engine_and_every_peer_at_two_sizes():
    part = python_step.measure(FEW)
    engines = [row["engine"] for row in part.rows]
    ours = ["native", "native step_into", "native steps", "reference", "onnx", "litert"]
    assert engines == [*ours, *(peer.NAME for peer in python_step.PEERS)] * 2
    assert [row["times native"] for row in part.rows if row["engine"] == "native"] == [1.0, 1.0]
    assert all(row["cpu us"] > 0 for row in part.rows)
    assert [target.least or target.most for target in part.targets] == [10, 4, 10, 2.5] * 2


@needs_native
def test_the_limit_is_that_of_each_kernel():
    part = limit.measure(FEW)
    kernels = extension.load().kernels()
    assert [row["kernel"] for row in part.rows] == kernels * 2
    assert [row["products alone us"] is None for row in part.rows] == [row["missing"] is not None for row in part.rows]
    assert [target.most for target in part.targets] == [2, 2]
    if shutil.which("cc"):
        assert {row["missing"] for row in part.rows} == {None}


@needs_native
def test_the_limit_says_which_compiler_is_missing(monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    part = limit.measure(1)
    assert part.rows[0]["missing"] == (
        "the limit needs a C compiler, and no-such-compiler was not found. Install one, or name it: CC=gcc"
    )
    assert {target.is_met for target in part.targets} == {None}


def test_the_limit_says_why_it_could_not_be_compiled(tmp_path, monkeypatch):
    broken = tmp_path / "cc"
    broken.write_text("#!/bin/sh\necho 'limit.c:1: no such header' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CC", str(broken))
    with pytest.raises(EngineError, match=r"the limit could not be compiled: limit\.c:1: no such header"):
        products.build(tmp_path / "limit.so")


@needs_native
def test_zeros_are_timed_beside_dense_on_each_kernel_and_peer():
    part = zeros.measure(FEW)
    names = [f"native steps, {kernel}" for kernel in extension.load().kernels()]
    names += [peer.NAME for peer in zeros.PEERS]
    assert [row["engine"] for row in part.rows] == [name for name in names for _ in range(1 + len(zeros.BLOCKS))]
    assert all(row["dense / this"] == 1 for row in part.rows if row["zeros"] == "none")
    sizes = {row["zeros"]: row["bytes"] for row in part.rows if row["engine"] == names[0]}
    assert sizes["none"] == len(flat.to_bytes(plain_gru.plain_gru(128, 40))) > 2 * sizes["75% in 8x1"]
    assert part.targets[-1].is_met


@needs_native
def test_a_second_of_audio_names_what_is_not_installed(monkeypatch):
    installed = importlib.util.find_spec
    peers = (peer_wakeword.PACKAGE, peer_vad.PACKAGE)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in peers else installed(name))
    part = audio_second.measure(FEW)
    missing = {row["contestant"]: row["missing"] for row in part.rows if row["missing"]}
    assert missing == {
        "microWakeWord alexa": "pip install -c constraints.txt pymicro-wakeword",
        "Silero VAD (ONNX)": "pip install -c constraints.txt silero-vad",
    }
    slower = part.targets[0].name.partition(" / ")[2]
    assert slower in audio_second.NAMES
    assert [target.line() for target in part.targets] == [
        f"  not measured  microWakeWord alexa / {slower}: at least 10",
        f"  not measured  Silero VAD (ONNX) / {slower}: at least 15",
    ]
    assert {*audio_second.NAMES} < {row["contestant"] for row in part.rows}


@needs_native
@pytest.mark.parametrize("peer", [peer_wakeword, peer_vad])
def test_audio_peers_hear_chunks_of_any_size(peer):
    if importlib.util.find_spec(peer.PACKAGE) is None:
        pytest.skip(f"{peer.PACKAGE} is not installed; make bench installs it")
    run = peer.listening([np.zeros(1600, np.float32), np.zeros(333, np.float32)])
    run(3)


@needs_native
def test_memory_is_that_of_fresh_processes():
    part = memory.measure(FEW)
    peaks = {row["engine"]: row["peak MB"] for row in part.rows}
    assert list(peaks) == [memory.FLOOR, "reference", "native", "onnx", "litert"]
    assert all(peak >= peaks[memory.FLOOR] > 5 for peak in peaks.values())
    assert part.targets[0].most == 0.6


def test_a_fresh_process_that_fails_is_told_in_one_line():
    with pytest.raises(
        EngineError, match="a fresh process could not run native on a WAV: tinyrnn: there is no folder no.bundle"
    ):
        memory.peak_mb("native", ["-m", "scenarios.benchmarks.fresh_wav", "no.bundle", "native", "no.wav"])


def test_the_chosen_part_is_printed_and_written(tmp_path, capsys, monkeypatch):
    part = Part("Title", ({"engine": "native", "cpu us": 1.5},), (Target("ratio", 3.0, least=2),))
    monkeypatch.setitem(PARTS, "zeros", lambda steps: part)
    monkeypatch.setattr(type(ENGINES["native"]), "is_installed", lambda self: True)
    assert main(["--part", "zeros", "--json", str(tmp_path / "bench.json")]) == 0
    printed = capsys.readouterr().out
    assert "Title\nengine  cpu us\nnative     1.5\n  met           ratio: 3, target at least 2" in printed
    written = json.loads((tmp_path / "bench.json").read_text())
    assert list(written) == ["machine", "baseline", "bundles", "parts"]
    assert written["parts"] == {"zeros": part.as_dict()}
    assert written["parts"]["zeros"]["targets"][0]["is_met"] is True


def test_without_the_native_engine_one_line_says_what_was_not_measured(capsys, monkeypatch):
    monkeypatch.setattr(type(ENGINES["native"]), "is_installed", lambda self: False)
    assert main(["--part", "step", "--part", "zeros"]) == 0
    assert "not measured: step, zeros. They need the native engine, which is built where" in capsys.readouterr().err
