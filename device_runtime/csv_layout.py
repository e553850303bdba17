"""How a CSV file is laid out: its separator, its header, the column of times and those of the sensors asked for."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from device_runtime.csv_times import DATE_ALONE, TIME_ALONE, TimeFormat, time_format
from device_runtime.errors import InputError
from device_runtime.meant import meant

SEPARATORS = (";", "\t", ",", "|")
"""The first that cuts all lines alike: a comma may be a decimal one where a semicolon separates."""

TIME_NAMES = (
    "timestamp", "datetime", "date_time", "date time", "time", "date", "ts", "utc", "epoch", "unix", "unixtime",
    "last_changed", "last_updated", "zeit", "zeitstempel", "datum", "seconds",
)  # fmt: skip
"""Of columns that say that they are times, as loggers and spreadsheets call them."""

MISSING = {"", "nan", "null", "none", "na", "n/a", "-", "--", "?", "unknown", "unavailable"}
"""What loggers write where nothing was measured, in small letters."""

SHOWN = 8
"""Columns named in a message."""

SAMPLE_LINES = 2_000
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Layout:
    """Where in a line the time and the readings are."""

    separator: str
    columns: int
    has_header: bool
    times: tuple[int, ...]
    """One column, or a date and a time of day."""

    format: TimeFormat
    names: tuple[str, ...]
    """Of the sensors, in the order asked for."""

    sensors: tuple[int, ...]

    def cells(self, line: str) -> list[str]:
        """The cells of one line."""
        return cells(line, self.separator)

    def time_text(self, row: Sequence[str]) -> str:
        """The cell of the time, or those of the date and the time of day."""
        return " ".join(row[column].strip() for column in self.times)


def cells(line: str, separator: str) -> list[str]:
    """The cells of a line, which may be quoted; InputError for what no reader of CSV takes.

    >>> cells('a;"1;5"', ";")
    ['a', '1;5']
    """
    if '"' not in line:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator))
    except csv.Error as error:
        raise InputError(
            f"a line is no CSV: {line[:40]!r} ({error}). Expected one reading in it, with whole quotes. Repair the line"
        ) from error


def number(text: str) -> float:
    """The reading in a cell, NaN where there is none; ValueError for other text.

    >>> number("3,5"), number("unavailable"), number("1e3")
    (3.5, nan, 1000.0)
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text.replace(",", "."))
    if text.lower() in MISSING:
        return float("nan")
    if text.lower().lstrip("+-") in ("inf", "infinity"):
        return float("inf")
    raise ValueError(text)


def find_layout(numbered: Sequence[tuple[int, str]], name: str, channels: Sequence[str] | None) -> Layout:
    """The layout of a file that begins with these lines, each with its number.

    `channels` are those asked for, None for all there are.
    """
    numbered = numbered[:SAMPLE_LINES]
    lines = [line for _, line in numbered]
    separator = _separator(lines, name)
    rows = [cells(line, separator) for line in lines]
    columns = len(rows[0])
    body = [row[:columns] for row in rows[1:] if len(row) >= columns and not "".join(row[columns:]).strip()]
    has_header = not _is_reading(rows[0])
    header = [cell.strip() for cell in rows[0]] if has_header else [f"column {i + 1}" for i in range(columns)]
    body = body if has_header else [rows[0], *body]
    if not body and len(rows) > 1:
        raise InputError(
            f"{name}: line {numbered[1][0]} has {len(rows[1])} columns, but the header has {columns}. Repair the "
            "lines; where commas separate, decimal commas need quotes"
        )
    if not body:
        raise InputError(f"{name} holds a header and no readings. Expected a time and some numbers in each line")
    first = next(
        at for (at, _), row in zip(numbered[has_header:], rows[has_header:], strict=True) if row[:columns] == body[0]
    )
    times, found = _time_columns(header, body, first, name, channels or ())
    others = [column for column in range(columns) if column not in times]
    if channels is None:
        sensors = [column for column in others if _is_numeric(body, column)]
        names = tuple(header[column] for column in sensors)
    elif has_header:
        names, sensors = tuple(channels), [_column(channel, header, others, name) for channel in channels]
    elif len(others) == len(channels):
        names, sensors = tuple(channels), others
    else:
        raise InputError(
            f"{name} has no header and {len(others)} columns of readings, but the bundle takes {len(channels)}: "
            f"{_listed(channels)}. Add a header"
        )
    if not sensors:
        raise InputError(f"{name} has no column of numbers beside its times. Its columns: {_listed(header)}")
    return Layout(separator, columns, has_header, times, found, names, tuple(sensors))


