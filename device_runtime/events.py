"""What a session tells its caller: of words, and of sensors.

`as_dict` gives plain values for one JSON line, `line` a short text for a person. A time is in seconds: since the start
or the last reset, or since 1970 where the readings came with times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from device_runtime.times import span

DIGITS = 6
"""Of a reading in JSON: more than any sensor has."""


@dataclass(frozen=True)
class Detection:
    """A word was heard.

    >>> Detection("yes", time_s=1.25, score=0.93).as_dict()
    {'event': 'detection', 'label': 'yes', 'time_s': 1.25, 'score': 0.93}
    """

    label: str
    """The word, as the bundle's manifest spells it."""

    time_s: float
    """Seconds of audio since the session started or was reset."""

    score: float
    """Smoothed probability, 0..1, at the moment of detection."""

    def as_dict(self) -> dict[str, Any]:
        """The event as plain values, ready for one JSON line."""
        return {
            "event": "detection",
            "label": self.label,
            "time_s": round(self.time_s, 3),
            "score": round(self.score, 4),
        }

    def line(self, when: str | None = None) -> str:
        """One line for a person; `when` is the time as that person writes it."""
        return f"{when or f'{self.time_s:7.2f} s'}  {self.label}  {self.score:.2f}"


@dataclass(frozen=True)
class Forecast:
    """What one channel will read, in its own unit: value i lies (i + 1) intervals ahead of `time_s`.

    >>> Forecast("OT", 7200.0, 3600.0, median=(8.5, 9.0), low=(8.0, 8.0), high=(9.0, 10.5)).line()
    '7200.0 s  OT  in 1 h 8.5 (8 to 9), in 2 h 9 (8 to 10.5)'
    """

    channel: str
    time_s: float
    """Of the newest sample that the forecast has seen."""

    interval_s: float
    median: tuple[float, ...]  # (horizon,)
    low: tuple[float, ...]  # (horizon,)
    """The interval's lower end; how much it should hold is the `coverage` of the bundle's decoder."""

    high: tuple[float, ...]  # (horizon,)

    def as_dict(self) -> dict[str, Any]:
        """The event as plain values, ready for one JSON line."""
        return {
            "event": "forecast",
            "channel": self.channel,
            "time_s": round(self.time_s, 3),
            "interval_s": self.interval_s,
            "median": [_short(value) for value in self.median],
            "low": [_short(value) for value in self.low],
            "high": [_short(value) for value in self.high],
        }

    def line(self, when: str | None = None) -> str:
        """One line for a person: the first, the middle and the last value ahead."""
        leads = sorted({1, (len(self.median) + 1) // 2, len(self.median)})
        ahead = (
            f"in {span(lead * self.interval_s)} {self.median[lead - 1]:.4g} "
            f"({self.low[lead - 1]:.4g} to {self.high[lead - 1]:.4g})"
            for lead in leads
        )
        return f"{_when(when, self.time_s)}  {self.channel}  {', '.join(ahead)}"


@dataclass(frozen=True)
class Anomaly:
    """A reading that the recent past of its channel does not explain.

    >>> Anomaly("temperature", 300.0, score=0.999, value=71.5, expected_low=80.0, expected_high=90.0).line()
    '300.0 s  temperature  anomaly 0.999: 71.5, expected 80 to 90'
    """

    channel: str
    time_s: float
    score: float
    """0..1; near 1 is far from what was expected."""

    value: float
    """What was read, in the channel's own unit."""

    expected_low: float
    expected_high: float

    def as_dict(self) -> dict[str, Any]:
        """The event as plain values, ready for one JSON line."""
        return {
            "event": "anomaly",
            "channel": self.channel,
            "time_s": round(self.time_s, 3),
            "score": _short(self.score),
            "value": _short(self.value),
            "expected_low": _short(self.expected_low),
            "expected_high": _short(self.expected_high),
        }

    def line(self, when: str | None = None) -> str:
        """One line for a person."""
        expected = f"{self.expected_low:.4g} to {self.expected_high:.4g}"
        told = f"anomaly {self.score:.3g}: {self.value:.4g}, expected {expected}"
        return f"{_when(when, self.time_s)}  {self.channel}  {told}"


@dataclass(frozen=True)
class Drift:
    """The errors of one channel's predictions have changed for good; told once a change.

    >>> Drift("OT", 3600.0, error_before=0.1, error_after=0.4).line()
    '3600.0 s  OT  drift: the error of its predictions went from 0.1 to 0.4'
    """

    channel: str
    time_s: float
    error_before: float
    """Mean absolute error before the change, in the channel's own unit."""

    error_after: float

    def as_dict(self) -> dict[str, Any]:
        """The event as plain values, ready for one JSON line."""
        return {
            "event": "drift",
            "channel": self.channel,
            "time_s": round(self.time_s, 3),
            "error_before": _short(self.error_before),
            "error_after": _short(self.error_after),
        }

    def line(self, when: str | None = None) -> str:
        """One line for a person."""
        change = f"from {self.error_before:.4g} to {self.error_after:.4g}"
        return f"{_when(when, self.time_s)}  {self.channel}  drift: the error of its predictions went {change}"


@dataclass(frozen=True)
class Gap:
    """Readings are missing, or their clock is not to be trusted.

    >>> Gap(7200.0, 5400.0, "no readings").line()
    '7200.0 s  gap: no readings (1 h 30 min)'
    """

    time_s: float
    """Of the first reading after it."""

    seconds: float
    """How long nothing was read, or how far the clock went back: negative, or 0 where it stood still."""

    reason: str
    channel: str | None = None
    """None: all of them."""

    def as_dict(self) -> dict[str, Any]:
        """The event as plain values, ready for one JSON line."""
        return {
            "event": "gap",
            "channel": self.channel,
            "time_s": round(self.time_s, 3),
            "seconds": round(self.seconds, 3),
            "reason": self.reason,
        }

    def line(self, when: str | None = None) -> str:
        """One line for a person."""
        channel = f"  {self.channel}" if self.channel else ""
        return f"{_when(when, self.time_s)}{channel}  gap: {self.reason} ({span(self.seconds)})"


@dataclass(frozen=True)
class Estimate:
    """A quantity that no sensor reads, such as the life that a machine has left.

    >>> Estimate(60.0, "remaining_life", value=42.0, low=30.0, high=55.0).line()
    '60.0 s  remaining_life  42 (30 to 55)'
    """

    time_s: float
    name: str
    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """The event as plain values, ready for one JSON line."""
        return {
            "event": "estimate",
            "name": self.name,
            "time_s": round(self.time_s, 3),
            "value": _short(self.value),
            "low": _short(self.low),
            "high": _short(self.high),
        }

    def line(self, when: str | None = None) -> str:
        """One line for a person."""
        return f"{_when(when, self.time_s)}  {self.name}  {self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


Event = Detection | Forecast | Anomaly | Drift | Gap | Estimate


def _when(when: str | None, time_s: float) -> str:
    return when or f"{time_s:.1f} s"


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
