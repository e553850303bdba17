"""What `tinyrnn run` does with a bundle of sensors: a log, or a pipe that grows line by line, becomes events."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import time
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from device_runtime import states
from device_runtime.csv_source import Readings, SensorLog, open_log
from device_runtime.errors import InputError
from device_runtime.piped import standard_input
from device_runtime.seen import Seen
from device_runtime.session import Session
from device_runtime.snapshots import Snapshot, below, under
from device_runtime.times import span
from device_runtime.watching import Watched

SAVED_EVERY_S = 60
"""A power cut loses what was learned since."""

PIECE = 128
"""Readings that are taken in at a time. If the output ends among them, the next run with a state tells them again."""


class Stop:
    """Ctrl-C, a terminal that closes and the system's request to end: they take effect between two readings.

    Never within one, so that the state that is saved then has taken in every reading that was told, and no other.
    """

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False

    @contextlib.contextmanager
    def heeded(self) -> Iterator[None]:
        """Within, each sets `asked`, and ends a wait for readings."""
        kinds = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            kinds.append(signal.SIGHUP)
        before = {kind: signal.signal(kind, self._ask) for kind in kinds}
        try:
            yield
        finally:
            for kind, handler in before.items():
                signal.signal(kind, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self._waiting:
            raise KeyboardInterrupt

    def until(self, readings: Iterator[Readings]) -> Iterator[Readings]:
        """The readings, until the end is asked for."""
        while not self.asked:
            self._waiting = True
            try:
                following = next(readings, None)
            except KeyboardInterrupt:
                if not self.asked:
                    raise
                return
            finally:
                self._waiting = False
            if following is None:
                return
            yield following


def run_sensors(session: Session, args: argparse.Namespace) -> int:
    """Print each event of a log of sensors; with a state, go on from it, and save it now and then and at the end."""
    kept = None if args.state is None else _Kept(Path(args.state), session)
    stop, told = Stop(), _Told(args.json)
    with _opened(args.source) as stream, stop.heeded():
        log = SensorLog(stream, "standard input" if args.source == "-" else args.source, session.sensors.names)
        if kept is not None:
            kept.run(stop, log, told)  # what follows comes in the next run
        else:
            for readings in stop.until(_pieces(iter(log))):
                told.take(session.watch_timed(readings.times_s, readings.values), log)
            if not stop.asked:
                told.take(session.finish(), log)
    if stop.asked:
        return 130
    if kept is None and not told.steps:
        _say_why(args.source, session, log)
    return 0


def _say_why(source: str, session: Session, log: SensorLog) -> NoReturn:
    """InputError with what is wrong with a log that led to no step."""
    needed, interval_s = session.first_step, session.sensors.interval_s
    if log.backward:
        raise InputError(
            f"{source}: the times of {log.backward} lines go back. Sort the lines by time, the oldest first"
        )
    if session.samples >= needed:
        raise InputError(
            f"{source} spans {session.samples} samples, but hardly anything is measured in them: the bundle needs "
            f"{needed} in a row ({span(needed * interval_s)}). Look at the columns {', '.join(session.sensors.names)}"
        )
    raise InputError(
        f"{source} spans {session.samples} samples, but the bundle needs {needed} in a row "
        f"({span(needed * interval_s)}) before it can tell anything. Give it a longer log"
    )


class _Told:
    """Prints events."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self.steps = 0

    def take(self, watched: Iterator[Watched], log: SensorLog) -> None:
        for at in watched:
            self.steps += at.step is not None
            for event in at.events:
                when = log.when(event.time_s)
                facts: dict[str, Any] = {**event.as_dict(), "time": when}
                print(json.dumps(facts, allow_nan=False) if self._as_json else event.line(when), flush=True)


class _Kept:
    """The state in a file: what was taken in and told, and nothing else, however the run ends."""

    def __init__(self, path: Path, session: Session) -> None:
        states.check_place(path)
        self._path, self._session = path, session
        arrays = session.restore(path) if path.exists() else {}
        self._restored = bool(arrays)
        self._seen = Seen(session.newest_s)
        known = below("seen", arrays)
        if known:
            self._seen.restore(known)
        self._kept: Snapshot | None = None

    def run(self, stop: Stop, log: SensorLog, told: _Told) -> None:
        """Tell of the readings that were not taken in before."""
        saved_s = time.monotonic()
        try:
            for piece in stop.until(self._unseen(log)):
                with self._of_a_sound_state():
                    told.take(self._watched(piece), log)
                self._seen.add(piece.times_s, piece.values)
                self._kept = self._session.snapshot()
                if time.monotonic() - saved_s > SAVED_EVERY_S:
                    self._save()
                    saved_s = time.monotonic()
        finally:  # a bad line, or an output that nobody reads on
            self._save()

    @contextlib.contextmanager
    def _of_a_sound_state(self) -> Iterator[None]:
        """InputError where what was read from the file cannot be gone on from: it has the right shapes, no more."""
        try:
            yield
        except (ArithmeticError, ValueError, IndexError) as error:
            if not self._restored:
                raise
            self._kept = None
            raise InputError(
                f"the state {self._path} makes no sense ({error}). Move it away to start without it; it was left as it "
                "was"
            ) from error

    def _unseen(self, log: SensorLog) -> Iterator[Readings]:
        said = False
        for readings in log:
            seen = self._seen.skip(readings.times_s, readings.values)
            if seen and not said and sys.stderr is not None:
                said, until = True, log.when(self._seen.last_s)
                print(f"readings up to {until} were told before and are left out", file=sys.stderr, flush=True)
            yield from _pieces(iter([Readings(readings.times_s[seen:], readings.values[seen:])]))

    def _watched(self, piece: Readings) -> Iterator[Watched]:
        try:
            yield from self._session.watch_timed(piece.times_s, piece.values)
        except InputError:  # these readings are not for this bundle, and nothing is to be learned from them
            self._kept = None
            raise

    def _save(self) -> None:
        if self._kept is not None:
            self._session.save(self._path, self._kept | under("seen", self._seen.snapshot()))


def _pieces(parts: Iterator[Readings]) -> Iterator[Readings]:
    """The same readings, few at a time: so often is looked whether the end was asked for."""
    for readings in parts:
        for at in range(0, len(readings.times_s), PIECE):
            yield Readings(readings.times_s[at : at + PIECE], readings.values[at : at + PIECE])


def _opened(source: str | None) -> contextlib.AbstractContextManager[BufferedIOBase]:
    if source is None:
        raise InputError("this bundle watches sensors: name a CSV file, or - for lines from standard input")
    if source != "-":
        return open_log(source)
    return contextlib.nullcontext(standard_input("lines", "tail -n +1 -f sensor.csv | tinyrnn run BUNDLE -"))
