"""The whole search: check the budget, train the teachers, let workers try candidates, report and build the best one.

Everything is kept in runs/SCENARIO.search/BOARD,BUDGET-...: interrupt it, start it again, and it goes on where it was.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from rich.console import Console
from rich.markup import escape

from device_runtime import bundle as bundles
from device_runtime.errors import InputError
from scenarios import pipeline
from scenarios.build import find
from scenarios.report import write
from scenarios.report.series_page import render
from scenarios.report_parts import in_words
from scenarios.scenario import Scenario
from scenarios.search import page, reach, recipe
from scenarios.search.cost import Costs, Meter
from scenarios.search.crew import Crew
from scenarios.search.front import Point, chosen, front, within
from scenarios.search.plan import Plan
from scenarios.search.space import FINE, Values, candidate, ladder, size
from scenarios.search.study import bury, counted, open_study, points, rejected
from scenarios.search.worker import shared
from scenarios.training import Trainings

RECORDINGS = "recordings"
"""What is noted with a study: a digest of what its candidates hear."""

FRONT = "front"
"""The folder of the front's recipes, in that of the search."""


@dataclass(frozen=True)
class Found:
    """What a search ends with."""

    best: Point
    front: list[Point]
    recipe: Path
    bundle: Path
    report: Path
    missed: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "recipe": str(self.recipe), "bundle": str(self.bundle), "report": str(self.report)}

    def rows(self) -> list[dict[str, Any]]:
        """The front as a table."""
        return [
            {
                "candidate": f"{point.number}{' (chosen)' if point == self.best else ''}",
                "validation": f"{100 * point.accuracy:.1f} %",
                "KB": f"{point.size_kb:.1f}",
                "us a step": f"{point.step_us:.1f}",
                "us a second": f"{point.second_us:.0f}",
                **point.values,
            }
            for point in self.front
        ]


def run(plan: Plan, workers: int, console: Console, command: str) -> Found:
    """Search and build; InputError before anything is written where the budget excludes everything."""
    scenario, limits, machine = plan.recipe, plan.limits, plan.machine
    space = plan.space(scenario)
    pipeline.look_for_data(scenario)
    meter = Meter(scenario, machine)

    def measure(values: Values) -> Costs:
        return meter.before_training(candidate(scenario, space, values), with_memory=False)

    def with_memory(values: Values) -> Costs:
        return meter.before_training(candidate(scenario, space, values))

    own, *others = ladder(scenario, space)
    first = reach.check(space, own, measure, with_memory, limits)
    fewer = size(space) < plan.trials
    plan = replace(plan, trials=min(size(space), plan.trials))
    study = open_study(plan)
    plan.make_folder()
    console.print(f"[bold]{escape(scenario.title)}[/] for {plan.board}, {escape(str(limits))}", soft_wrap=True)
    if fewer:
        console.print(f"what is not held by --fix leaves {plan.trials} candidates in all: no more are tried")
    bury(study)
    if not study.get_trials(deepcopy=False):
        widest = reach.first_within(ladder(scenario, space, FINE), measure, limits)
        told = [values for values in (first.values, widest, *others) if values is not None]
        for i, values in enumerate(told):  # those over the budget are turned down without a training
            if values not in told[:i]:
                study.enqueue_trial(dict(values))
    elif counted(study):
        console.print(f"going on: {len(counted(study))} candidates were tried before")
    prepared = shared(plan)
    learned, validated = (sum(map(len, copies)) for copies in (prepared.taught, prepared.validation_copies))
    console.print(f"{learned:,} clips to learn from and {validated:,} to validate on are ready for all candidates")
    _same_recordings(study, prepared, plan)
    Crew(plan, study, workers, console).work()

    tried = counted(study)
    full = points(tried, len(plan.rungs.shares) - 1)
    best = chosen(full)
    if best is None:
        raise InputError(
            f"none of {len(tried)} candidates keeps the budget of {limits} once it is trained. Try more: --trials"
        )
    made = recipe.found(scenario, candidate(scenario, space, best.values), plan.board, limits)
    stairs = front(within(full))
    recipes = [(p, recipe.found(scenario, candidate(scenario, space, p.values), plan.board, limits)) for p in stairs]
    recipe.write_front(plan.folder / FRONT, recipes, plan.scenario, plan.typed, command)
    path = plan.folder / f"{made.name}.py"
    path.write_text(recipe.source(plan.scenario, plan.typed, made, best, command))
    console.print(f"building candidate {best.number}: {path}", soft_wrap=True)
    built: Any = find(str(path))
    result = pipeline.run(built, Path(plan.runs), console)
    measured = of_bundle(result.bundle, built, meter)
    kept = page.promises(plan, measured)
    content = page.content(plan, points(tried), best, went(study, plan), measured, command)
    report, _ = write(content, plan.folder, render)
    over = tuple(in_words(promise) for promise in kept if not promise.kept and promise.what != "size_kb")
    return Found(best, stairs, path, result.bundle, report, (*result.missed, *over))


def _same_recordings(study: optuna.Study, prepared: Trainings, plan: Plan) -> None:
    """InputError where candidates of before were trained on, or compared by, other recordings in the same folders."""
    now = f"{prepared.train.content} {prepared.validation.content}"
    if study.user_attrs.get(RECORDINGS, now) != now:
        raise InputError(
            f"the candidates of {plan.folder} were trained on other recordings than those that are there now, so new "
            "ones cannot be compared with them. Put those recordings back, or begin anew with another --runs or "
            "--storage, or another --seed."
        )
    study.set_user_attr(RECORDINGS, now)


def of_bundle(path: Path, scenario: Scenario, meter: Meter) -> dict[str, Any]:
    """What the finished bundle costs, and its accuracy on the test split."""
    opened = bundles.read(path)
    costs = meter.costs(scenario, opened.model)
    size_kb = opened.device_bytes / 1000  # with its own thresholds
    return {**costs.as_dict(), "size_kb": size_kb, "accuracy": opened.manifest.card["evaluation"]["accuracy"]}


def went(study: optuna.Study, plan: Plan) -> page.Went:
    """How the search went."""
    by_state = dict.fromkeys(TrialState, 0)
    for trial in study.get_trials(deepcopy=False):
        by_state[trial.state] += 1
    return page.Went(
        trained=by_state[TrialState.COMPLETE],
        to_the_end=len(points(counted(study), len(plan.rungs.shares) - 1)),
        rejected=len(rejected(study)),
        failed=by_state[TrialState.FAIL],
    )
