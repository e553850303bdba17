"""`tinyrnn search`: what cannot be is one clear line before any training, and workers may be killed."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="searching needs torch")
pytest.importorskip("optuna", reason="a search is Optuna's")
pytest.importorskip("onnxruntime", reason="a bundle is proved on ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="a bundle is proved on LiteRT")

from optuna.trial import TrialState
from rich.console import Console

import tiny_scenario
from command_line import typist
from device_runtime import bundle, cli
from processes import HOUSE
from scenarios.build import find
from scenarios.search.crew import NOTHING_NEW, Crew
from scenarios.search.plan import Plan
from scenarios.search.study import ACCEPTED, RETRY, WORKER, counted, open_study

BUDGET = "size_kb=12,step_us=50,memory_mb=60"
FOUND = "tiny_pi_zero_2w_12kb_50us_60mb"


@pytest.fixture
def tinyrnn(tmp_path, monkeypatch, capsys):
    """Type a command in a folder with tiny.py; get its exit code, its answer and the last line of its complaint."""
    tiny_scenario.as_file(monkeypatch, tmp_path)
    tiny_scenario.quicken(monkeypatch)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HOUSE), str(HOUSE / "tests")]))  # of the workers
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return typist(capsys)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--board", "pi-zero-2"), "there is no board 'pi-zero-2' (did you mean pi-zero-2w?). Choose one of: host, "),
        (("--budget", ""), "argument --budget: got an empty text. Is a variable of your shell not set?"),
        (("--fix", ""), "argument --fix: got an empty text."),
        (("--storage", ""), "argument --storage: got an empty text."),
        (("--board", "zzz"), "there is no board 'zzz'. Choose one of: host, pi-zero-2w, pi-3, pi-4, pi-5, pi-2, "),
        (("--budget", "size=20"), "--budget does not know 'size' (did you mean size_kb?)"),
        (("--budget", "size_kb=-20"), "--budget got size_kb=-20, expected a number above 0."),
        (("--fix", "hiden=8"), "--fix does not know 'hiden' (did you mean hidden?)"),
        (
            ("--trials", "0"),
            "argument --trials: expected a whole number from 1 on, got '0'. See: ",
        ),
        (("--workers", "-1"), "argument --workers: expected"),
        (("--data", "nowhere"), "there is no data folder nowhere. Correct --data, or leave it out to download."),
        (("--storage", "nothing"), "--storage nothing cannot be used: "),
    ],
)
def test_what_is_typed_wrong_is_one_clear_line_and_nothing_is_written(tinyrnn, options, told):
    code, answer, complaint = tinyrnn("search", "tiny.py", *options)
    assert (code, answer) == (2, "")
    assert complaint.startswith(f"tinyrnn: {told}")
    assert not Path("runs").exists()


def test_an_unknown_scenario_suggests_the_near_one(tinyrnn):
    code, _, complaint = tinyrnn("search", "demoo")
    assert code == 2
    assert complaint.startswith("tinyrnn: there is no scenario 'demoo' (did you mean demo?). Choose one of: demo, ")


def test_a_scenario_that_does_not_hear_is_refused(tinyrnn):
    code, _, complaint = tinyrnn("search", "machine_health")
    assert code == 2
    assert (
        "machine_health does not hear words, and search knows no other recipes yet. Choose one of: demo, " in complaint
    )


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ("size_kb=2,step_us=50", r"size_kb=2, but the least that was found is "),
        ("step_us=1", r"step_us=1, but the least that was found is "),
        ("memory_mb=1", r"memory_mb=1, but the least that was found is "),
    ],
)
def test_an_impossible_budget_says_which_limit_excludes_everything_and_what_is_near(tinyrnn, budget, told):
    held = "hidden=32,projection=24,channels=4,block=8x1"  # fewer steps to where nothing comes nearer
    code, _, complaint = tinyrnn("search", "tiny.py", "--board", "pi-zero-2w", "--budget", budget, "--fix", held)
    assert code == 2
    assert f"tinyrnn: the budget excludes every candidate: {told}" in complaint
    assert "The nearest candidate (cell " in complaint
    near = complaint.partition("needs: --budget ")[2]
    assert not Path("runs").exists()
    plan = Plan("tiny.py", "pi-zero-2w", near, 1, "runs")
    assert set(plan.limits.given) == {part.partition("=")[0] for part in budget.split(",")}


def searched(runs="runs"):
    """The folder of the only search there."""
    (folder,) = (Path(runs) / "tiny.search").iterdir()
    return folder


def journal(runs="runs"):
    plan = Plan.from_json((searched(runs) / "plan.json").read_text())
    return open_study(plan)


def kill_a_worker(study):
    """Kill -9 the first worker that trains a candidate."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        time.sleep(0.05)
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if ACCEPTED in trial.user_attrs:
                os.kill(trial.user_attrs[WORKER]["pid"], signal.SIGKILL)
                return


