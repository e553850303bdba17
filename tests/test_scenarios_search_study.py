"""The study of a search: whose worker is dead, what several machines share, and what a database says."""

from __future__ import annotations

import os
import sqlite3
import time

import pytest

pytest.importorskip("torch", reason="searching needs torch")
pytest.importorskip("optuna", reason="a search is Optuna's")
pytest.importorskip("onnxruntime", reason="a bundle is proved on ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="a bundle is proved on LiteRT")

from optuna.trial import TrialState

import tiny_scenario
from device_runtime.errors import InputError
from scenarios.search import search
from scenarios.search.cost import Costs
from scenarios.search.plan import Plan
from scenarios.search.study import RETRY, WORKER, bury, open_study, without_password
from scenarios.search.worker import Worker

DATABASE = "sqlite:///search.db"


@pytest.fixture(autouse=True)
def tiny(tmp_path, monkeypatch):
    """A folder with tiny.py, a scenario to be searched."""
    tiny_scenario.as_file(monkeypatch, tmp_path)


def elsewhere(study):
    """A candidate that a worker on another machine has just asked for."""
    trial = study.ask()
    trial.suggest_int("hidden", 8, 160, step=8)
    trial.set_user_attr(WORKER, {"lock": "nowhere", "host": "elsewhere", "pid": 1})
    return trial


def test_a_candidate_that_kills_its_workers_is_given_up():
    study = open_study(Plan("tiny.py", "host", "", 1, "runs"))
    study.enqueue_trial({"hidden": 16})
    for _ in range(5):
        trial = study.ask()
        trial.suggest_int("hidden", 8, 160, step=8)
        trial.set_user_attr(WORKER, {"lock": "nowhere", "host": os.uname().nodename, "pid": 1})
        assert bury(study) == 1
        assert bury(study) == 0
        if not study.get_trials(states=(TrialState.WAITING,)):
            break
    assert [trial.user_attrs.get(RETRY, 0) for trial in study.get_trials()] == [0, 1, 2]


def test_a_worker_of_another_machine_is_dead_when_it_was_not_heard_of_for_long():
    study = open_study(Plan("tiny.py", "host", "", 1, "runs", storage=DATABASE))
    for heard in (time.time(), time.time() - 3600):
        trial = study.ask()
        trial.set_user_attr(WORKER, {"lock": "nowhere", "host": "elsewhere", "pid": 1})
        trial.set_user_attr("heard", heard)
    assert bury(study) == 1
    assert [trial.state for trial in study.get_trials()] == [TrialState.RUNNING, TrialState.FAIL]


def test_a_worker_of_another_machine_lives_while_it_screens_what_it_has_asked_for():
    study = open_study(Plan("tiny.py", "host", "", 1, "runs", storage=DATABASE))
    trial = elsewhere(study)
    assert bury(study) == 0
    trial.set_user_attr("accepted", True)


def test_a_candidate_that_two_searches_bury_at_once_is_given_to_others_once(monkeypatch):
    study = open_study(Plan("tiny.py", "host", "", 1, "runs", storage=DATABASE))
    elsewhere(study).set_user_attr("heard", time.time() - 3600)
    tell = study.tell

    def late(number, state):
        tell(number, state=state)  # the other search was faster
        tell(number, state=state)

    monkeypatch.setattr(study, "tell", late)
    assert bury(study) == 0
    assert [trial.state for trial in study.get_trials()] == [TrialState.FAIL]


def test_a_worker_that_was_taken_for_dead_goes_on_with_another_candidate(monkeypatch):
    plan = Plan("tiny.py", "host", "", 1, "runs")
    study = open_study(plan)
    worker = Worker(plan, study, {"lock": "nowhere", "host": os.uname().nodename, "pid": 1})
    first = []

    def costs(scenario, with_memory=True):
        if not first:
            first.append(bury(study))
        return Costs(9.0, 20.0, 600.0, 28.0)

    monkeypatch.setattr(worker.meter, "before_training", costs)
    monkeypatch.setattr(worker, "train", lambda trial, values, costs: study.tell(trial, (0.5, 9.0, 600.0)))
    assert worker.run()
    assert first == [1]
    assert [trial.state for trial in study.get_trials()] == [TrialState.FAIL, TrialState.COMPLETE]


def test_a_database_that_cannot_be_written_is_one_clear_line(tmp_path):
    with sqlite3.connect(tmp_path / "theirs.db") as made:
        made.execute("create table studies (name text)")
    url = "sqlite:///file:theirs.db?mode=ro&uri=true"
    with pytest.raises(InputError, match=r"^--storage sqlite:///file:theirs.db cannot be used: ") as error:
        open_study(Plan("tiny.py", "host", "", 1, "runs", storage=url))
    assert "\n" not in str(error.value)


def test_passwords_are_not_told():
    assert without_password("postgresql://me:secret@host/db") == "postgresql://me@host/db"
    assert without_password("postgresql://host/db?user=me&password=secret") == "postgresql://host/db"
    assert without_password("sqlite:///search.db") == "sqlite:///search.db"


def test_a_search_does_not_go_on_with_other_recordings_in_the_same_folders(tmp_path):
    plan = Plan("tiny.py", "host", "", 1, "runs")
    study, heard = open_study(plan), search.shared(plan)
    search._same_recordings(study, heard, plan)
    search._same_recordings(open_study(plan), heard, plan)
    heard.train.__dict__["content"] = "others"
    with pytest.raises(InputError, match="were trained on other recordings than those that are there now"):
        search._same_recordings(open_study(plan), heard, plan)
