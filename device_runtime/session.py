"""A session: chunks of samples in, events out. It alone remembers; everything else is given its state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime import bundle as bundles
from device_runtime import decoders, engines, frontends, states
from device_runtime.arithmetic import Float32
from device_runtime.bundle import Bundle
from device_runtime.decoders import Armed, Sensors, SeriesDecoder, Smooth
from device_runtime.errors import BundleError, InputError
from device_runtime.events import Detection, Event
from device_runtime.frontends import Frontend
from device_runtime.hearing import Hearing, hearing
from device_runtime.manifest import Manifest
from device_runtime.meant import meant
from device_runtime.snapshots import Snapshot
from device_runtime.watching import Watched, Watching, watching

PIECE_FRAMES = 32
"""Frames made at a time: bounds the memory that a long chunk takes, and is part of no result."""


@dataclass(frozen=True)
class Step:
    """What one step of a model of words led to."""

    time_s: float
    """Seconds of input since the start or the last reset."""

    scores: Float32
    """Smoothed probability of each label, (labels,)."""

    events: list[Detection]

    armed: Armed
    """Which labels may fire after it, (labels,)."""


class Session:
    """One stream through one bundle, of sound or of sensors.

    >>> session = Session.open("demo.bundle")  # doctest: +SKIP
    >>> session.push(samples)  # doctest: +SKIP
    [Detection(label='yes', time_s=1.25, score=0.93)]

    Samples of sensors are float32 (n, channels), one row every `sensors.interval_s`, NaN where nothing was read; with
    `measure` they come at any times.
    """

    def __init__(
        self,
        bundle: Bundle,
        engine: str = engines.DEFAULT,
        thresholds: Mapping[str, float] | None = None,
        every: int | None = None,
    ):
        manifest = bundle.manifest
        self.bundle = bundle
        self.labels = manifest.labels
        self.engine = engines.load(engine, bundle)
        self._settings = _with_every(manifest, every)
        self._words: _Words | None = None
        self._watching: Watching | None = None
        if manifest.decoder["kind"] in decoders.DECODERS:
            self._words = self._hears(thresholds or {})
        else:
            self._watching = self._watches(thresholds or {})
        self.reset()

    @classmethod
    def open(
        cls,
        folder: Path | str,
        engine: str = engines.DEFAULT,
        thresholds: Mapping[str, float] | None = None,
        every: int | None = None,
    ) -> Session:
        """Read and verify a bundle, ready for its first sample; `thresholds` and `every` override the bundle's own.

        `every`: samples of sensors from one forecast to the next.
        """
        return cls(bundles.read(folder), engine, thresholds, every)

    def _frontend(self) -> Any:
        made = frontends.frontend(self._settings)
        if made.feature_size != self.bundle.model.feature_size:
            raise BundleError(
                f"{self.bundle.folder}: the front end makes frames of {made.feature_size} features, but the model "
                f"takes {self.bundle.model.feature_size}. Get the bundle again, or correct the front end's settings"
            )
        return made

    def _hears(self, thresholds: Mapping[str, float]) -> _Words:
        frontend = self._frontend()
        settings = _with_thresholds(self.bundle.manifest.decoder, thresholds, self.labels)
        decoder = decoders.decoder(settings, self.labels, frontend.frame_s)
        piece = max(1, int(PIECE_FRAMES * frontend.frame_s * frontend.sample_rate_hz))
        return _Words(frontend, decoder, settings["thresholds"], piece)

    def _watches(self, thresholds: Mapping[str, float]) -> Watching:
        if thresholds:
            raise InputError(f"{self.bundle.folder} watches sensors; it has no words to set a threshold for")
        return watching(self.bundle, self._frontend(), self.engine)

    def reset(self) -> None:
        """Forget everything since the start."""
        if self._watching is not None:
            self._watching.reset()
        if self._words is not None:
            self._words.frontend.reset()
            self._words.decoder.reset()
        self._hearing: Hearing | None = None

    def push(self, samples: Float32) -> list[Event]:
        """Take any number of samples; return the events that they completed."""
        if self._watching is not None:
            return [event for watched in self.watch(samples) for event in watched.events]
        events: list[Event] = []
        for times_s, scores in self._heard(samples):
            events += self.decoder.events(scores, times_s)
        return events

    @property
    def frontend(self) -> Frontend:
        """Of a session that hears words."""
        return self._hearer().frontend

    @property
    def decoder(self) -> Smooth:
        """Of a session that hears words."""
        return self._hearer().decoder

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Of a session that hears words: the probability at which each fires."""
        return self._hearer().thresholds

    def listen(self, samples: Float32) -> Iterator[Step]:
        """Take samples of sound as `push` does, telling of each step; what is not asked for is not heard."""
        for times, scores in self._heard(samples):
            times_s = list(times)
            decoded = self.decoder.push(scores, times_s)
            for step in zip(times_s, decoded.scores, decoded.events, decoded.armed, strict=True):
                yield Step(*step)

    def _heard(self, samples: Float32) -> Iterator[tuple[Iterable[float], Float32]]:
        """The steps of each piece of the samples: times and scores."""
        words = self._hearer()
        if self._hearing is None:
            self._hearing = hearing(words.frontend, self.engine, self.bundle.model.initial_state())
        pieces = [samples]
        if type(samples) is not np.ndarray or samples.size > words.piece:  # one piece is checked where it is heard
            words.frontend.check(samples)
            pieces = [samples[at : at + words.piece] for at in range(0, len(samples), words.piece)]
        for piece in pieces:
            times_s, scores = self._hearing.push(piece)
            if len(scores):
                yield times_s, scores

    @property
    def watches(self) -> bool:
        """Whether it takes readings of sensors, not sound."""
        return self._watching is not None

    @property
    def sensors(self) -> Sensors:
        """Of a session that watches sensors: their names, interval and scales."""
        return self._watcher().sensors

    @property
    def first_step(self) -> int:
        """Of a session that watches sensors: how many samples it needs before it can tell anything."""
        sensors = self._watcher().sensors
        return sensors.longest if "every" in self._settings else sensors.segment

    @property
    def series_decoder(self) -> SeriesDecoder:
        """Of a session that watches sensors."""
        return self._watcher().decoder

    def watch(self, samples: Float32) -> Iterator[Watched]:
        """Take readings as `push` does, telling of each step of the model; what is not asked for is not taken in."""
        watcher = self._watcher()
        watcher.check(samples)
        yield from watcher.push(samples)

    def skip(self, rows: int) -> Iterator[Watched]:
        """Take so many samples of sensors in which nothing was read, as if each were pushed as NaN, at no cost."""
        yield from self._watcher().skip(rows)

    def measure(self, times_s: npt.NDArray[np.float64], values: Float32) -> list[Event]:
        """Take readings at any times, seconds since 1970 (n,) and float32 (n, channels); return their events.

        They are put onto the grid of `sensors.interval_s`: small deviations count for nothing, gaps become missing
        samples, several readings in an interval their mean. A clock that stands still or goes back is told as a Gap.
        """
        return [event for watched in self.watch_timed(times_s, values) for event in watched.events]

    def watch_timed(self, times_s: npt.NDArray[np.float64], values: Float32) -> Iterator[Watched]:
        """Take readings as `measure` does, telling of each step of the model."""
        watcher = self._watcher()
        watcher.check(values)
        if times_s.shape != (len(values),) or not np.isfinite(times_s).all():
            raise InputError(
                f"each reading needs one finite time, got {times_s.shape} times for {len(values)} readings"
            )
        yield from watcher.measure(times_s, values.reshape(len(values), len(watcher.sensors.names)))

    def finish(self) -> Iterator[Watched]:
        """No reading follows those of `measure`: tell what was held back for others in its interval."""
        yield from self._watcher().finish()

    @property
    def samples(self) -> int:
        """Of sensors, one every interval since the start or the last reset, read or missing."""
        return self._watcher().rows

    @property
    def newest_s(self) -> float:
        """When the newest reading of `measure` was made, NaN before any."""
        return self._watcher().newest_s

    def snapshot(self) -> Snapshot:
        """All that a session of sensors remembers, as `save` stores it; what follows does not change it."""
        return {name: array.copy() for name, array in self._watcher().snapshot().items()}

    def save(self, path: Path | str, snapshot: Snapshot | None = None) -> None:
        """Store all that a session of sensors remembers, or did at a `snapshot`, in one file, whole or not at all."""
        states.write(Path(path), self._key(), self.snapshot() if snapshot is None else snapshot)

    def restore(self, path: Path | str) -> Snapshot:
        """Go on from a saved state, as if there had been no break, and return it.

        InputError, and nothing changed, if it is unfit.
        """
        self._watcher()
        fresh, stored = self._watches({}), states.read(Path(path), self._key())
        fresh.restore(stored)
        self._watching = fresh
        return stored

    def _key(self) -> npt.NDArray[np.int8]:
        return states.key(self.bundle, {"frontend": self._settings, "decoder": self.bundle.manifest.decoder})

    def _hearer(self) -> _Words:
        if self._words is None:
            raise InputError(f"{self.bundle.folder} watches sensors and hears no words. Use: session.watch(readings)")
        return self._words

    def _watcher(self) -> Watching:
        if self._watching is None:
            raise InputError(f"{self.bundle.folder} hears words and watches no sensors. Use: session.listen(samples)")
        return self._watching


