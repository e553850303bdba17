"""The parts of a search: budgets, dimensions, the front, who goes on, and the recipe that is written."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="searching needs torch")
pytest.importorskip("optuna", reason="a search is Optuna's")

import tiny_scenario
from compress.lowrank import LowRank
from compress.prune import Prune
from compress.quantize import Int8
from compress.ranks import Fixed
from device_runtime import bundle
from device_runtime.errors import EngineError, InputError
from device_runtime.session import Session
from models import NATIVE, write_tiny_bundle
from processes import HOUSE
from scenarios.arabic_commands import SCENARIO as ARABIC
from scenarios.build import find
from scenarios.demo import SCENARIO as DEMO
from scenarios.search import reach, recipe
from scenarios.search.boards import Here, machine
from scenarios.search.cost import Costs, Meter
from scenarios.search.front import Point, chosen, front, goes_on, within
from scenarios.search.limits import Limits
from scenarios.search.plan import Plan
from scenarios.search.rungs import shortened
from scenarios.search.space import FINE, Choice, candidate, fixed, ladder, own_values, size, speech, untried
from train.loop import Schedule


def point(number, accuracy, size_kb, second_us=100.0, **more):
    values = {"hidden": 16}
    return Point(number, values, accuracy, size_kb, 10.0, second_us, 28.0, **{"rung": 0, **more})


def test_a_budget_is_read_as_it_was_typed():
    assert Limits.parse(" size_kb=20, step_us=50,memory_mb=30 ") == Limits(20, 50, 30)
    assert Limits.parse("step_us=7.5").given == {"step_us": 7.5}
    assert str(Limits()) == "nothing"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("size=20", "--budget does not know 'size' (did you mean size_kb?). It takes: size_kb, step_us, memory_mb."),
        ("zzz=20", "--budget does not know 'zzz'. It takes: size_kb, step_us, memory_mb."),
        ("size_kb", "--budget got 'size_kb', expected a limit and its number. For example: size_kb=20,"),
        ("size_kb=-3", "--budget got size_kb=-3, expected a number above 0. For example: size_kb=20,"),
        ("size_kb=0", "--budget got size_kb=0, expected a number above 0."),
        ("size_kb=many", "--budget got size_kb=many, expected a number above 0."),
        ("step_us=inf", "--budget got step_us=inf, expected a number above 0."),
        ("step_us=nan", "--budget got step_us=nan, expected a number above 0."),
        ("size_kb=1,size_kb=2", "--budget has size_kb twice. Give each limit once, for example: size_kb=20,"),
        (" , ", "--budget got ' , ', expected one limit or more. For example: size_kb=20,"),
    ],
)
def test_a_budget_that_cannot_be_is_one_clear_line(typed, told):
    with pytest.raises(InputError) as error:
        Limits.parse(typed)
    assert told in str(error.value)


def test_what_a_budget_is_exceeded_by():
    limits = Limits(size_kb=20, memory_mb=30)
    assert limits.excess({"size_kb": 25.0, "step_us": 1e9, "memory_mb": 15.0}) == {"size_kb": 0.25, "memory_mb": -0.5}
    assert limits.total_excess({"size_kb": 25.0, "step_us": 1e9, "memory_mb": 15.0}) == 0.25
    assert limits.total_excess({"size_kb": 1.0, "step_us": 1e9, "memory_mb": math.nan}) == 0


def test_every_value_of_every_dimension_makes_another_scenario():
    for scenario in (DEMO, ARABIC):
        space = speech(scenario)
        own = {**own_values(scenario, space), "hidden": 64, "projection": 64}  # ranks need room
        for dimension in space:
            made = {repr(candidate(scenario, space, {**own, dimension.name: value})) for value in dimension.values}
            assert len(made) == len(dimension.values) > 1, dimension.name


def test_the_own_point_of_a_scenario_is_its_recipe_where_that_is_on_the_grid():
    space = speech(DEMO)
    own = own_values(DEMO, space)
    assert (own["hidden"], own["block"]) == (48, "8x2")
    assert candidate(DEMO, space, own) == DEMO
    assert own_values(ARABIC, speech(ARABIC))["sparsity"] == 0.65


def test_a_recipe_that_does_not_prune_has_no_dimensions_of_pruning():
    names = [dimension.name for dimension in speech(replace(DEMO, compress=(Int8(),)))]
    assert "hidden" in names
    assert "sparsity" not in names


def test_a_rank_is_no_higher_than_the_smallest_matrix_has():
    space = speech(DEMO)
    made = candidate(DEMO, space, {**own_values(DEMO, space), "rank": 48, "hidden": 64, "projection": 24})
    assert made.compress[0] == LowRank(Fixed(24), epochs=4)
    assert made.compress[1:] == DEMO.compress
    assert own_values(made, space)["rank"] == 24
    assert candidate(made, space, {**own_values(made, space), "rank": 0}).compress == DEMO.compress


def test_what_is_fixed_is_not_searched():
    space = fixed(speech(DEMO), "stride=4, sparsity=0.5,block=16x1")
    held = {dimension.name: dimension.values for dimension in space}
    assert (held["stride"], held["sparsity"], held["block"]) == ((4,), (0.5,), ("16x1",))
    assert len(held["hidden"]) > 1
    assert candidate(DEMO, space, own_values(DEMO, space)).student.stride == 4


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("stride", "--fix got 'stride', expected a dimension and its value. For example: stride=3,block=8x1"),
        ("strid=3", "--fix does not know 'strid' (did you mean stride?). It takes: cell, hidden, "),
        ("bits=3", "--fix got bits=3, which is not searched. Choose one of: 8, 4, 4-log."),
        ("stride=7", "--fix got stride=7, which is not searched. Choose one of: 2, 3, 4, 5."),
    ],
)
def test_what_cannot_be_fixed_is_one_clear_line(typed, told):
    with pytest.raises(InputError) as error:
        fixed(speech(DEMO), typed)
    assert told in str(error.value)


def test_the_front_holds_who_is_not_beaten_in_everything():
    small, large, beaten, slow = point(0, 0.8, 5), point(1, 0.9, 9), point(2, 0.7, 6), point(3, 0.8, 5, 200.0)
    assert front([large, beaten, slow, small]) == [small, large]
    assert small.dominates(slow)
    assert not small.dominates(point(9, 0.8, 5))


def test_a_search_begins_with_the_recipe_at_several_widths():
    space = speech(ARABIC)
    first, *others = ladder(ARABIC, space)
    assert first == own_values(ARABIC, space)
    assert [rung["hidden"] for rung in others] == [48, 64, 88, 160], "the widest two are as wide as the space"
    assert all(rung.keys() == first.keys() for rung in others)
    assert {d for rung in others for d in rung if rung[d] != first[d]} == {"hidden", "projection", "channels"}
    held = fixed(space, "hidden=64,projection=40,channels=24")
    assert ladder(ARABIC, held) == [own_values(ARABIC, held)], "what is held is not varied, and nothing is tried twice"


def test_the_widest_student_within_the_budget_is_among_the_first():
    space = speech(ARABIC)
    rungs = ladder(ARABIC, space, FINE)
    assert [rungs[0]["hidden"], rungs[-1]["hidden"]] == [160, 40], "from the widest to the narrowest"
    sizes = iter([60.0, 19.9, 19.0, 12.0])  # the second may not fit any more once it is trained

    def measure(values):
        return Costs(next(sizes), 10.0, 300.0, float("nan"))  # memory is not measured for each

    assert reach.first_within(rungs, measure, Limits(size_kb=20, memory_mb=30)) == rungs[2]
    assert reach.first_within(rungs[:2], lambda values: Costs(60.0, 10.0, 300.0, 20.0), Limits(size_kb=20)) is None


def test_the_most_accurate_within_the_budget_is_chosen_and_of_equals_the_smallest():
    over = point(0, 0.99, 30, keeps=False)
    assert chosen([over, point(1, 0.9, 9), point(2, 0.9, 8)]) == point(2, 0.9, 8)
    assert chosen([over]) is None
    fast, slow = point(1, 0.9, 8, 100.0), point(2, 0.9, 8, 200.0)
    assert chosen([slow, fast]) == fast


def test_what_exceeds_the_budget_once_it_is_trained_is_no_part_of_the_front_and_hides_nothing():
    over, kept = point(1, 0.95, 10, 170.0, keeps=False), point(2, 0.94, 10.5, 225.0)
    assert front(within([over, kept])) == [kept] == [chosen([over, kept])]


def test_a_small_candidate_goes_on_beside_better_large_ones():
    large = [point(i, 0.9 + i / 100, 50 + i) for i in range(5)]
    assert goes_on(point(9, 0.5, 5), large, keep=0.5)
    assert not goes_on(point(9, 0.5, 80), large, keep=0.5)
    assert goes_on(point(9, 0.1, 80), [], keep=0.5), "the first one always does"


def test_a_method_is_shortened_by_the_share_and_never_to_nothing():
    assert shortened(Prune(sparsity=0.5, epochs=40), 0.25) == Prune(sparsity=0.5, epochs=10)
    assert shortened(Int8(epochs=2), 0.125) == Int8(epochs=1)
    assert shortened(Int8(epochs=0), 0.125) == Int8(epochs=0)
    assert shortened(Unhurried(), 0.125) == Unhurried()


class Unhurried:
    """A method without epochs."""

    name = "unhurried"

    def apply(self, student, bench):
        return student

    def __eq__(self, other):
        return isinstance(other, Unhurried)

    __hash__ = None


@pytest.mark.parametrize("typed", ["demo", "own.py"])
def test_the_recipe_that_is_written_builds_the_chosen_candidate(tmp_path, monkeypatch, typed):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text("from scenarios.demo import SCENARIO\n")
    base = find(typed)
    space = speech(base)
    values = {**own_values(base, space), "hidden": 24, "block": "16x1", "sparsity": 0.6, "bits": "4-log"}
    limits = Limits(size_kb=12)
    scenario = recipe.found(base, candidate(base, space, values), "pi-zero-2w", limits)
    scenario = replace(scenario, schedule=Schedule(epochs=9))
    text = recipe.source(typed, base, scenario, point(7, 0.9, 11.5), "tinyrnn search demo")
    Path("found.py").write_text(text)
    assert find("found.py") == replace(scenario, typed="found.py")
    assert scenario.name == "demo_pi_zero_2w_12kb"
    assert "# Candidate 7, after its short training: 90.0 % on the validation split, 11.5 KB, 10.0 us a step." in text
    assert "student=replace(BASE.student, hidden=24)" in text
    assert "Int8(epochs=2, weights=PowersOfTwo())" in text


def test_the_recipe_that_is_written_has_the_seed_of_the_search(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = Plan("demo", "host", "", 1, "runs", seed=7)
    assert (plan.typed.seed, plan.recipe.seed) == (0, 7)
    made = recipe.found(plan.recipe, plan.recipe, "host", plan.limits)
    Path("found.py").write_text(recipe.source("demo", plan.typed, made, point(7, 0.9, 11.5), "tinyrnn search demo"))
    assert find("found.py").seed == 7


def test_a_smaller_bundle_promises_no_accuracy_and_one_as_large_promises_the_same():
    assert recipe.found(DEMO, DEMO, "host", Limits(size_kb=19)).budget == replace(DEMO.budget, size_kb=19, accuracy=0)
    assert recipe.found(DEMO, DEMO, "host", Limits(size_kb=25)).budget == replace(DEMO.budget, size_kb=25)
    assert recipe.found(DEMO, DEMO, "host", Limits()).budget == DEMO.budget


def test_more_trials_of_the_same_search_are_one_study_and_another_budget_is_another():
    plan = Plan("demo", "pi-5", "size_kb=20", 10, "runs")
    assert plan.study_name == replace(plan, trials=20, runs="elsewhere", storage="sqlite://").study_name
    others = {replace(plan, budget="size_kb=21"), replace(plan, seed=1), replace(plan, quick=True)}
    assert len({plan.study_name, *(other.study_name for other in others)}) == 4
    assert Plan.from_json(plan.to_json()) == plan


def test_each_search_has_a_folder_of_its_own():
    plan = Plan("demo", "pi-5", "size_kb=20", 10, "runs")
    others = [replace(plan, budget="size_kb=21"), replace(plan, board="pi-4"), replace(plan, quick=True)]
    others += [replace(plan, fix="stride=3, block=8x1"), replace(plan, seed=1), replace(plan, budget="")]
    folders = [other.folder for other in (plan, *others)]
    assert len(set(folders)) == 7
    assert {folder.parent for folder in folders} == {Path("runs/demo.search")}
    told = [folder.name.rpartition("-")[0] for folder in folders]
    assert told[0] == "pi-5,size_kb=20"
    assert told[4] == "pi-5,size_kb=20,stride=3,block=8x1"
    assert told[5:] == ["pi-5,size_kb=20,seed=1", "pi-5"]
    assert replace(plan, trials=99).folder == plan.folder, "it goes on"


def test_the_points_of_a_space_that_were_not_tried():
    held = "cell=gru,hidden=32,projection=24,channels=4,layers=1,stride=3,rank=0,distillation=0.5,bits=8,sparsity=0.5"
    space = fixed(speech(DEMO), held)
    assert size(space) == 5
    tried = [{**own_values(DEMO, space), "block": block} for block in ("1x1", "8x2", "16x1", "16x2")]
    assert untried(space, tried) == {**tried[0], "block": "8x1"}
    assert untried(space, [*tried, {**tried[0], "block": "8x1"}]) is None


def test_this_machine_is_timed_by_its_native_engine_and_by_no_other(tmp_path):
    write_tiny_bundle(tmp_path / "tiny.bundle")
    with pytest.raises(EngineError, match=r"^the native engine is not built here, so that its steps cannot be timed\."):
        Here().step_us(Session.open(tmp_path / "tiny.bundle", "reference"))
    if NATIVE:
        assert 0 < Here().step_us(Session.open(tmp_path / "tiny.bundle", "native")) < 1e6


def test_every_corner_of_the_space_is_a_bundle_whose_costs_can_be_measured(tmp_path):
    scenario = tiny_scenario.recipe(tmp_path)
    space, meter = speech(scenario), Meter(scenario, machine("pi-zero-2w"))
    own = {**own_values(scenario, space), "rank": 8}
    for dimension in space:
        ends = dimension.values if isinstance(dimension, Choice) else (dimension.values[0], dimension.values[-1])
        for value in ends:
            costs = meter.before_training(candidate(scenario, space, {**own, dimension.name: value}), with_memory=False)
            assert 2 < costs.size_kb < 200, (dimension.name, value)
            assert costs.second_us > 10 * costs.step_us


def test_bytes_before_training_are_those_of_a_trained_bundle():
    """Of the shipped demo, whose weights were trained."""
    trained = bundle.read(HOUSE / "scenarios" / "bundles" / "demo.bundle")
    meter = Meter(DEMO, machine("pi-zero-2w"))
    before, after = meter.before_training(DEMO, with_memory=False), meter.costs(DEMO, trained.model, with_memory=False)
    assert before.size_kb == pytest.approx(after.size_kb, rel=0.03)
    assert before.step_us == pytest.approx(after.step_us, rel=0.03)


def test_the_tiny_scenario_is_searched_like_the_others(tmp_path):
    assert {d.name for d in speech(tiny_scenario.recipe(tmp_path))} == {d.name for d in speech(DEMO)}