def test_a_search_survives_kill_9_and_ctrl_c_and_ends_with_a_front_a_recipe_and_a_bundle(tinyrnn, monkeypatch, capsys):
    held = "hidden=32,projection=24,channels=4"  # no other widths wait before the one that is killed
    command = ("search", "tiny.py", "--board", "pi-zero-2w", "--budget", BUDGET, "--workers", 1, "--quick")
    command += ("--fix", held)
    with pytest.MonkeyPatch.context() as patch:
        tell = Crew._tell

        def interrupted(crew, console):
            tell(crew, console)
            if crew.told:
                raise KeyboardInterrupt

        patch.setattr(Crew, "_tell", interrupted)
        code, answer, complaint = tinyrnn(*command, "--trials", 3)
    assert (code, answer) == (130, "")
    assert complaint == "stopped; what was tried is kept: the same command goes on from there"
    begun = [trial for trial in counted(journal()) if trial.state == TrialState.RUNNING]
    assert not begun, "it is given to others"
    (first, *_) = [trial for trial in counted(journal()) if trial.state == TrialState.COMPLETE]

    killer = threading.Thread(target=kill_a_worker, args=[journal()])
    killer.start()
    code = cli.main([*map(str, command), "--trials", "3", "--json"])
    killer.join()
    told = capsys.readouterr()
    assert code == 0, told.err
    assert "going on: 1 candidates were tried before" in told.err
    assert "was killed by signal 9; 1 candidate goes to another one" in told.err
    trials = counted(journal())
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3
    assert trials[0].number == first.number
    assert [trial.user_attrs.get(RETRY, 0) for trial in trials].count(0) < 3, "the killed one was tried again"

    found = json.loads(told.out)
    assert found["best"] in found["front"]
    assert found["best"]["size_kb"] <= 12
    made = bundle.read(found["bundle"])
    assert made.manifest.name == FOUND
    assert made.device_bytes <= 12_000
    numbers = {point["number"] for point in found["front"]}
    assert {path.name for path in (searched() / "front").iterdir()} == {f"candidate_{n}.py" for n in numbers}
    for number in numbers:
        assert find(str(searched() / f"front/candidate_{number}.py")).name == f"{FOUND}_{number}"
    report = json.loads((searched() / "report.json").read_text())
    assert report["command"].startswith("tinyrnn search tiny.py --board pi-zero-2w --budget size_kb=12,")
    assert [promise["kept"] for promise in report["budget"]] == [True, True, True]
    assert "<svg" in Path(found["report"]).read_text()
    built = json.loads(Path(f"runs/{FOUND}/report.json").read_text())
    assert built["command"] == f"tinyrnn build {found['recipe']} --seed 0"

    assert tinyrnn(*command, "--trials", 3)[0] == 0, "all is there: nothing is trained again"
    assert len(counted(journal())) == 3


def test_a_journal_that_was_cut_is_read_to_where_it_is_whole(tmp_path, tinyrnn):
    plan = Plan("tiny.py", "host", "", 1, "runs")
    study = open_study(plan)
    study.enqueue_trial({"hidden": 16})
    path = plan.folder / "study.journal"
    path.write_bytes(path.read_bytes() + b'{"op_code": 4, "wor')
    assert len(open_study(plan).get_trials()) == 1
    open_study(plan).enqueue_trial({"hidden": 24})
    assert len(open_study(plan).get_trials()) == 2


def test_workers_that_cannot_work_end_the_search_with_their_own_words(tinyrnn, monkeypatch):
    monkeypatch.setattr(Crew, "_start", crashing)
    code, _, complaint = tinyrnn("search", "tiny.py", "--trials", 1)
    assert code == 2
    assert complaint == "tinyrnn: a worker could not go on: the loss became nan. All that it said: " + str(
        searched() / "workers/0.log"
    )


def crashing(crew, number):
    with crew._log(number).open("wb") as log:
        return subprocess.Popen([sys.executable, "-c", "import sys; sys.exit('the loss became nan')"], stderr=log)


HELD = "cell=gru,hidden=32,projection=24,channels=4,layers=1,stride=3,rank=0,distillation=0.5,bits=8,sparsity=0.5"


def test_a_search_whose_every_candidate_was_tried_starts_no_further_worker(tinyrnn, monkeypatch):
    plan = Plan("tiny.py", "host", "", 3, "runs")
    told = Console(file=io.StringIO())
    crew = Crew(plan, open_study(plan), 2, told)
    end = [sys.executable, "-c", f"import sys; sys.exit({NOTHING_NEW})"]
    monkeypatch.setattr(Crew, "_start", lambda crew, number: subprocess.Popen(end))
    crew.work()
    assert crew.started == 2
    assert "after 0 of 3 candidates no other one within the budget was found" in told.file.getvalue()


def test_a_database_needs_no_folder_before(tinyrnn):
    held = f"{HELD},block=8x1"
    options = ("--storage", "sqlite:///s.db", "--trials", 3, "--workers", 1, "--quick", "--runs", "new")
    code, _, complaint = tinyrnn("search", "tiny.py", "--board", "pi-5", *options, "--fix", held)
    assert code == 0, complaint
    assert (searched("new") / "plan.json").is_file()
    study = open_study(Plan.from_json((searched("new") / "plan.json").read_text()))
    assert len(counted(study)) == 1, "there is only one point"


@pytest.mark.parametrize("storage", [(), ("--storage", "sqlite:///s.db")])
def test_a_runs_folder_that_cannot_be_is_told_before_a_training(tinyrnn, monkeypatch, storage):
    Path("taken").write_text("a file")
    monkeypatch.setattr("scenarios.search.search.shared", lambda plan: pytest.fail("a teacher is trained"))
    code, _, complaint = tinyrnn("search", "tiny.py", "--board", "pi-5", "--runs", "taken", *storage)
    assert code == 2
    assert complaint.startswith("tinyrnn: the search's folder taken/tiny.search/pi-5-")
    assert complaint.endswith("taken is a file. Expected a folder that can be written to, correct --runs")


def test_the_verb_is_declared():
    assert 'search = "scenarios.search.verb:add_verb"' in (HOUSE / "pyproject.toml").read_text()
