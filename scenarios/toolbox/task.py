"""What methods compete at: the recipes, how one is measured, and which numbers its rows show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from scenarios.report.series_content import Column
from scenarios.toolbox.contestant import Contestant, Outcome


@dataclass(frozen=True)
class Shown:
    """How the numbers of a task are told."""

    columns: tuple[Column, ...]
    """Of `Outcome.measured`, in its order; the first is the headline."""

    axis: str
    """Of the plot."""

    higher_is_better: bool
    times: float = 1.0
    """From the headline to the plot's axis."""

    worst: float | None = None
    """On the axis; what is worse, such as a training that failed, would press all else together."""

    def is_drawn(self, headline: float) -> bool:
        """Whether it has a point in the plot."""
        value = self.times * headline
        return self.worst is None or (value >= self.worst if self.higher_is_better else value <= self.worst)


class Task(Protocol):
    """One task, as a module."""

    NAME: str
    SHOWN: Shown

    def contestants(self) -> Iterator[Contestant]:
        """All rows of the table, the plain ones first."""

    def trainings(self, folder: Path, runs: Path) -> Any:
        """The data and the teachers that all share, with checkpoints in `folder`."""

    def contest(self, contestant: Contestant, seed: int, trainings: Any, folder: Path) -> Outcome:
        """Build and measure one."""


def formats(shown: Shown) -> Mapping[str, str]:
    """How each measured number is written in a table: by its name, a format of its value."""
    return {c.name: "{:.1%}" if c.unit == "%" else f"{{:.{c.digits}f}}" for c in shown.columns}
