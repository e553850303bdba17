"""One row of the table of methods, and what was measured of it with one seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from scenarios.scenario import Scenario


@dataclass(frozen=True)
class Contestant:
    """A recipe under a name, beside others that differ from it in one thing."""

    group: str
    """What kind of method it is: the mark of its points in the plot."""

    name: str
    scenario: Scenario

    @property
    def slug(self) -> str:
        """For files: letters, digits and dashes."""
        kept = (letter if letter.isalnum() else "-" for letter in f"{self.group}-{self.name}".lower())
        return "-".join(filter(None, "".join(kept).split("-")))


@dataclass(frozen=True)
class Outcome:
    """One contestant's bundle with one seed, on the test split."""

    group: str
    name: str
    seed: int
    warm: float
    """Share of the clips decided rightly after other audio, 0..1, through `Session`."""

    cold: float
    clips: int
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
    """CPU time of all that made it after the float student; of the student too where it has one of its own."""

    differing_bits: int
    """Between the engines and the student, over the frames of the proof."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Outcome:
        """What `as_dict` told."""
        return cls(**{field.name: values[field.name] for field in fields(cls)})
