"""Durations and moments as a person reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))
EARLIEST_S = (datetime(2, 1, 1) - datetime(1970, 1, 1)).total_seconds()
LATEST_S = (datetime(9999, 1, 1) - datetime(1970, 1, 1)).total_seconds()
"""A calendar has the years 1 to 9999; one less at each end is for the zone, and for what is foretold from a reading."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def span(seconds: float) -> str:
    """A duration in its two largest units.

    >>> span(95), span(90_000), span(0.25)
    ('1 min 35 s', '1 d 1 h', '0.25 s')
    """
    if abs(seconds) < 60:
        return f"{seconds:.4g} s"
    left, parts = abs(round(seconds)), []
    for unit, size in _UNITS:
        if left >= size:
            parts.append(f"{left // size} {unit}")
            left %= size
    if left:
        parts.append(f"{left} s")
    return ("-" if seconds < 0 else "") + " ".join(parts[:2])


def moment(time_s: float, offset_s: int | None = None) -> str:
    """Seconds since 1970 as ISO 8601, in the zone so far from UTC; without a zone where that is None.

    >>> moment(1_467_331_200), moment(1_467_331_200.5, 7200)
    ('2016-07-01 00:00:00', '2016-07-01 02:00:00.500+02:00')
    """
    at = _EPOCH + timedelta(milliseconds=round(time_s * 1000))
    at = at.replace(tzinfo=None) if offset_s is None else at.astimezone(timezone(timedelta(seconds=offset_s)))
    return at.isoformat(" ", "milliseconds" if at.microsecond else "seconds")
