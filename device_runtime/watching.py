"""From readings to events: a front end of sensors, the engine, a decoder, and what is said of missing readings.

What `hearing.py` is to words. A model of frames carries its state from step to step; a look-back is read anew from the
initial state, one stream a channel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from device_runtime import engines, snapshots
from device_runtime.absences import Absences
from device_runtime.arithmetic import Float32
from device_runtime.bundle import Bundle
from device_runtime.decoders import Sensors, SeriesDecoder, SeriesStep, series_decoder
from device_runtime.engines import Engine
from device_runtime.errors import InputError
from device_runtime.events import Event, Gap
from device_runtime.frontends import AdaptiveFrontend, LookbackFrontend, WindowFrontend
from device_runtime.grid import Anchor, Grid, Item, Skip
from device_runtime.snapshots import Remembering, Snapshot, taken, taken_times

BATCH_VALUES = 2**20
"""Of the look-backs that are made at a time: bounds the memory that a long chunk takes, and is part of no result."""

MAX_STATE = 1e30
"""Of a saved state of the engine: far above any that a model reaches."""


@dataclass(frozen=True)
class Watched:
    """What was told at one time, and the step of the model that told it."""

    time_s: float
    step: SeriesStep | None
    """None for what no step tells, such as a gap."""

    events: list[Event]


class Reader(Protocol):
    """Samples to steps of the model; `time_s` of a step counts from the reader's reset."""

    sensors: Sensors
    piece: int
    """Samples to push at a time."""

    def push(self, samples: Float32) -> list[SeriesStep]:
        """Take checked samples, (n, channels)."""
        ...

    def check(self, samples: Float32) -> None:
        """Raise InputError if the samples cannot be used; takes nothing in."""
        ...

    def reset(self) -> None:
        """Forget everything measured so far."""
        ...

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        ...

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        ...


