"""A user's own log of sensors: readings with their times, from a CSV file or a pipe, a line at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BufferedIOBase, BufferedReader
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device_runtime.arithmetic import Float32
from device_runtime.csv_layout import Layout, cells, find_layout, number
from device_runtime.csv_lines import line_batches
from device_runtime.errors import InputError
from device_runtime.times import EARLIEST_S, LATEST_S, moment

BATCH_LINES = 4_096
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Readings:
    """Some readings in the order of the log."""

    times_s: npt.NDArray[np.float64]
    """Seconds since 1970, (n,)."""

    values: Float32
    """NaN where nothing was measured, (n, channels)."""


class SensorLog:
    r"""Readings of the channels asked for, as they arrive; other columns are ignored.

    `channels` None takes every column of numbers. `in_order` refuses times that go back or repeat, as a file to learn
    or to measure from must not have. What is wrong is an InputError that names the line, once those before it are told.

    >>> import io
    >>> log = SensorLog(io.BufferedReader(io.BytesIO(b"date;T\n2016-07-01 00:00;3,5\n")), "log.csv", ["T"])
    >>> [(readings.times_s.tolist(), readings.values.tolist()) for readings in log]
    [([1467331200.0], [[3.5]])]
    """

    def __init__(
        self, stream: BufferedIOBase, name: str, channels: Sequence[str] | None = None, in_order: bool = False
    ) -> None:
        self._stream, self._name, self._asked, self._in_order = stream, name, channels, in_order
        self._layout: Layout | None = None
        self._offset_s: int | None = None
        self._last_s = -np.inf
        self._line = 0
        self.backward = 0
        """Readings that were made before the one above them."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the channels; known once the first readings are."""
        return self._layout.names if self._layout else ()

    def when(self, time_s: float) -> str:
        """A time as the log writes it: in its zone, or without one."""
        if self._layout is not None and self._layout.format.name == "seconds":
            return f"{time_s:.10g} s"
        return moment(time_s, self._offset_s)

    def __iter__(self) -> Iterator[Readings]:
        """Read on."""
        waiting: list[tuple[int, str]] = []  # until there is a reading, from which the layout shows
        for batch in line_batches(self._stream, self._name):
            numbered = [(self._line + i, line) for i, line in enumerate(batch, 1)]
            self._line += len(batch)
            waiting += [(at, line) for at, line in numbered if line.strip() and not line.startswith("#")]
            if self._layout is None and (len(waiting) > 1 or self._is_reading(waiting)):
                self._begin(waiting)
            if self._layout is not None:
                yield from self._readings(waiting)
                waiting = []
        if self._layout is None:
            if not waiting:
                raise InputError(f"{self._name} is empty. Expected CSV: a time and some numbers in each line")
            self._begin(waiting)
            yield from self._readings(waiting)

    def _is_reading(self, waiting: list[tuple[int, str]]) -> bool:
        """A single line tells its layout only if it is no header."""
        if not waiting:
            return False
        try:
            return not find_layout(waiting[:1], self._name, self._asked).has_header
        except InputError:
            return False

    def _begin(self, waiting: list[tuple[int, str]]) -> None:
        layout = find_layout(waiting, self._name, self._asked)
        at = int(layout.has_header)
        first = cells(waiting[at][1], layout.separator)
        if len(first) == layout.columns:
            self._offset_s = layout.format.offset_s(layout.time_text(first))
        self._layout = layout
        del waiting[:at]

    def _readings(self, numbered: list[tuple[int, str]]) -> Iterator[Readings]:
        for start in range(0, len(numbered), BATCH_LINES):
            times: list[float] = []
            rows: list[list[float]] = []
            wrong = None
            for at, line in numbered[start : start + BATCH_LINES]:
                try:
                    time_s, row = self._reading(at, line)
                except InputError as error:  # what came before it is told first, however the lines arrived
                    wrong = error
                    break
                times.append(time_s)
                rows.append(row)
            if times:
                yield Readings(np.array(times), np.array(rows, np.float32))
            if wrong is not None:
                raise wrong

    def _reading(self, at: int, line: str) -> tuple[float, list[float]]:
        layout = self._layout
        assert layout is not None
        row = layout.cells(line)
        if len(row) > layout.columns and not "".join(row[layout.columns :]).strip():  # a separator at the line's end
            del row[layout.columns :]
        if len(row) != layout.columns:
            raise InputError(
                f"{self._name}: line {at} has {len(row)} columns, expected {layout.columns}. Repair the line"
            )
        time_s = self._time(layout.time_text(row), at, layout)
        if line.isascii() and "_" not in line:  # Python takes 1_000 and the digits of other scripts for numbers, too
            try:
                values = [float(row[column]) for column in layout.sensors]
                if sum(map(abs, values)) <= LARGEST_FLOAT32:  # nearly always; not with a missing or an infinite one
                    return time_s, values
            except ValueError:  # a decimal comma, or no number
                pass
        named = zip(layout.sensors, layout.names, strict=True)
        return time_s, [self._value(row[column], at, name) for column, name in named]

    def _time(self, text: str, at: int, layout: Layout) -> float:
        try:
            time_s = layout.format.seconds(text)
        except (ValueError, OverflowError):
            time_s = np.inf
        if not EARLIEST_S <= time_s < LATEST_S:
            raise InputError(
                f"{self._name}: line {at} has {text[:40]!r} as its time, expected one written as before "
                f"({layout.format.name}) and of the years 2 to 9998. Repair the line"
            )
        if self._in_order and time_s <= self._last_s:
            wrong = "repeats the time" if time_s == self._last_s else "goes back from"
            raise InputError(
                f"{self._name}: line {at} ({text[:40]}) {wrong} {self.when(self._last_s)} of a line before it. Sort "
                "the lines by time, and keep one for each"
            )
        self.backward += time_s < self._last_s
        self._last_s = time_s
        return time_s

    def _value(self, cell: str, at: int, name: str) -> float:
        try:
            value = number(cell)
        except ValueError:
            raise InputError(
                f"{self._name}: line {at} has {cell[:40]!r} as {name}, expected a number, or nothing where none was "
                "measured. Repair the line"
            ) from None
        if abs(value) > LARGEST_FLOAT32:
            raise InputError(
                f"{self._name}: line {at} has {cell[:40]!r} as {name}, which is infinite. Leave the cell empty where "
                "nothing was measured"
            )
        return value


@dataclass(frozen=True)
class Log:
    """A whole log in memory."""

    names: tuple[str, ...]
    readings: Readings
    source: SensorLog


def read_log(path: Path | str, channels: Sequence[str] | None = None) -> Log:
    """All readings of a file whose times rise from line to line."""
    with open_log(path) as stream:
        source = SensorLog(stream, str(path), channels, in_order=True)
        parts = list(source)
    times_s = np.concatenate([part.times_s for part in parts])
    return Log(source.names, Readings(times_s, np.concatenate([part.values for part in parts])), source)


def open_log(path: Path | str) -> BufferedReader:
    """The file, ready to be read; InputError if it cannot be."""
    path = Path(path)
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror or error}. Expected CSV: a time and some numbers in each line"
        ) from error