def _separator(lines: Sequence[str], name: str) -> str:
    for separator in SEPARATORS:
        counts = {len(cells(line, separator)) for line in lines[:20]}
        if len(counts) == 1 and counts != {1}:
            return separator
    # lines that differ: the one that the header is cut by, so that the message can name the line that is wrong
    for separator in SEPARATORS:
        if len(cells(lines[0], separator)) > 1:
            return separator
    raise InputError(
        f"{name} has one column: {lines[0][:40]!r}. Expected a time and some numbers in each line, with commas, "
        "semicolons or tabs between them"
    )


def _is_reading(row: Sequence[str]) -> bool:
    """A header has a text in some column where a reading has a number or a time."""
    return all(_is_number(cell) or TIME_ALONE.fullmatch(cell.strip()) or _is_time(cell) for cell in row)


def _is_time(cell: str) -> bool:
    try:
        return time_format([cell]) is not None
    except InputError:  # the day or the month first
        return True


def _time_columns(
    header: Sequence[str], body: Sequence[Sequence[str]], first: int, name: str, channels: Sequence[str]
) -> tuple[tuple[int, ...], TimeFormat]:
    """The column that says so, else the first that looks like times, else the first that may be seconds since 1970.

    `first` is the number of the body's first line.
    """
    lower = [cell.lower() for cell in header]
    free = [column for column in range(len(header)) if header[column] not in channels]
    told = [column for wanted in TIME_NAMES for column in free if lower[column] == wanted]
    told += [column for column in free if column not in told and re.search(r"time|date|zeit|datum", lower[column])]
    for column in [*told, *(column for column in free if column not in told)]:
        texts = [row[column].strip() for row in body]
        if DATE_ALONE.fullmatch(texts[0]):
            for other in free:
                joined = [f"{text} {row[other].strip()}" for text, row in zip(texts, body, strict=True)]
                if TIME_ALONE.fullmatch(body[0][other].strip()) and (found := time_format(joined)):
                    return (column, other), found
        if found := time_format(texts, named=column in told):
            return (column,), found
    shown = next(iter([*told, *free]), 0)
    raise InputError(
        f"{name} has no column of times. Its columns: {_listed(header)}; line {first} has {body[0][shown][:40]!r} as "
        f"{header[shown][:40]}. Expected times such as 2016-07-01 00:00:00 or seconds since 1970, under a name such as "
        "timestamp. Remove lines that are neither the header nor readings, such as one of units"
    )


def _column(channel: str, header: Sequence[str], others: Sequence[int], name: str) -> int:
    """The column of that name; capitals count only where two names differ by nothing else."""
    for same in (str, str.lower):
        found = [column for column in others if same(header[column]) == same(channel)]
        if len(found) == 1:
            return found[0]
        if found:
            raise InputError(f"{name} has {len(found)} columns named {channel}. Rename all but one")
    raise InputError(
        f"{name} has no column {channel!r}{meant(channel, header)}, which the bundle takes. Its columns: "
        f"{_listed(header)}"
    )


def _is_numeric(body: Sequence[Sequence[str]], column: int) -> bool:
    """By its first reading; text that follows is an error, and no reason to leave the column out."""
    first = next((text for row in body if (text := row[column].strip()).lower() not in MISSING), "")
    return _NUMBER.fullmatch(first) is not None


def _is_number(cell: str) -> bool:
    try:
        number(cell)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(cell[:40] for cell in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
