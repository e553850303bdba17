"""`tinyrnn build`: what is typed names a scenario and its options, or costs one clear line and writes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="building needs torch")
pytest.importorskip("onnxruntime", reason="a bundle is proved on ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="a bundle is proved on LiteRT")

import tiny_scenario
from command_line import typist
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
    return typist(capsys)


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


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


def test_a_scenario_s_file_may_hold_a_data_set_of_its_own(tmp_path):
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass, replace\n"
        "from scenarios.demo import SCENARIO as DEMO\n"
        "@dataclass(frozen=True)\nclass OwnWords:\n    names: tuple[str, ...] = ()\n"
        "SCENARIO = replace(DEMO, notes=OwnWords(('mine',)).names)\n"
    )
    (tmp_path / "own.py").write_text(text)
    assert find(str(tmp_path / "own.py")).notes == ("mine",)


def test_a_folder_of_runs_that_cannot_be_made_is_told_before_anything_else(tinyrnn, tmp_path, monkeypatch):
    taken = tmp_path / "taken"
    taken.write_text("a file")
    code, _, complaint = tinyrnn("build", "demo", "--runs", taken)
    assert code == 2
    assert complaint.startswith(
        f"tinyrnn: the folder of runs {taken} cannot be made: {taken} is a file. Expected a folder"
    )
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    _, _, complaint = tinyrnn("build", "demo", "--runs", tmp_path / "new" / "runs")
    assert f"new/runs cannot be made: {tmp_path} cannot be written to. Expected a folder" in complaint
    assert not (tmp_path / "new").exists()


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


def test_the_verbs_that_a_workstation_adds_are_declared():
    declared = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    assert 'build = "scenarios.build:add_verb"' in declared
