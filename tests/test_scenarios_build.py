"""`tinyrnn build`: what is typed wrong costs one clear line, and what is interrupted goes on."""

from __future__ import annotations

import json
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="building needs torch")
pytest.importorskip("onnxruntime", reason="a bundle is proved on ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="a bundle is proved on LiteRT")

import tiny_scenario
from device_runtime import bundle, cli
from processes import run_processes
from scenarios import training
from scenarios.arabic_commands import SCENARIO as ARABIC
from scenarios.build import SCENARIOS, find
from scenarios.demo import SCENARIO as DEMO
from scenarios.scenario import Scenario
from scenarios.variants import with_options


@pytest.fixture
def tinyrnn(tmp_path, monkeypatch, capsys):
    """Type a command; get its exit code, what it answered and the last line that it complained with."""
    tiny_scenario.use(monkeypatch, tmp_path)
    monkeypatch.delenv("TINYRNN_DATA", raising=False)

    def typed(*arguments):
        code = cli.main([*map(str, arguments)])
        answer = capsys.readouterr()
        complaint = answer.err.strip().splitlines()[-1] if answer.err.strip() else ""
        return code, answer.out, complaint

    return typed


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def quickened(monkeypatch):
    tiny_scenario.quicken(monkeypatch)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("arabic_comands", "arabic_commands"), ("keyword-spotting", "keyword_spotting"), ("Demo", "demo")],
)
def test_an_unknown_scenario_suggests_the_near_one(tinyrnn, runs, typed, meant):
    code, _, complaint = tinyrnn("build", typed, "--runs", runs)
    assert code == 2
    assert complaint.startswith(
        f"tinyrnn: there is no scenario '{typed}' (did you mean {meant}?). Choose one of: demo, "
    )
    assert not runs.exists()


def test_a_scenario_that_resembles_none_lists_them_all(tinyrnn):
    assert tinyrnn("build", "zzz")[2].endswith(f"there is no scenario 'zzz'. Choose one of: {', '.join(SCENARIOS)}.")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no file own.py. Correct the path, or name a scenario: demo, "),
        ("WORDS = 3", "own.py has no SCENARIO, which is what a build takes. Name it so, as scenarios/demo.py does."),
        (
            "SCENARIO = 3",
            "the SCENARIO of own.py is of the type int, expected a Scenario. See scenarios/demo.py for one.",
        ),
        (
            "from scenarios.scenario import Scenario as SCENARIO",
            "the SCENARIO of own.py is of the type type, expected a Scenario.",
        ),
        (
            "SCENARIO = (",
            "own.py cannot be used: SyntaxError: '(' was never closed (own.py, line 1). Correct the file.",
        ),
        ("import nothing_of_this_name", "own.py cannot be used: ModuleNotFoundError: No module named 'nothing_of_this"),
        ("1 / 0", "own.py cannot be used: ZeroDivisionError: division by zero. Correct the file."),
    ],
)
def test_a_file_without_a_scenario_is_one_clear_line(tinyrnn, tmp_path, monkeypatch, text, told):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("own.py").write_text(text)
    code, _, complaint = tinyrnn("build", "own.py")
    assert code == 2
    assert complaint.startswith(f"tinyrnn: {told}")
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["DEMO", "FORECAST", "HEALTH"])
def test_a_scenario_of_any_task_is_built_from_a_file(tmp_path, name):
    text = "from scenarios.demo import SCENARIO as DEMO\n"
    text += "from scenarios.load_forecast import SCENARIO as FORECAST\n"
    text += "from scenarios.machine_health import SCENARIO as HEALTH\n"
    (tmp_path / "own.py").write_text(f"{text}SCENARIO = {name}\n")
    assert find(str(tmp_path / "own.py")).name == {"DEMO": "demo", "FORECAST": "load_forecast"}.get(
        name, "machine_health"
    )


@pytest.mark.parametrize(
    "name", ["demo", "keyword_spotting", "arabic_commands", "arabic_commands_small", "arabic_commands_tiny"]
)
def test_every_listed_scenario_is_a_recipe_of_that_name(name):
    scenario = find(name)
    assert isinstance(scenario, Scenario)
    assert scenario.name == name
    assert len(set(scenario.mix.labels)) == len(scenario.mix.labels)
    assert scenario.mix.labels[-1] == "_silence_"


def test_words_are_refused_by_a_scenario_that_has_recordings(tinyrnn, runs):
    code, _, complaint = tinyrnn("build", "arabic_commands", "--words", "hello", "--runs", runs)
    assert (code, complaint) == (
        2,
        "tinyrnn: --words is for scenarios with spoken voices (demo); arabic_commands has its own data.",
    )
    assert not runs.exists()


@pytest.mark.parametrize("wrong", ["_secret", "../up", "[/]", "a/b"])
def test_a_word_that_cannot_name_a_label_is_refused(tinyrnn, runs, wrong):
    code, _, complaint = tinyrnn("build", "demo", "--words", f"hello,{wrong}", "--runs", runs)
    assert code == 2
    assert f"--words got {wrong!r}: a word begins with a letter or a digit and holds no /." in complaint
    assert not runs.exists()


def test_no_words_are_refused(tinyrnn):
    assert "give one or more different words" in tinyrnn("build", "demo", "--words", " , ")[2]


def test_other_words_are_said_by_no_negative_speech():
    scenario = with_options(DEMO, None, "hello, good morning")
    assert scenario.mix.words.words == ("hello", "good morning")
    assert [source.without for source in scenario.mix.negatives] == [("hello", "good morning")]
    assert scenario.mix.labels == ("hello", "good morning", "_unknown_", "_silence_")


def test_options_change_nothing_else():
    assert with_options(ARABIC, None, None) is ARABIC
    assert with_options(ARABIC, 7, None) == replace(ARABIC, seed=7)


def test_a_missing_data_folder_is_one_clear_line_and_nothing_is_written(tinyrnn, runs, tmp_path, monkeypatch):
    missing = tmp_path / "nowhere"
    expected = f"tinyrnn: there is no data folder {missing}. Correct --data, or leave it out to download."
    code, _, complaint = tinyrnn("build", "arabic_commands", "--data", missing, "--runs", runs)
    assert (code, complaint) == (2, expected)
    monkeypatch.setenv("TINYRNN_DATA", str(missing))
    code, _, complaint = tinyrnn("build", "arabic_commands", "--runs", runs)
    assert (code, complaint) == (2, f"tinyrnn: there is no data folder {missing}. Correct --data or TINYRNN_DATA.")
    assert not runs.exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_scenario_takes_a_data_folder_that_is_not_there(tinyrnn, runs, name):
    code, _, complaint = tinyrnn("build", name, "--data", "nowhere", "--runs", runs)
    expected = "tinyrnn: there is no data folder nowhere. Correct --data, or leave it out to download."
    assert (code, complaint) == (2, expected)
    assert not runs.exists()


def test_the_help_has_examples(tinyrnn, capsys):
    with pytest.raises(SystemExit, match="0"):
        tinyrnn("build", "--help")
    assert "examples:\n  tinyrnn build demo --words lumos,nox\n" in capsys.readouterr().out


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


def test_the_verbs_that_a_workstation_adds_are_declared():
    declared = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    assert 'build = "scenarios.build:add_verb"' in declared