class Reencoded:
    """Look-backs, each read anew."""

    def __init__(self, frontend: LookbackFrontend, sensors: Sensors, engine: Engine, initial_state: Float32) -> None:
        self._frontend, self.sensors, self._engine, self._initial = frontend, sensors, engine, initial_state
        values = frontend.channels * frontend.segments * frontend.feature_size
        self.piece = frontend.every * max(1, BATCH_VALUES // values)
        self.check, self.reset = frontend.check, frontend.reset
        self.snapshot, self.restore = frontend.snapshot, frontend.restore

    def push(self, samples: Float32) -> list[SeriesStep]:
        """Make windows; score all of them in one call."""
        windows = self._frontend.push(samples)
        if not windows:
            return []
        frames = np.concatenate([window.frames for window in windows])
        scores = engines.last_scores(self._engine, self._initial, frames)
        parts = np.split(scores, len(windows))
        return [
            SeriesStep(w.time_s, w.values, w.frames, part, w.level, w.measured)
            for w, part in zip(windows, parts, strict=True)
        ]


class Carried:
    """Frames, with the model's state carried on."""

    def __init__(
        self, frontend: WindowFrontend | AdaptiveFrontend, sensors: Sensors, engine: Engine, initial_state: Float32
    ) -> None:
        self._frontend, self.sensors, self._engine, self._initial = frontend, sensors, engine, initial_state
        self.piece = frontend.segment * max(1, BATCH_VALUES // (64 * frontend.feature_size))
        self.check = frontend.check
        self.reset()

    def reset(self) -> None:
        """Forget everything measured so far."""
        self._frontend.reset()
        self._state = self._initial.copy()
        self._rest = np.zeros((0, self._frontend.channels), np.float32)  # of the frame that is not complete

    def push(self, samples: Float32) -> list[SeriesStep]:
        """Make frames; step the model with each."""
        frames = self._frontend.push(samples)
        rows = np.concatenate([self._rest, samples])
        level, steps, segment = np.zeros(self._frontend.channels, np.float32), [], self._frontend.segment
        for at, frame in enumerate(frames):
            scores, self._state = self._engine.step(frame.values, self._state)
            values = rows[at * segment : (at + 1) * segment].copy()
            measured = ~np.isnan(values).all(axis=0)
            shown = frame.values[None, None]
            steps.append(SeriesStep(frame.time_s, values, shown, np.array(scores)[None], level, measured))
        self._rest = rows[len(frames) * segment :].copy()
        return steps

    def snapshot(self) -> Snapshot:
        """The front end's, the engine's state, and the samples of the frame that is not complete."""
        return self._frontend.snapshot() | {"state": self._state.copy(), "rest": self._rest.copy()}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot."""
        state = taken(arrays, "state", np.float32, self._initial.shape)
        rest = taken(arrays, "rest", np.float32, (None, self._frontend.channels))
        if not np.all(np.abs(state) <= MAX_STATE) or len(rest) >= self._frontend.segment:  # also true for NaN
            raise InputError("the saved state of the model is damaged. Start without the state")
        self._frontend.restore(arrays)
        self._state, self._rest = state, rest


class Watching:
    """One stream of readings from its start; how it is cut into chunks changes nothing."""

    def __init__(self, reader: Reader, decoder: SeriesDecoder) -> None:
        self._reader, self.decoder, self.sensors = reader, decoder, reader.sensors
        self._absences = Absences(len(self.sensors.names), self.sensors.longest)
        self.reset()

    def reset(self) -> None:
        """Forget everything measured so far, and the clock."""
        self._forget()
        self._absences.reset()
        self._grid = Grid(self.sensors.interval_s, len(self.sensors.names))
        self.rows = self._rows_at_start = 0
        self._start_s = 0.0

    def _forget(self) -> None:
        self._reader.reset()
        self.decoder.reset()

    def check(self, samples: Float32) -> None:
        """Raise InputError if the samples cannot be used; takes nothing in."""
        self._reader.check(samples)

    def push(self, samples: Float32) -> Iterator[Watched]:
        """Take checked samples, one every `interval_s`, (n, channels)."""
        rows = samples.reshape(-1, len(self.sensors.names))
        for at in range(0, len(rows), self._reader.piece):
            for part in self._absences.split(rows[at : at + self._reader.piece]):
                yield from self._gaps(part.ended)
                if part.forget:
                    self._forget()
                if part.gone:
                    self.rows += len(part.rows)
                    self._rows_at_start = self.rows
                    continue
                first = self._rows_at_start
                self.rows += len(part.rows)
                for step in self._reader.push(part.rows):
                    time_s = self._time_s(first) + step.time_s
                    timed = replace(step, time_s=time_s)
                    yield Watched(time_s, timed, self.decoder.push(timed))

    def skip(self, rows: int) -> Iterator[Watched]:
        """Take so many samples in which nothing was measured, without making them all."""
        made = min(rows, self.sensors.longest)
        yield from self.push(np.full((made, len(self.sensors.names)), np.nan, np.float32))
        if rows > made:
            self._absences.skip(rows - made)
            self.rows += rows - made
            self._rows_at_start = self.rows

    def measure(self, times_s: npt.NDArray[np.float64], values: Float32) -> Iterator[Watched]:
        """Take readings with their times, (n,) and (n, channels), onto the regular grid."""
        for item in self._grid.push(times_s, values):
            yield from self._place(item)

    @property
    def newest_s(self) -> float:
        """When the newest reading of `measure` was made, NaN before any."""
        return self._grid.newest_s

    def finish(self) -> Iterator[Watched]:
        """Tell of the readings that wait for others in their interval: none will come."""
        for item in self._grid.finish():
            yield from self._place(item)

    def _place(self, item: Item) -> Iterator[Watched]:
        if isinstance(item, Gap):
            yield Watched(item.time_s, None, [item])
        elif isinstance(item, Skip):
            yield from self.skip(item.rows)
        elif isinstance(item, Anchor):
            self._start_s = item.time_s - (self.rows + 1) * self.sensors.interval_s
        else:
            yield from self.push(item.values)

    def _gaps(self, ended: list[tuple[int | None, int]]) -> Iterator[Watched]:
        for channel, rows in ended:
            time_s, name = self._time_s(self.rows + 1), None if channel is None else self.sensors.names[channel]
            gap = Gap(time_s, rows * self.sensors.interval_s, "no readings", name)
            yield Watched(time_s, None, [gap])

    def _time_s(self, rows: int) -> float:
        return self._start_s + rows * self.sensors.interval_s

    def snapshot(self) -> Snapshot:
        """All that it remembers."""
        clock = np.array([self._start_s])
        counts = np.array([self.rows, self._rows_at_start], np.int64)
        arrays: Snapshot = {"clock": clock, "counts": counts}
        for name, part in self._parts().items():
            arrays |= snapshots.under(name, part.snapshot())
        return arrays

    def _parts(self) -> dict[str, Remembering]:
        return {"reader": self._reader, "decoder": self.decoder, "absences": self._absences, "grid": self._grid}

    def restore(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a snapshot; after an InputError this stream is not to be used any more."""
        clock = taken_times(arrays, "clock", (1,))
        rows, at_start = taken(arrays, "counts", np.int64, (2,)).tolist()
        if not np.isfinite(clock).all() or not 0 <= at_start <= rows:
            raise InputError("the clock of the saved state is damaged. Start without the state")
        for name, part in self._parts().items():
            part.restore(snapshots.below(name, arrays))
        self._start_s, self.rows, self._rows_at_start = float(clock[0]), rows, at_start


def watching(
    bundle: Bundle, frontend: WindowFrontend | AdaptiveFrontend | LookbackFrontend, engine: Engine
) -> Watching:
    """The way from the readings that this front end of a bundle takes to the events of its decoder."""
    settings, initial = bundle.manifest.frontend, bundle.model.initial_state()
    sensors = Sensors(
        names=frontend.names,
        mean=np.array(settings.get("mean", np.zeros(frontend.channels)), np.float64),  # an adaptive one needs none
        std=np.array(settings.get("std", np.ones(frontend.channels)), np.float64),
        interval_s=frontend.interval_s,
        segment=frontend.segment,
        every=frontend.every,
        longest=frontend.longest,
    )
    decoder = series_decoder(bundle.manifest.decoder, bundle.manifest.labels, sensors)
    if isinstance(frontend, LookbackFrontend):
        return Watching(Reencoded(frontend, sensors, engine, initial), decoder)
    return Watching(Carried(frontend, sensors, engine, initial), decoder)
