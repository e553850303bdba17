"""A worker of a search: what it turns down, passes over, trains and ends with."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="searching needs torch")
pytest.importorskip("optuna", reason="a search is Optuna's")
pytest.importorskip("onnxruntime", reason="a bundle is proved on ONNX Runtime")
pytest.importorskip("ai_edge_litert", reason="a bundle is proved on LiteRT")

from optuna.trial import TrialState

import tiny_scenario
from device_runtime.errors import InputError
from scenarios.search.cost import Costs
from scenarios.search.plan import Plan
from scenarios.search.space import own_values
from scenarios.search.study import ACCEPTED, RETRY, open_study, rejected
from scenarios.search.worker import MOST_REJECTED, Worker

HELD = "cell=gru,hidden=32,projection=24,channels=4,layers=1,stride=3,rank=0,distillation=0.5,bits=8,sparsity=0.5"


@pytest.fixture(autouse=True)
def tiny(tmp_path, monkeypatch):
    """A folder with tiny.py, a scenario to be searched."""
    tiny_scenario.as_file(monkeypatch, tmp_path)


def test_a_shape_that_a_method_refuses_is_passed_over(monkeypatch):
    plan = Plan("tiny.py", "pi-zero-2w", "", 1, "runs")
    study = open_study(plan)
    worker = Worker(plan, study, {})
    answers = iter([InputError("the rank is too high"), Costs(9.0, 20.0, 600.0, 28.0)])

    def costs(scenario, with_memory=True):
        answer = next(answers) if with_memory is False else Costs(9.0, 20.0, 600.0, 28.0)
        if isinstance(answer, InputError):
            raise answer
        return answer

    monkeypatch.setattr(worker.meter, "before_training", costs)
    monkeypatch.setattr(worker, "train", lambda trial, values, costs: study.tell(trial, (0.5, 9.0, 600.0)))
    worker.run()
    assert [trial.state for trial in study.get_trials()] == [TrialState.FAIL, TrialState.COMPLETE]
    assert study.get_trials()[0].user_attrs["error"] == "the rank is too high"


def test_a_candidate_over_the_budget_is_told_to_the_sampler_and_not_trained(monkeypatch):
    plan = Plan("tiny.py", "pi-zero-2w", "size_kb=8,step_us=50", 1, "runs")
    study = open_study(plan)
    worker = Worker(plan, study, {})
    costs = iter([Costs(16.0, 20.0, 600.0, 28.0), *[Costs(8.0, 20.0, 600.0, 28.0)] * 2])
    monkeypatch.setattr(worker.meter, "before_training", lambda scenario, with_memory=True: next(costs))
    monkeypatch.setattr(worker, "train", lambda trial, values, costs: study.tell(trial, (0.5, 8.0, 600.0)))
    worker.run()
    rejected, trained = study.get_trials()
    assert (rejected.state, trained.state) == (TrialState.PRUNED, TrialState.COMPLETE)
    assert rejected.constraints == {"size_kb": 1.0, "step_us": -0.6}


def test_after_many_rejections_a_candidate_is_moved_into_the_budget(monkeypatch):
    plan = Plan("tiny.py", "pi-zero-2w", "size_kb=8", 1, "runs")
    study = open_study(plan)
    worker = Worker(plan, study, {})

    def costs(scenario, with_memory=True):
        return Costs(8.0 if scenario.student.hidden == 24 else 9.0, 20.0, 600.0, 28.0)

    inside = own_values(worker.scenario, worker.space) | {"hidden": 24}
    monkeypatch.setattr(worker.meter, "before_training", costs)
    monkeypatch.setattr(worker, "moved_inside", lambda values: inside)
    monkeypatch.setattr(worker, "train", lambda trial, values, costs: study.tell(trial, (0.5, 8.0, 600.0)))
    worker.run()
    assert study.get_trials()[-1].params["hidden"] == 24
    assert len(study.get_trials()) <= MOST_REJECTED + 1


def trained_by(worker, monkeypatch):
    """Which values the worker trains, without any training."""
    trained = []

    def train(trial, values, before):
        trained.append(values)
        worker.study.tell(trial, (0.5, 8.0, 600.0))

    monkeypatch.setattr(
        worker.meter, "before_training", lambda scenario, with_memory=True: Costs(8.0, 20.0, 600.0, 28.0)
    )
    monkeypatch.setattr(worker, "train", train)
    return trained


def test_no_point_of_the_space_is_trained_twice_and_the_search_ends_when_all_were(monkeypatch):
    plan = Plan("tiny.py", "host", "", 40, "runs", fix=HELD)
    worker = Worker(plan, open_study(plan), {})
    trained = trained_by(worker, monkeypatch)
    assert worker.run() is False
    assert sorted(values["block"] for values in trained) == ["16x1", "16x2", "1x1", "8x1", "8x2"]
    assert not rejected(worker.study), "what was tried before is not over the budget"


def test_what_another_worker_trains_is_passed_over(monkeypatch):
    plan = Plan("tiny.py", "host", "", 40, "runs", fix=f"{HELD},block=8x1")
    study = open_study(plan)
    worker = Worker(plan, study, {})
    trained = trained_by(worker, monkeypatch)
    other = study.ask()
    values = own_values(worker.scenario, worker.space)
    other.set_user_attr("values", values)
    late = study.ask()
    assert worker.screen(late, values) is not None, "the other one may yet be over the budget"
    other.set_user_attr(ACCEPTED, True)
    study.tell(late, state=TrialState.FAIL)
    assert worker.screen(study.ask(), values) is None
    assert worker.run() is False
    assert not trained

    study.tell(other, state=TrialState.FAIL)  # as of a worker that was killed
    study.enqueue_trial(values, user_attrs={RETRY: 1})
    assert worker.run() is False
    assert trained == [values], "it is tried again"


def test_of_two_that_accept_the_same_values_at_once_not_both_train(monkeypatch):
    plan = Plan("tiny.py", "host", "", 40, "runs")
    study = open_study(plan)
    worker = Worker(plan, study, {})
    values = own_values(worker.scenario, worker.space)
    own, other = study.ask(), study.ask()
    other.set_user_attr("values", values)

    def costs(scenario, with_memory=True):
        other.set_user_attr(ACCEPTED, True)  # while this one is measured
        return Costs(8.0, 20.0, 600.0, 28.0)

    monkeypatch.setattr(worker.meter, "before_training", costs)
    assert worker.screen(own, values) is None
    assert study.get_trials()[own.number].state == TrialState.PRUNED


def test_a_budget_that_leaves_nothing_new_ends_the_worker(monkeypatch):
    plan = Plan("tiny.py", "host", "size_kb=5", 40, "runs")
    worker = Worker(plan, open_study(plan), {})
    trained = trained_by(worker, monkeypatch)
    monkeypatch.setattr("scenarios.search.worker.MOST_IN_VAIN", 45)
    monkeypatch.setattr(worker, "moved_inside", dict)
    assert worker.run() is False
    assert not trained
    assert len(worker.study.get_trials(states=(TrialState.PRUNED,))) == 45
