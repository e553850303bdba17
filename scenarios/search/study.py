"""The study: which candidates were tried, kept where several workers find it, and where one that was killed is noticed.

A worker holds a lock on a file of its own as long as it lives; the kernel lets go of it however the worker ends. Optuna
itself notices dead workers only in databases, by a heartbeat and minutes later.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from device_runtime.errors import InputError
from scenarios.search.front import Point
from scenarios.search.plan import JOURNAL, WORKERS, Plan

DIRECTIONS = (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE, StudyDirection.MINIMIZE)
"""Accuracy, bytes, microseconds for a second of audio."""

STARTUP_TRIALS = 6
"""Drawn at random before the sampler learns from them."""

MOST_RETRIES = 2
"""Of one candidate whose worker died: more would kill workers for ever."""

SILENT_S = 300
"""A worker on another machine that has not been heard of for so long is dead."""

WORKER, HEARD, RETRY, ERROR, ACCEPTED, AGAIN = "worker", "heard", "retry", "error", "accepted", "again"
"""Names of what is noted with a trial."""


class FileLock:
    """The journal's lock, held by the kernel: a killed worker holds up nobody."""

    def __init__(self, path: Path):
        self._path = path
        self._file: TextIO | None = None

    def acquire(self) -> bool:
        """Wait for it."""
        self._file = self._path.open("a")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let others go on."""
        if self._file is not None:
            self._file.close()
            self._file = None


def open_study(plan: Plan, seed: int = 0) -> optuna.Study:
    """The plan's study, made where it is not there yet; `seed` is the sampler's."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = TPESampler(n_startup_trials=STARTUP_TRIALS, seed=seed)
    with _told(plan.storage):
        return optuna.create_study(
            study_name=plan.study_name,
            storage=_journal(plan) if plan.storage is None else RDBStorage(plan.storage),
            sampler=sampler,
            directions=DIRECTIONS,
            load_if_exists=True,
        )


def _journal(plan: Plan) -> BaseStorage:
    plan.make_folder()
    path = plan.folder / JOURNAL
    lock = FileLock(path.with_suffix(".lock"))
    _mend(path, lock)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=cast(Any, lock)))


@contextmanager
def _told(url: str | None) -> Iterator[None]:
    """InputError for what a database says, in one line."""
    try:
        yield
    except Exception as error:
        expected = isinstance(error, ImportError | optuna.exceptions.StorageInternalError | ValueError)
        if url is None or not (expected or type(error).__module__.startswith("sqlalchemy")):
            raise
        raise InputError(_unusable(url, error)) from error


def _unusable(url: str, error: Exception) -> str:
    why = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"--storage {without_password(url)} cannot be used: {why}. For example: sqlite:///search.db"


def without_password(url: str) -> str:
    """A URL as it may be told: drivers take passwords among its settings, too, so those are left out."""
    scheme, there, rest = url.partition("?")[0].partition("://")
    login, at, place = rest.rpartition("@")
    return f"{scheme}{there}{login.partition(':')[0]}{at}{place}"


def _mend(path: Path, lock: FileLock) -> None:
    """Cut off a line that was not finished, as a full disk leaves it: all behind it could not be read."""
    if not path.exists():
        return
    lock.acquire()
    try:
        content = path.read_bytes()
        if content and not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)
    finally:
        lock.release()


@contextmanager
def alive(folder: Path) -> Iterator[dict[str, Any]]:
    """What a worker notes with its trials; others can tell by it whether the worker is still there."""
    workers = folder / WORKERS
    workers.mkdir(parents=True, exist_ok=True)
    path = workers / f"{uuid.uuid4().hex[:12]}.lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield {"pid": os.getpid(), "host": socket.gethostname(), "lock": str(path.resolve())}
        finally:
            path.unlink()


def _is_alive(trial: FrozenTrial) -> bool:
    noted, started = trial.user_attrs.get(WORKER), trial.datetime_start
    if noted is None:  # it may be about to note it
        return started is not None and time.time() - started.timestamp() < SILENT_S
    if noted["host"] != socket.gethostname():
        begun = started.timestamp() if started is not None else 0.0
        return time.time() - trial.user_attrs.get(HEARD, begun) < SILENT_S
    path = Path(noted["lock"])
    if not path.exists():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def bury(study: optuna.Study) -> int:
    """Give what dead workers had begun to others; how many candidates that were."""
    dead = [trial for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) if not _is_alive(trial)]
    buried = 0
    for trial in dead:
        try:
            study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):  # another search was faster
            continue
        buried += 1
        retries = trial.user_attrs.get(RETRY, 0)
        if trial.params and retries < MOST_RETRIES:
            study.enqueue_trial(trial.params, user_attrs={RETRY: retries + 1})
    return buried


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """Candidates within the budget that were trained or are in training."""
    states = (TrialState.COMPLETE, TrialState.RUNNING)
    return [trial for trial in study.get_trials(deepcopy=False, states=states) if ACCEPTED in trial.user_attrs]


def rejected(study: optuna.Study) -> list[FrozenTrial]:
    """Candidates over the budget, which were not trained."""
    pruned = study.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
    return [trial for trial in pruned if AGAIN not in trial.user_attrs]


def known(study: optuna.Study) -> list[dict[str, Any]]:
    """Values of which nothing new is to be learnt: counted, over the budget, or refused by a method."""
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    refused = [trial for trial in failed if ERROR in trial.user_attrs and ACCEPTED not in trial.user_attrs]
    trials = [*counted(study), *rejected(study), *refused]
    return [trial.user_attrs["values"] for trial in trials if "values" in trial.user_attrs]


def points(trials: Sequence[FrozenTrial], rung: int | None = None) -> list[Point]:
    """Trained candidates as they were at a rung; without one, as far as each has come."""
    found = []
    for trial in trials:
        rungs: list[dict[str, Any]] = [
            trial.user_attrs[key] for key in sorted(key for key in trial.user_attrs if key.startswith("rung"))
        ]
        reached = rungs[-1:] if rung is None else rungs[rung : rung + 1]
        found += [Point(number=trial.number, values=trial.user_attrs["values"], **told) for told in reached]
    return found
