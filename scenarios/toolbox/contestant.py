"""One row of the table of methods, and what was measured of it with one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime.bench import time_steps
from device_runtime.flat import of_bundle
from device_runtime.session import Session
from device_runtime.weights import arrays
from scenarios import identity
from scenarios.build import Recipe
from train.loop import History

TIMED_STEPS = 4000


@dataclass(frozen=True)
class Contestant:
    """A recipe under a name, beside others that differ from it in one thing."""

    group: str
    """What kind of method it is: the mark of its points in the plot."""

    name: str
    scenario: Recipe

    @property
    def slug(self) -> str:
        """For files: letters, digits and dashes."""
        kept = (letter if letter.isalnum() else "-" for letter in f"{self.group}-{self.name}".lower())
        return "-".join(filter(None, "".join(kept).split("-")))

    @property
    def digest(self) -> str:
        """Of the recipe: under an old name it may be another one by now."""
        return identity.digest(self.scenario)


@dataclass(frozen=True)
class Outcome:
    """One contestant's bundle with one seed, on the test split."""

    group: str
    name: str
    seed: int
    measured: Mapping[str, float]
    """Accuracies or errors of the bundle, streamed through `Session`, by name; the headline first."""

    validation: float
    """What epochs were chosen by."""

    device_bytes: int
    native_bytes: int
    """Of model.native, which the native engine reads."""

    weights: int
    nonzeros: int
    """Of the int8 matrices."""

    step_us: float
    """Median of the native engine from Python."""

    train_s: float
    """CPU time of all that made it after the float student; of the student too where it has one of its own.

    What a training took counts although another contestant, whose first steps were the same, had it done.
    """

    differing_bits: int
    """Between the engines and the student, over the frames of the proof."""

    recipe: str
    """Digest of what was measured."""

    @property
    def headline(self) -> float:
        """The number that contestants are compared by."""
        return next(iter(self.measured.values()))

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Outcome:
        """What `as_dict` told; it had no `recipe` once."""
        return cls(**{field.name: ({"recipe": ""} | dict(values))[field.name] for field in fields(cls)})


def spent_before(histories: Mapping[str, History]) -> float:
    """CPU seconds of trainings that were found done, or begun: their checkpoints say what they took."""
    return sum(history.cpu_seconds_before for history in histories.values())


def outcome(
    contestant: Contestant,
    seed: int,
    bundle: Path,
    measured: Mapping[str, float],
    validation: float,
    train_s: float,
    differing_bits: int,
) -> Outcome:
    """What was measured of a contestant, with the bytes and the speed of its bundle."""
    session = Session.open(bundle, "native")
    matrices = [array for name, array in arrays(session.bundle.model).items() if name.endswith("weight")]
    return Outcome(
        group=contestant.group,
        name=contestant.name,
        seed=seed,
        measured=measured,
        validation=validation,
        device_bytes=session.bundle.device_bytes,
        native_bytes=len(of_bundle(session.bundle)),
        weights=sum(matrix.size for matrix in matrices),
        nonzeros=sum(int(np.count_nonzero(matrix)) for matrix in matrices),
        step_us=float(np.median(time_steps(session, TIMED_STEPS))),
        train_s=train_s,
        differing_bits=differing_bits,
        recipe=contestant.digest,
    )
