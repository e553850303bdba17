"""What a session tells its caller."""

from __future__ import annotations

from dataclasses import dataclass


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

    def as_dict(self) -> dict[str, str | float]:
        """The event as plain values, ready for one JSON line."""
        return {
            "event": "detection",
            "label": self.label,
            "time_s": round(self.time_s, 3),
            "score": round(self.score, 4),
        }


Event = Detection
