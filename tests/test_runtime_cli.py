"""The command line: what run, check, bench, info and pack print, and their exit codes."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from command_line import refused, write_recording
from device_runtime import bundle, cli, golden, sources
from device_runtime.engines.reference import ReferenceEngine
from device_runtime.session import Session
from models import tiny_model, write_tiny_bundle
from sounds import EAGER, babble, write_bundle


@pytest.fixture
def folder(tmp_path):
    return str(write_bundle(tmp_path / "tiny.bundle"))


@pytest.fixture
def recording(tmp_path):
    return write_recording(tmp_path)


def test_run_prints_a_line_for_each_event(capsys, folder, recording):
    assert cli.main(["run", folder, recording]) == 0
    lines = capsys.readouterr().out.splitlines()
    events = Session.open(folder).push(np.concatenate(list(sources.file_chunks(recording))))
    assert lines == [f"{event.time_s:7.2f} s  {event.label}  {event.score:.2f}" for event in events]
    assert lines


def test_run_prints_json_lines_that_equal_the_events(capsys, folder, recording):
    assert cli.main(["run", folder, recording, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"event", "label", "time_s", "score"} == set(lines[0])


@pytest.mark.parametrize("header", [True, False])
def test_run_listens_to_a_pipe_with_or_without_a_wav_header(capsys, monkeypatch, folder, recording, header):
    cli.main(["run", folder, recording])
    expected = capsys.readouterr().out
    data = Path(recording).read_bytes()
    piped = data if header else data[data.index(b"data") + 8 :]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(piped)))
    assert cli.main(["run", folder, "-"]) == 0
    assert capsys.readouterr().out == expected


def start(*arguments):
    program = [sys.executable, "-m", "device_runtime.cli", *arguments]
    home = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parent.parent)}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(program, env=home, bufsize=0, **pipes)


def test_run_prints_an_event_as_soon_as_it_happens(folder):
    with start("run", folder, "-") as process:
        process.stdin.write((babble(1.0) * 32767).astype("<i2").tobytes())
        assert process.stdout.readline(), "an event, though the pipe is still open"
        process.stdin.close()
        assert process.wait(timeout=30) == 0


def test_a_reader_that_leaves_ends_a_run_quietly(folder, recording):
    with start("run", folder, recording) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 141


def test_thresholds_can_be_overridden_for_one_run(capsys, folder, recording):
    silent = [f"--threshold={label}=1" for label in EAGER["thresholds"]]
    assert cli.main(["run", folder, recording, *silent]) == 0
    assert capsys.readouterr().out == ""


def test_check_replays_the_golden_frames(capsys, tmp_path):
    write_tiny_bundle(tmp_path / "tiny.bundle")
    assert cli.main(["check", str(tmp_path / "tiny.bundle")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[1].split() == ["reference", "20", "0", "every", "bit", "is", "equal"]
    assert out[2].split()[:2] == ["native", "20"]
    assert out[2].split()[2] in "0-", "equal bits, or not built here"
    assert out[3].split()[:3] == ["onnx", "20", "-"]


def test_check_exits_1_on_a_differing_bit(capsys, tmp_path, monkeypatch):
    write_tiny_bundle(tmp_path / "tiny.bundle")
    other = tiny_model(seed=1)
    monkeypatch.setattr("device_runtime.engines.reference.load_engine", lambda _: ReferenceEngine(other))
    assert cli.main(["check", str(tmp_path / "tiny.bundle"), "--engine", "reference"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_check_reports_engines_that_are_not_installed(capsys, tmp_path, monkeypatch):
    def also_onnx(folder):
        golden.write(folder / golden.GOLDEN, golden.record(model, np.zeros((3, 200), np.float32)))
        (folder / "model.onnx").write_bytes(b"")

    model = tiny_model()
    bundle.write(tmp_path / "tiny.bundle", bundle.read(write_bundle(tmp_path / "a")).manifest, model, also_onnx)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["check", str(tmp_path / "tiny.bundle"), "--json"]) == 0
    rows = {row["engine"]: row for row in json.loads(capsys.readouterr().out)["engines"]}
    assert rows["reference"]["differing_values"] == 0
    assert rows["onnx"]["result"] == "not installed"
    assert rows["onnx"]["differing_values"] is None
    message = refused(capsys, "check", str(tmp_path / "tiny.bundle"), "--engine", "onnx")
    assert "the engine onnx needs the package onnxruntime" in message


def test_bench_prints_what_each_engine_costs(capsys, folder):
    assert cli.main(["bench", folder, "--engine", "all", "--json"]) == 0
    row, *others = json.loads(capsys.readouterr().out)["engines"]
    assert row["engine"] == "reference"
    assert [other["engine"] for other in others] in ([], ["native"]), "as it was built here, or not"
    assert {"step_us_median", "step_us_p99", "audio_second_us", "real_time_factor", "peak_mb"} <= set(row)
    assert cli.main(["bench", folder]) == 0
    lines = capsys.readouterr().out.splitlines()
    missing = [line for line in lines[2 + len(others) :] if not line.startswith("native: ")]
    assert missing == ["onnx: not in this bundle: model.onnx", "litert: not in this bundle: model.tflite"]
    assert cli.main(["bench", folder, "--engine", "reference"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2, "no empty line where nothing is missing"


def test_info_says_what_is_in_a_bundle(capsys, tmp_path):
    stages = [{"stage": "teacher", "accuracy": 0.981}, {"stage": "int8", "accuracy": 0.955, "bytes": 40_000}]
    opened = write_tiny_bundle(tmp_path / "a")
    data = [{"name": "speech_commands", "licence": "CC BY 4.0"}]
    card = {"seed": 7, "noises_heard": [], "data": data, "stages": stages}
    manifest = bundle.Manifest(**{**vars(opened.manifest), "card": card})
    bundle.write(tmp_path / "tiny.bundle", manifest, opened.model, lambda _: None)
    assert cli.main(["info", str(tmp_path / "tiny.bundle")]) == 0
    out = capsys.readouterr().out
    for line in ("yes            0.5", "silence          -", "model.npz", "seed: 7", "noises_heard: -"):
        assert line in out
    assert "\n\ndata:\nname             licence\nspeech_commands  CC BY 4.0\n\nstages:\n" in out
    assert out.splitlines()[-3:] == ["stage    accuracy  bytes", "teacher     0.981      -", "int8        0.955  40000"]
    assert cli.main(["info", str(tmp_path / "tiny.bundle"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["card"] == card


def test_info_and_pack_say_what_a_device_must_store(capsys, tmp_path):
    whole = write_tiny_bundle(tmp_path / "whole.bundle")
    assert cli.main(["info", str(whole.folder)]) == 0
    line = f"{whole.device_bytes:,} bytes on a device (what tinyrnn pack writes), {whole.size_bytes:,} in the whole"
    assert line in capsys.readouterr().out
    cli.main(["info", str(whole.folder), "--json"])
    facts = json.loads(capsys.readouterr().out)
    assert (facts["device_bytes"], facts["size_bytes"]) == (whole.device_bytes, whole.size_bytes)

    packed = tmp_path / "small.bundle"
    assert cli.main(["pack", str(whole.folder), str(packed)]) == 0
    written = bundle.read(packed)
    assert written.size_bytes == written.device_bytes == whole.device_bytes < whole.size_bytes
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == f"wrote {packed}: {written.size_bytes:,} bytes for the engine reference"
    assert [line.split()[0] for line in out[:-1]] == ["file", "manifest.json", "model.npz"]
    assert cli.main(["pack", str(whole.folder), str(packed), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == written.size_bytes
