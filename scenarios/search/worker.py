"""One worker of a search: asks the study for candidates, rejects those over the budget, trains the others.

`python -m scenarios.search.worker PLAN.json NUMBER`; started by `tinyrnn search`, as many as it was told.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from device_runtime.errors import InputError, TinyRnnError
from scenarios.pipeline import TEACHERS
from scenarios.scenario import Scenario
from scenarios.search.cost import Costs, Meter
from scenarios.search.crew import NOTHING_NEW
from scenarios.search.front import Point, goes_on
from scenarios.search.plan import Plan
from scenarios.search.reach import nearest
from scenarios.search.space import Value, Values, candidate, size, untried
from scenarios.search.study import ACCEPTED, AGAIN, ERROR, HEARD, WORKER, alive, counted, known, open_study, points
from scenarios.training import Trainings
from train.data.cache import cache_folder

MOST_REJECTED = 20
"""In a row, before the last one is moved to where the budget is kept."""

MOST_IN_VAIN = 15 * MOST_REJECTED
"""Candidates in a row that were over the budget or tried before, until there seems to be no other."""

MOST_ERRORS = 3
"""Trainings that failed in this worker."""

HEARD_EVERY_S = 60


def shared(plan: Plan) -> Trainings:
    """The data, the teachers and their answers: the same for all candidates."""
    return Trainings(plan.recipe, plan.folder, cache_folder() / "features", Path(plan.runs) / TEACHERS)


@dataclass
class Worker:
    """Tries candidates until the study has enough."""

    plan: Plan
    study: optuna.Study
    noted: dict[str, Any]

    def __post_init__(self) -> None:
        self.failed: list[Values] = []
        self.scenario, self.limits, self.rungs = self.plan.recipe, self.plan.limits, self.plan.rungs
        self.space = self.plan.space(self.scenario)
        self.meter = Meter(self.scenario, self.plan.machine)
        self.base = shared(self.plan)

    def run(self) -> bool:
        """Until enough candidates were trained, or the search that started this worker is gone; False: none is left."""
        rejected = 0
        search = os.getppid()
        while len(counted(self.study)) < self.plan.trials and os.getppid() == search:
            if rejected == MOST_IN_VAIN or untried(self.space, self.known()) is None:
                return False
            trial = self.study.ask()
            try:
                rejected = 0 if self.tried(trial) else rejected + 1
            except UpdateFinishedTrialError:  # taken for dead, as after a sleep of the machine: others try it again
                continue
            if rejected and rejected % MOST_REJECTED == 0:
                self.study.enqueue_trial(self.another(trial.user_attrs["values"]))
        return True

    def tried(self, trial: Trial) -> bool:
        """Screen the candidate and train it; False where its costs, or what was tried before, are against that."""
        trial.set_user_attr(WORKER, self.noted)
        values = {dimension.name: dimension.suggest(trial) for dimension in self.space}
        trial.set_user_attr("values", values)
        try:
            costs = self.screen(trial, values)
        except InputError as error:  # methods that do not go together, or not with this shape
            trial.set_user_attr(ERROR, str(error))
            self.study.tell(trial, state=TrialState.FAIL)
            return False
        if costs is None:
            return False
        try:
            self.train(trial, values, costs)
        except TinyRnnError as error:
            trial.set_user_attr(ERROR, str(error))
            self.study.tell(trial, state=TrialState.FAIL)
            self.failed.append(values)
            if len(self.failed) in (MOST_ERRORS, size(self.space)):
                raise
        return True

    def screen(self, trial: Trial, values: dict[str, Value]) -> Costs | None:
        """What the candidate costs before it is trained; None where that is too much, it was tried or is one too many.

        Of two workers with equal values at most one trains them: each tells first and looks then.
        """
        if self.is_tried(trial, values):
            self.pass_over(trial)
            return None
        scenario = candidate(self.scenario, self.space, values)
        costs = self.meter.before_training(scenario, with_memory=False)
        excess = self.limits.excess(costs.as_dict())
        if self.limits.total_excess(costs.as_dict()) == 0:
            costs = self.meter.before_training(scenario)
            excess = self.limits.excess(costs.as_dict())
        if any(share > 0 for share in excess.values()):
            for name, share in excess.items():
                if share == share:  # memory is not measured where something else is too much
                    trial.set_constraint(name, share)
            self.study.tell(trial, state=TrialState.PRUNED)
            return None
        trial.set_user_attr(ACCEPTED, True)
        if self.is_tried(trial, values):
            self.pass_over(trial)
            time.sleep(random.SystemRandom().random())  # the other may make way, too: not at one moment again
            return None
        if len(counted(self.study)) > self.plan.trials:
            self.study.tell(trial, state=TrialState.FAIL)
            return None
        return costs

    def is_tried(self, trial: Trial, values: Values) -> bool:
        """Whether another one with these values was trained, is in training or failed here."""
        others = [other for other in counted(self.study) if other.number != trial.number]
        return values in self.failed or any(other.user_attrs.get("values") == values for other in others)

    def pass_over(self, trial: Trial) -> None:
        """It was tried before."""
        trial.set_user_attr(AGAIN, True)
        self.study.tell(trial, state=TrialState.PRUNED)

    def known(self) -> list[Values]:
        """Points that need not be tried."""
        return [*known(self.study), *self.failed]

    def another(self, values: dict[str, Value]) -> dict[str, Value]:
        """A point within the budget near these values; where that was tried, the first one that was not."""
        inside = self.moved_inside(values)
        tried = self.known()
        return inside if inside not in tried else untried(self.space, tried) or inside

    def moved_inside(self, values: dict[str, Value]) -> dict[str, Value]:
        """A point within the budget near these values."""

        def measure(there: Values) -> Costs:
            return self.meter.before_training(candidate(self.scenario, self.space, there), with_memory=False)

        return nearest(self.space, values, measure, self.limits).values

    def train(self, trial: Trial, values: dict[str, Value], before: Costs) -> None:
        """Rung by rung, as long as it is promising."""
        scenario = candidate(self.scenario, self.space, values)
        digest = hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]
        home = self.plan.folder / "trials" / digest
        trainings = self.sharing(self.rungs.first(scenario), home)
        point: Point | None = None
        with heard_of(trial, self.plan):
            for rung, (accuracy, student) in enumerate(self.rungs.climb(scenario, trainings)):
                costs = self.meter.costs(scenario, student.model(), with_memory=False)
                told = {**costs.as_dict(), "memory_mb": before.memory_mb}
                excess = self.limits.excess(told)
                keeps = all(share <= 0 for share in excess.values())
                noted: dict[str, Any] = {"accuracy": accuracy, "rung": rung, "keeps": keeps, **told}
                trial.set_user_attr(f"rung{rung}", noted)
                point = Point(number=trial.number, values=values, **noted)
                others = [other for other in counted(self.study) if other.number != trial.number]
                if not goes_on(point, points(others, rung), self.rungs.keep):
                    break
        assert point is not None  # there is at least one rung
        for name, share in excess.items():
            trial.set_constraint(name, share)
        self.study.tell(trial, (point.accuracy, point.size_kb, point.second_us))
        shutil.rmtree(home, ignore_errors=True)  # checkpoints, to go on from had it been interrupted

    def sharing(self, scenario: Scenario, home: Path) -> Trainings:
        """Trainings of a candidate on the data and with the teachers of all."""
        made = Trainings(scenario, home, self.base.cache, self.base.teacher_folder)
        made.copies, made.validation_copies = self.base.copies, self.base.validation_copies
        made.teachers, made.taught = self.base.teachers, self.base.taught
        return made


@contextmanager
def heard_of(trial: Trial, plan: Plan) -> Iterator[None]:
    """In a database note now and then that this worker lives: other machines cannot see its lock."""
    done = threading.Event()

    def note() -> None:
        with suppress(UpdateFinishedTrialError):  # taken for dead: whoever trains it will find out
            trial.set_user_attr(HEARD, time.time())
            while not done.wait(HEARD_EVERY_S):
                trial.set_user_attr(HEARD, time.time())

    thread = threading.Thread(target=note, daemon=True)
    if plan.storage is not None:
        thread.start()
    try:
        yield
    finally:
        done.set()
        if thread.is_alive():
            thread.join()


def main(path: str, number: str) -> int:
    """Work; 2 and one line on stderr where that cannot be done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the search, which ends its workers
    torch.set_num_threads(1)
    plan = Plan.from_json(Path(path).read_text())
    try:
        with alive(plan.folder) as noted:
            tried = open_study(plan).get_trials(deepcopy=False)
            seed = plan.recipe.seed * 100_003 + 1009 * int(number) + len(tried)
            found = Worker(plan, open_study(plan, seed % 2**32), noted).run()
    except TinyRnnError as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return error.exit_code
    return 0 if found else NOTHING_NEW


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
