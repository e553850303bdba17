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
from typing import Any, cast

import numpy as np

from device_runtime.csv_source import Readings, SensorLog, open_log
from device_runtime.errors import InputError
from device_runtime.session import Session
from device_runtime.times import span
from device_runtime.watching import Watched

SAVED_EVERY_S = 60
"""A power cut loses what was learned since."""


class Stop:
    """Ctrl-C and the system's request to end, which take effect between two readings and never within one.

    So the state that is saved then has taken in every reading that was told, and no other.
    """

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False

    @contextlib.contextmanager
    def heeded(self) -> Iterator[None]:
        """Within, both set `asked`, and end a wait for readings."""
        kinds = (signal.SIGINT, signal.SIGTERM)
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
    state = None if args.state is None else Path(args.state)
    if state is not None and state.exists():
        session.restore(state)
    stop, told = Stop(), _Told(args.json)
    with _opened(args.source) as stream, stop.heeded():
        log = SensorLog(stream, "standard input" if args.source == "-" else args.source, session.sensors.names)
        saved_s = time.monotonic()
        for readings in stop.until(_unseen(log, session.newest_s)):
            told.take(session.watch_timed(readings.times_s, readings.values), log)
            if state is not None and time.monotonic() - saved_s > SAVED_EVERY_S:
                session.save(state)
                saved_s = time.monotonic()
        if state is not None:
            session.save(state)  # what follows comes in the next run
        elif not stop.asked:
            told.take(session.finish(), log)
    if stop.asked:
        return 130
    if state is None and not told.steps:
        needed = session.first_step
        raise InputError(
            f"{args.source} spans {session.samples} samples, but the bundle needs {needed} in a row "
            f"({span(needed * session.sensors.interval_s)}) before it can tell anything. Give it a longer log"
        )
    return 0


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
                print(json.dumps(facts) if self._as_json else event.line(when), flush=True)


def _unseen(log: SensorLog, newest_s: float) -> Iterator[Readings]:
    """The readings behind those that a saved state has taken in, as of a file that has grown."""
    left_out = 0
    for readings in log:
        if np.isnan(newest_s):
            yield readings
            continue
        newer = readings.times_s > newest_s
        first = int(np.argmax(newer)) if newer.any() else len(newer)
        left_out += first
        if first == len(newer):
            continue
        if left_out and sys.stderr.isatty():
            print(f"{left_out} readings up to {log.when(newest_s)} were told before and are left out", file=sys.stderr)
        newest_s = np.nan
        yield Readings(readings.times_s[first:], readings.values[first:])


def _opened(source: str | None) -> contextlib.AbstractContextManager[BufferedIOBase]:
    if source is None:
        raise InputError("this bundle watches sensors: name a CSV file, or - for lines from standard input")
    if source != "-":
        return open_log(source)
    if sys.stdin.isatty():
        raise InputError(
            "- reads lines from a pipe, but standard input is the terminal. "
            "Use: tail -n +1 -f sensor.csv | tinyrnn run BUNDLE -"
        )
    return contextlib.nullcontext(cast(BufferedIOBase, sys.stdin.buffer))
