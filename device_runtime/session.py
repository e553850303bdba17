"""A session: chunks of samples in, events out. It alone remembers; everything else is given its state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime import bundle as bundles
from device_runtime import decoders, engines, frontends
from device_runtime.arithmetic import Float32
from device_runtime.bundle import Bundle
from device_runtime.decoders import Armed
from device_runtime.errors import BundleError, InputError
from device_runtime.events import Event
from device_runtime.hearing import Hearing, hearing
from device_runtime.meant import meant

PIECE_FRAMES = 32
"""Frames made at a time: bounds the memory that a long chunk takes, and is part of no result."""


@dataclass(frozen=True)
class Step:
    """What one step of the model led to."""

    time_s: float
    """Seconds of input since the start or the last reset."""

    scores: Float32
    """Smoothed probability of each label, (labels,)."""

    events: list[Event]

    armed: Armed
    """Which labels may fire after it, (labels,)."""


class Session:
    """One stream through one bundle.

    >>> session = Session.open("demo.bundle")  # doctest: +SKIP
    >>> session.push(samples)  # doctest: +SKIP
    [Detection(label='yes', time_s=1.25, score=0.93)]
    """

    def __init__(self, bundle: Bundle, engine: str = engines.DEFAULT, thresholds: Mapping[str, float] | None = None):
        manifest = bundle.manifest
        self.bundle = bundle
        self.labels = manifest.labels
        self.engine = engines.load(engine, bundle)
        self.frontend = frontends.frontend(manifest.frontend)
        if self.frontend.feature_size != bundle.model.feature_size:
            raise BundleError(
                f"{bundle.folder}: the front end makes frames of {self.frontend.feature_size} features, but the model "
                f"takes {bundle.model.feature_size}. Get the bundle again, or correct the front end's settings"
            )
        settings = _with_thresholds(manifest.decoder, thresholds or {}, self.labels)
        self.thresholds: Mapping[str, float] = settings["thresholds"]
        self.decoder = decoders.decoder(settings, self.labels, self.frontend.frame_s)
        self._piece = max(1, int(PIECE_FRAMES * self.frontend.frame_s * self.frontend.sample_rate_hz))
        self.reset()

    @classmethod
    def open(
        cls, folder: Path | str, engine: str = engines.DEFAULT, thresholds: Mapping[str, float] | None = None
    ) -> Session:
        """Read and verify a bundle, ready for its first sample; `thresholds` override the bundle's own."""
        return cls(bundles.read(folder), engine, thresholds)

    def reset(self) -> None:
        """Forget everything heard so far."""
        self.frontend.reset()
        self.decoder.reset()
        self._hearing: Hearing | None = None

    def push(self, samples: Float32) -> list[Event]:
        """Take any number of samples; return the events that they completed."""
        events: list[Event] = []
        for times_s, scores in self._heard(samples):
            events += self.decoder.events(scores, times_s)
        return events

    def listen(self, samples: Float32) -> Iterator[Step]:
        """Take samples as `push` does, telling of each step; what is not asked for is not heard."""
        for times, scores in self._heard(samples):
            times_s = list(times)
            decoded = self.decoder.push(scores, times_s)
            for step in zip(times_s, decoded.scores, decoded.events, decoded.armed, strict=True):
                yield Step(*step)

    def _heard(self, samples: Float32) -> Iterator[tuple[Iterable[float], Float32]]:
        """The steps of each piece of the samples: times and scores."""
        if self._hearing is None:
            self._hearing = hearing(self.frontend, self.engine, self.bundle.model.initial_state())
        pieces = [samples]
        if type(samples) is not np.ndarray or samples.size > self._piece:  # one piece is checked where it is heard
            self.frontend.check(samples)
            pieces = [samples[at : at + self._piece] for at in range(0, len(samples), self._piece)]
        for piece in pieces:
            times_s, scores = self._hearing.push(piece)
            if len(scores):
                yield times_s, scores


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
