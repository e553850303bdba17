"""`tinyrnn build`: what it tells and leaves behind, and what is interrupted goes on."""

from __future__ import annotations

import json
import re
import signal
import sys
from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="building needs torch")
pytest.importorskip("onnxruntime", reason="a bundle is proved on ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="a bundle is proved on LiteRT")

import tiny_scenario
from command_line import typist
from device_runtime import bundle, cli
from processes import run_processes
from scenarios import training


@pytest.fixture
def tinyrnn(tmp_path, monkeypatch, capsys):
    """Type a command; get its exit code, what it answered and the last line that it complained with."""
    tiny_scenario.use(monkeypatch, tmp_path)
    monkeypatch.delenv("TINYRNN_DATA", raising=False)
    return typist(capsys)


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def quickened(monkeypatch):
    tiny_scenario.quicken(monkeypatch)


@pytest.mark.usefixtures("quickened")
def test_a_log_says_what_is_heard_and_has_no_empty_lines(tinyrnn, runs, capsys):
    assert cli.main(["build", "tiny", "--runs", str(runs)]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert all(line.strip() for line in lines), lines
    heard = [line.partition(" ━")[0] for line in lines if line.startswith("hearing")]
    assert heard == [
        "hearing train, copy 1 of 2",
        "hearing train, copy 2 of 2",
        "hearing train, copy 2 of 2, speech",
        "hearing train, copy 2 of 2, noise",
        "hearing validation, cold",
        "hearing validation, warm",
        "hearing validation, warm, speech",
        "hearing validation, warm, noise",
    ]
    assert any(
        re.fullmatch(r"2\d\d frames: 0 differing bits on reference, (native, )?onnx and litert", line) for line in lines
    )


@pytest.mark.usefixtures("quickened")
def test_a_build_names_its_bundle_and_its_report(tinyrnn, runs):
    code, answer, _ = tinyrnn("build", "tiny", "--runs", runs)
    assert code == 0
    folder = runs / "tiny"
    assert answer.splitlines() == [f"bundle  {folder / 'tiny.bundle'}", f"report  {folder / 'report.html'}"]
    assert bundle.read(folder / "tiny.bundle").manifest.name == "tiny"


@pytest.mark.usefixtures("quickened")
def test_the_report_s_command_has_the_options_that_were_typed(tinyrnn, runs, tmp_path, monkeypatch):
    data = tmp_path / "my data"
    data.mkdir()
    monkeypatch.setenv("TINYRNN_DATA", "")  # so that it is put back: a build sets it
    code, _, _ = tinyrnn("build", "tiny", "--runs", runs, "--seed", 3, "--data", data, "--quick")
    assert code == 0
    report = json.loads((runs / "tiny_quick" / "report.json").read_text())
    assert report["command"] == f"tinyrnn build tiny --seed 3 --data '{data}' --quick"


@pytest.mark.usefixtures("quickened")
def test_a_missed_budget_is_told_and_the_exit_code_is_1(tinyrnn, runs, tmp_path, monkeypatch):
    recipe = tiny_scenario.recipe(tmp_path / "data")
    promised = replace(recipe.budget, size_kb=1, folder_kb=2, accuracy=1.01)
    tiny_scenario.use(monkeypatch, tmp_path, replace(recipe, budget=promised))
    code, answer, complaint = tinyrnn("build", "tiny", "--runs", runs)
    assert code == 1
    assert "missed" not in complaint, "each promise is told once"
    size, folder, accuracy = answer.splitlines()[2:]
    assert re.fullmatch(r"missed: size on the device: promised at most 1 KB, measured [\d.]+ KB", size)
    assert re.fullmatch(r"missed: size of the whole folder: promised at most 2 KB, measured [\d.]+ KB", folder)
    assert re.fullmatch(r"missed: accuracy, warm: promised at least 101 %, measured [\d.]+ %", accuracy)


def interrupt(monkeypatch, at_loss):
    """Ctrl-C at the so many-th step of the build."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are started without it
    steps = 0

    def counted(kind):
        call = kind.__call__

        def pressed(*arguments):
            nonlocal steps
            steps += 1
            if steps == at_loss:
                signal.raise_signal(signal.SIGINT)
            return call(*arguments)

        return pressed

    monkeypatch.setattr(training, "clip_loss", counted(training.clip_loss))
    monkeypatch.setattr(training.FrameLoss, "__call__", counted(training.FrameLoss))


@pytest.mark.usefixtures("quickened")
def test_ctrl_c_keeps_the_checkpoints_and_the_same_command_goes_on(tinyrnn, runs, tmp_path, capsys):
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, at_loss=5)  # in the student's last epoch: 2 of the teacher, 3 of the student
        code, answer, complaint = tinyrnn("build", "tiny", "--runs", runs)
    assert (code, answer) == (130, "")
    assert complaint == "stopped; what was trained is kept: the same command goes on from there"
    assert tiny_scenario.trainings(runs / "tiny") == {"teacher-0", "student-0"}
    assert tinyrnn("build", "tiny", "--runs", runs)[0] == 0
    assert tinyrnn("build", "tiny", "--runs", tmp_path / "other")[0] == 0
    went_on, at_once = (bundle.read(folder / "tiny" / "tiny.bundle").manifest for folder in (runs, tmp_path / "other"))
    assert went_on.files == at_once.files


@pytest.mark.usefixtures("quickened")
def test_a_damaged_checkpoint_stops_the_build_with_one_clear_line(tinyrnn, runs):
    with pytest.MonkeyPatch.context() as patch:
        interrupt(patch, at_loss=5)
        tinyrnn("build", "tiny", "--runs", runs)
    (checkpoint,) = (runs / "teachers").glob("teacher-0-*.ckpt")
    checkpoint.write_bytes(b"PK\3\4 half of a file")
    code, _, complaint = tinyrnn("build", "tiny", "--runs", runs)
    assert code == 2
    assert (
        complaint
        == f"tinyrnn: {checkpoint} is no checkpoint, or is damaged. Remove it: this training then starts anew."
    )


def test_under_torchrun_all_processes_train_and_the_first_one_writes(tmp_path):
    for split in ("train", "validation", "test"):  # now, so that no process finds half a file
        for source in (recipe := tiny_scenario.recipe(tmp_path / "data")).mix.sources + recipe.mix.tests:
            source.recordings(split)
    program = "import tiny_scenario; tiny_scenario.main()"
    ends = run_processes([sys.executable, "-c", program, str(tmp_path)], count=2)
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert ends[0][1].startswith("bundle  ")
    assert ends[1][1] == "", "one of them answers for all"
    assert bundle.read(tmp_path / "runs" / "tiny" / "tiny.bundle").manifest.name == "tiny"
