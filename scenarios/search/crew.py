"""The processes that try candidates: started, watched, replaced where one died, and ended with the search."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from device_runtime.errors import InputError
from scenarios.search.plan import WORKERS, Plan
from scenarios.search.study import bury, counted, points, rejected

LOOK_EVERY_S = 0.5
NOTHING_NEW = 3
"""What a worker ends with that found no candidate that was not tried before."""

MOST_DEATHS = 5
"""Of workers, until something is wrong with more than one of them."""


@dataclass
class Crew:
    """Workers of this machine on one study."""

    plan: Plan
    study: optuna.Study
    workers: int
    console: Console
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    started: int = 0
    deaths: int = 0
    told: set[int] = field(default_factory=set)
    spent: bool = False
    """A worker found nothing new."""

    def work(self) -> None:
        """Until the study has enough candidates; InputError with a worker's own words where none can work."""
        folder = self.plan.folder
        part = folder / f"plan.{os.getpid()}.part"
        part.touch(mode=0o600)  # it may hold the password of a database
        part.write_text(self.plan.to_json())
        part.replace(folder / "plan.json")  # whole, whoever reads it now
        self.told = {trial.number for trial in self._done()}
        try:
            with self._progress() as progress:
                task = progress.add_task("candidates", total=self.plan.trials, note="")
                while self._look_after() or not (self.spent or len(self._done()) >= self.plan.trials):
                    self._tell(progress.console)
                    progress.update(task, completed=len(self._done()), note=self._note())
                    time.sleep(LOOK_EVERY_S)
                self._tell(progress.console)
                progress.update(task, completed=len(self._done()), note=self._note())
        finally:
            for process in self.running.values():
                process.kill()
                process.wait()
            bury(self.study)

    def _look_after(self) -> bool:
        """Replace who died, and start who is missing; whether anybody works."""
        for number, process in list(self.running.items()):
            if process.poll() is not None:
                del self.running[number]
                self._died(number, process.returncode)
        if not self.running:
            bury(self.study)  # of other machines, too: nobody here is left to wait for them
        wanted = min(self.workers, self.plan.trials - len(counted(self.study)) + len(self.running))
        while len(self.running) < wanted and not self.spent:
            self.running[self.started] = self._start(self.started)
            self.started += 1
        return bool(self.running)

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "scenarios.search.worker", str(self.plan.folder / "plan.json"), str(number)]
        with self._log(number).open("wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def _log(self, number: int) -> Path:
        return self.plan.folder / WORKERS / f"{number}.log"

    def _died(self, number: int, code: int) -> None:
        if code == 0:
            return
        if code == NOTHING_NEW:
            self._tell_spent()
            return
        said = self._log(number).read_text(errors="replace").strip().splitlines()
        why = said[-1] if said else f"it ended with {code}"
        if code > 0:
            raise InputError(f"a worker could not go on: {why}. All that it said: {self._log(number)}")
        self.deaths += 1
        self.spent = False  # what it trained is to be tried again
        if self.deaths == MOST_DEATHS:
            raise InputError(
                f"{MOST_DEATHS} workers were killed, the last one by signal {-code}. Is there enough memory for "
                f"{self.workers} of them? Fewer: --workers"
            )
        again = bury(self.study)
        self.console.print(f"worker {number} was killed by signal {-code}; {again} candidate goes to another one")

    def _tell_spent(self) -> None:
        if not self.spent:
            tried = f"{len(counted(self.study))} of {self.plan.trials}"
            self.console.print(f"after {tried} candidates no other one within the budget was found: no more are tried")
        self.spent = True

    def _done(self) -> list[FrozenTrial]:
        return [trial for trial in counted(self.study) if trial.state == TrialState.COMPLETE]

    def _tell(self, console: Console) -> None:
        """A line for each candidate that was finished since."""
        for trial in self._done():
            if trial.number not in self.told:
                self.told.add(trial.number)
                (point,) = points([trial])
                console.print(
                    f"candidate {point.number}: {100 * point.accuracy:.1f} % at {point.size_kb:.1f} KB, "
                    f"{point.step_us:.1f} us a step, rung {point.rung + 1} of {len(self.plan.rungs.shares)}",
                    markup=False,
                )

    def _note(self) -> str:
        best = max((point.accuracy for point in points(self._done())), default=0.0)
        return f"best {100 * best:.1f} %, {len(rejected(self.study))} rejected untrained"

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
        )
