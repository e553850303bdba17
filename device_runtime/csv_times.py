"""Times as people and machines write them: ISO 8601 with and without a zone, seconds since 1970, day before month.

A time without a zone is taken as it stands: only differences count, and it is printed as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from functools import partial

from device_runtime.errors import InputError

_EPOCH, _EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?")
_EPOCH_UNITS = (
    (1e11, "seconds", 1.0), (1e14, "milliseconds", 1e-3), (1e17, "microseconds", 1e-6), (1e20, "nanoseconds", 1e-9),
)  # fmt: skip
"""Below this, a number of that unit since 1970 lies before the year 5138."""

_EARLIEST_EPOCH = 1e8
"""Seconds: 1973. A smaller number is a time only in a column that says so."""

_PARTS = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})"
    r"(?:[T ,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?: ?([AaPp])\.?[Mm]\.?)?)?"
    r"(?: ?(Z|[+-]\d{2}:?\d{2}))?"
)
DATE_ALONE = re.compile(r"\d{4}[./-]\d{1,2}[./-]\d{1,2}|\d{1,2}[./-]\d{1,2}[./-]\d{4}")
_END_OF_DAY = re.compile(r"([T ,])24(:00(?::00(?:[.,]0+)?)?)(?![:.,\d])")
TIME_ALONE = re.compile(r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp]\.?[Mm]\.?)?")


@dataclass(frozen=True)
class TimeFormat:
    """One way to write times."""

    name: str
    parse: Callable[[str], datetime | float]
    """A datetime, or seconds since 1970; ValueError for what is no such time."""

    def seconds(self, text: str) -> float:
        """Seconds since 1970, in the zone that the text names or in whatever zone the log keeps."""
        found = self.parse(text.strip())
        if isinstance(found, float):
            return found
        return (found - (_EPOCH if found.tzinfo is None else _EPOCH_UTC)).total_seconds()

    def offset_s(self, text: str) -> int | None:
        """How far its zone is from UTC; None without a zone. Seconds since 1970 are in UTC."""
        found = self.parse(text.strip())
        if isinstance(found, float):
            return 0
        offset = found.utcoffset()
        return None if offset is None else round(offset.total_seconds())


def time_format(texts: Sequence[str], named: bool = False) -> TimeFormat | None:
    """How these cells of one column tell the time, by the first of them; None if they do not.

    `named`: the column says that it is a time, so that any numbers are seconds.

    >>> time_format(["2016-07-01 00:00:00"]).name, time_format(["31.12.2020 23:00"]).name, time_format(["1.5"])
    ('ISO 8601', 'day first', None)
    """
    texts = [text.strip() for text in texts]
    if _NUMBER.fullmatch(texts[0]):
        return _epoch(float(texts[0].replace(",", ".")), named)
    if _PARTS.fullmatch(texts[0]):
        return _day_or_month_first([text for text in texts if _PARTS.fullmatch(text)])
    try:
        _iso(texts[0])
    except ValueError:
        return None
    return TimeFormat("ISO 8601", _iso)


def _iso(text: str) -> datetime:
    if text.isdigit():
        raise ValueError(text)  # a plain number, which fromisoformat might take for a date
    return _with_end_of_day(lambda text: datetime.fromisoformat(text.replace("/", "-").replace(" UTC", "Z")), text)


def _with_end_of_day(parse: Callable[[str], datetime], text: str) -> datetime:
    """As `parse` does; what ends a day at 24:00 begins the next one."""
    begun, ends = _END_OF_DAY.subn(r"\g<1>00\2", text) if "24:00" in text else (text, 0)
    try:
        return parse(begun) + timedelta(days=ends)
    except OverflowError:  # the last day that there is
        raise ValueError(text) from None


def _epoch(first: float, named: bool) -> TimeFormat | None:
    if abs(first) < _EARLIEST_EPOCH:
        return TimeFormat("seconds", lambda text: _number(text)) if named else None
    for limit, name, unit in _EPOCH_UNITS:
        if abs(first) < limit:
            return TimeFormat(f"{name} since 1970", partial(_scaled, unit=unit))
    return None


def _scaled(text: str, unit: float) -> float:
    return _number(text) * unit


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text.replace(",", "."))


def _day_or_month_first(texts: Sequence[str]) -> TimeFormat | None:
    """Dots are for days first; slashes and dashes are told by a 13th day, or by dates that would be months apart."""
    pairs = [(int(found[1]), int(found[3])) for text in texts if (found := _PARTS.fullmatch(text))]
    day_first = TimeFormat("day first", partial(_with_end_of_day, partial(_from_parts, day=1, month=3)))
    month_first = TimeFormat("month first", partial(_with_end_of_day, partial(_from_parts, day=3, month=1)))
    if "." in texts[0].split()[0] or max(first for first, _ in pairs) > 12:
        return _if_possible(day_first, texts[0])
    if max(second for _, second in pairs) > 12:
        return _if_possible(month_first, texts[0])
    spans = []
    for way in (day_first, month_first):
        seconds = [way.seconds(text) for text in texts if _if_possible(way, text)]
        spans.append(max(seconds) - min(seconds) if seconds else 0)
    if spans[0] == spans[1]:
        raise InputError(
            f"the time {texts[0]!r} may begin with the day or with the month. Write it as 2016-07-31 00:00:00, or "
            "begin with readings that tell"
        )
    return _if_possible(day_first if spans[0] < spans[1] else month_first, texts[0])


def _if_possible(way: TimeFormat, text: str) -> TimeFormat | None:
    try:
        way.seconds(text)
    except ValueError:
        return None
    return way


def _from_parts(text: str, day: int, month: int) -> datetime:
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ValueError(text)
    hour, half = int(found[5] or 0), (found[9] or "").lower()
    if half and not 1 <= hour <= 12:
        raise ValueError(text)
    hour = hour % 12 + 12 * (half == "p") if half else hour
    micro = int((found[8] or "0").ljust(6, "0")[:6])
    zone = _zone(found[10])
    return datetime(
        int(found[4]), int(found[month]), int(found[day]), hour, int(found[6] or 0), int(found[7] or 0), micro, zone
    )


def _zone(text: str | None) -> timezone | None:
    if text is None:
        return None
    if text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(ahead if text[0] == "+" else -ahead)
