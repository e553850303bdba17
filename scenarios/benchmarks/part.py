"""What a part of the benchmark tells: rows side by side, and the targets that they meet or miss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from device_runtime.tables import table

Row = Mapping[str, str | float | None]
"""Values under the names of their columns."""


@dataclass(frozen=True)
class Target:
    """What was aimed at, beside what was measured. A target fails nothing: machines differ, and this one was busy."""

    name: str
    measured: float | None
    """None where a contestant is missing."""

    least: float | None = None
    most: float | None = None

    @property
    def is_met(self) -> bool | None:
        """None where nothing was measured."""
        if self.measured is None:
            return None
        return self.measured >= (self.least or 0) and (self.most is None or self.measured <= self.most)

    def line(self) -> str:
        """For the terminal."""
        wanted = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        if self.measured is None:
            return f"  not measured  {self.name}: {wanted}"
        return f"  {'met' if self.is_met else 'missed':12}  {self.name}: {self.measured:.3g}, target {wanted}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "is_met": self.is_met}


@dataclass(frozen=True)
class Part:
    """One table of the benchmark."""

    title: str
    rows: tuple[Row, ...]
    targets: tuple[Target, ...]

    def text(self) -> str:
        """For the terminal."""
        return "\n".join([self.title, table(self.rows), *(target.line() for target in self.targets)])

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "title": self.title,
            "rows": [dict(row) for row in self.rows],
            "targets": [target.as_dict() for target in self.targets],
        }


def ratio(a: float | None, b: float | None) -> float | None:
    """How many times b goes into a; None where either is missing."""
    return None if a is None or b is None else a / b


def digits(value: float | None, count: int = 3) -> float | None:
    """So many significant digits, which is all that a busy machine gives."""
    return None if value is None else float(f"{value:.{count}g}")
