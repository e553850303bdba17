"""What a build is held to: each promise of a budget, from numbers that are given here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch", reason="building needs torch")

from device_runtime.evaluate import FalseAccepts
from scenarios import reporting
from scenarios.keyword_spotting import SCENARIO as KEYWORDS
from scenarios.measure import StageResult, UnknownWords
from scenarios.scenario import Budget
from tones import Folder

FACTS = {"accuracy": 0.95, "accuracy_cold": 0.97, "detection": {"missed_rate": 0.02}}
STAGES = [StageResult(None, 0.0, in_torch) for in_torch in (0.954, 0.951)]


@pytest.fixture
def promises(tmp_path, monkeypatch):
    """The promises of a budget, by name, for a bundle of 30 KB on a device and 310 in all."""
    opened = SimpleNamespace(device_bytes=30_000, size_bytes=310_000)
    monkeypatch.setattr(reporting.bundles, "read", lambda _: opened)

    def of(budget, accepts=None, words=None, facts=FACTS):
        people = Folder(tmp_path, ("talk",), name="people")
        machines = replace(people, name="machines", licence="synthetic (whose output is free)")
        mix = SimpleNamespace(tests=(people,), negatives=(machines,))
        trainings = SimpleNamespace(scenario=SimpleNamespace(budget=budget, mix=mix))
        evaluation = SimpleNamespace(as_dict=lambda: facts)
        measured = SimpleNamespace(evaluation=evaluation, false_accepts=accepts or {}, unknown_words=words or {})
        found = reporting._budget(trainings, Path("any"), STAGES, measured)
        return {promise.what: promise for promise in found}

    return of


def test_the_whole_folder_is_held_to_its_size(promises):
    assert not promises(Budget(40, 0.9))["size of the whole folder"].kept, "300 KB unless a recipe says otherwise"
    assert promises(Budget(40, 0.9, folder_kb=320))["size of the whole folder"].kept


@pytest.mark.parametrize(("warm", "gap", "kept"), [(0.95, 0.02, False), (0.96, 0.01, True), (0.99, 0.0, True)])
def test_warm_may_be_a_little_worse_than_cold_and_better_by_any_amount(promises, warm, gap, kept):
    promise = promises(Budget(40, 0.9), facts={**FACTS, "accuracy": warm})["accuracy, warm below cold"]
    assert (promise.promised, promise.measured, promise.kept) == (0.01, gap, kept)


def test_what_int8_costs_is_measured_by_one_decision(promises):
    promise = promises(Budget(40, 0.9))["loss by int8, both in torch"]
    assert (promise.measured, promise.kept) == (0.003, True), "a promise that is just kept is kept"


def test_false_accepts_are_promised_for_people_not_for_machines(promises):
    accepts = {
        "people": FalseAccepts(0.5, [(Path("a.wav"), "yes")], 10),
        "machines": FalseAccepts(0.1, [(Path("b.wav"), "yes")] * 50, 10),
    }
    promise = promises(Budget(40, 0.9, false_accepts_per_hour=5.0), accepts)["false accepts"]
    assert (promise.measured, promise.kept) == (2.0, True)
    del accepts["people"]
    assert "false accepts" not in promises(Budget(40, 0.9, false_accepts_per_hour=5.0), accepts)


def test_clips_of_other_words_are_a_promise_where_a_recipe_makes_one(promises):
    words = {"people": UnknownWords(100, 1), "machines": UnknownWords(100, 9)}
    promise = promises(Budget(40, 0.9, unknown_triggered=0.04), words=words)["other words that trigger"]
    assert (promise.measured, promise.kept) == (0.05, False)
    assert "other words that trigger" not in promises(Budget(40, 0.9), words=words)
    assert KEYWORDS.budget.unknown_triggered == 0.04


def test_the_decoder_s_window_in_steps_follows_from_the_recipe():
    assert KEYWORDS.window_steps == round(KEYWORDS.decoder.window_ms / 10 / KEYWORDS.student.stride) == 16


def test_a_stage_with_one_training_has_no_number():
    names = ["teacher-0", "teacher-1", "student-7", "pruned", "int8-2"]
    assert reporting._stage_names(names) == ["teacher 1", "teacher 2", "student", "pruned", "int8-2"]