@dataclass(frozen=True)
class _Words:
    """What a session that hears words is made of."""

    frontend: Frontend
    decoder: Smooth
    thresholds: Mapping[str, float]
    piece: int
    """Samples to hear at a time."""


def _with_every(manifest: Manifest, every: int | None) -> Mapping[str, Any]:
    if every is None:
        return manifest.frontend
    if "every" not in manifest.frontend:
        raise InputError(f"{manifest.name} has no look-back, so that every must not be given")
    settings = {**manifest.frontend, "every": every}
    try:  # the bounds of a manifest hold for what takes its place, too
        Manifest.from_dict({**manifest.as_dict(), "frontend": settings})
    except BundleError as error:
        raise InputError(f"every = {every} does not do: {error}") from None
    return settings


def _with_thresholds(
    settings: Mapping[str, Any], thresholds: Mapping[str, float], labels: tuple[str, ...]
) -> dict[str, Any]:
    for label, threshold in thresholds.items():
        if label not in labels:
            near = meant(label, labels)
            raise InputError(f"the bundle has no word {label!r}{near}. Its words: {', '.join(labels)}")
        if not 0 <= threshold <= 1:
            raise InputError(f"the threshold of {label} must be a probability from 0 to 1, got {threshold}")
    return {**settings, "thresholds": {**settings.get("thresholds", {}), **thresholds}}
