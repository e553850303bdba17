"""Forecasts against what came: every window of a split, streamed through a session, beside two simple peers.

Errors are those of published tables: on readings in standard deviations of the training part, over every window whose
target lies in the split, one a sample; the look-back may reach into the part before, as on a device that has been
running. The intervals adapt as they would there: what is told at a time has seen nothing of what comes later.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime import engines
from device_runtime.arithmetic import Float32
from device_runtime.errors import InputError
from device_runtime.events import Forecast
from device_runtime.forecast_data import on_grid, span_of
from device_runtime.session import Session
from device_runtime.times import span

Float64 = npt.NDArray[np.float64]
DAY_S = 86_400
CHUNK = 512
"""Samples pushed at a time; part of no result."""


@dataclass(frozen=True)
class Errors:
    """What each forecast missed, in deviations: mean over (windows, horizon, channels) is what tables call MSE."""

    squared: Float64
    """Summed over windows, (horizon, channels)."""

    absolute: Float64
    count: Float64
    """Values that were read, (horizon, channels)."""

    by_window: Float64
    """Mean squared and mean absolute error of each window, (windows, 2): what a bootstrap draws from."""

    def mean(self) -> dict[str, float]:
        """Over all windows, steps ahead and channels."""
        total = self.count.sum()
        return {"mse": _round(self.squared.sum() / total), "mae": _round(self.absolute.sum() / total)}


@dataclass(frozen=True)
class ForecastEvaluation:
    """What streaming a split showed; `as_dict` has the numbers."""

    facts: dict[str, Any]
    model: Errors
    peers: Mapping[str, Errors]
    covered: Float64
    """Readings within the interval, (horizon, channels)."""

    width: Float64
    """Of the interval, in deviations, summed over windows, (horizon, channels)."""

    coverage: float
    """What the interval should hold."""

    segment: int
    names: tuple[str, ...]
    events: dict[str, int]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """All numbers, as plain values for JSON."""
        key = f"coverage_{round(100 * self.coverage)}"
        total = self.model.count.sum()
        return {
            **self.facts,
            **self.model.mean(),
            key: _round(self.covered.sum() / total),
            "interval_width": _round(self.width.sum() / total),
            "seconds": round(self.seconds, 1),
            "peers": {name: errors.mean() for name, errors in self.peers.items()},
            "per_horizon": [
                self._part(slice(at, at + self.segment), slice(None), key) | {"ahead": f"{at + 1}-{at + self.segment}"}
                for at in range(0, len(self.model.count), self.segment)
            ],
            "per_channel": {
                name: self._part(slice(None), slice(channel, channel + 1), key)
                for channel, name in enumerate(self.names)
            },
            "other_events": self.events,
        }

    def _part(self, ahead: slice, channels: slice, key: str) -> dict[str, Any]:
        at = ahead, channels
        total = self.model.count[at].sum() or math.nan  # nothing was read there
        sums = {
            "mse": self.model.squared,
            "mae": self.model.absolute,
            key: self.covered,
            "interval_width": self.width,
        }
        sums |= {f"mse_{name}": peer.squared for name, peer in self.peers.items()}
        means = {name: float(values[at].sum() / total) for name, values in sums.items()}
        return {name: _round(mean) if math.isfinite(mean) else None for name, mean in means.items()}


def evaluate_file(
    folder: Path | str,
    path: Path | str,
    split: str = "test",
    engine: str = engines.DEFAULT,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ForecastEvaluation:
    """Measure a forecaster on a split of a CSV file."""
    session = Session.open(folder, engine, every=1)
    rows = on_grid(Path(path), session.sensors)
    first, last = span_of(split, Path(path), rows, session)
    return evaluate(session, rows, first, last, {"split": split, "data": Path(path).name}, progress)


def evaluate(
    session: Session,
    rows: Float32,
    first: int,
    last: int,
    facts: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ForecastEvaluation:
    """Every window whose target lies in rows[first:last]; the session forecasts at every sample."""
    started, sensors = time.monotonic(), session.sensors
    settings = session.bundle.manifest.decoder
    horizon = settings["positions"] * sensors.segment
    first = max(first, sensors.longest)
    windows = last - first - horizon + 1
    if windows < 1:
        raise InputError(
            f"the split has {max(0, last - first)} samples behind a look-back of {sensors.longest}; at least {horizon} "
            "are needed for one forecast. Give it a longer log, or another split"
        )
    _check_moves(rows[first:last], sensors.names)
    scaled = (rows[first - sensors.longest : last] - sensors.mean) / sensors.std
    tally = _Tally(scaled, sensors.longest, horizon, windows, _season(sensors.interval_s, sensors.longest))
    session.reset()
    stream = rows[first - sensors.longest : last - horizon]
    others: dict[str, int] = {}
    for at in range(0, len(stream), CHUNK):
        for watched in session.watch(stream[at : at + CHUNK]):
            told = [event for event in watched.events if isinstance(event, Forecast)]
            for event in watched.events:
                if not isinstance(event, Forecast):
                    kind = event.as_dict()["event"]
                    others[kind] = others.get(kind, 0) + 1
            if watched.step is not None:
                newest = round(watched.time_s / sensors.interval_s) - 1
                tally.take(newest, told, sensors.names, sensors.mean, sensors.std)
        progress(max(0, min(at + CHUNK, len(stream)) - sensors.longest + 1), windows)
    told_facts = {
        "task": session.bundle.manifest.task,
        "bundle": session.bundle.manifest.name,
        "bundle_bytes": session.bundle.size_bytes,
        "device_bytes": session.bundle.device_bytes,
        "engine": session.engine.name,
        **(facts or {}),
        "windows": windows,
        "horizon": horizon,
        "look_back": sensors.longest,
        "interval": span(sensors.interval_s),
    }
    return tally.evaluation(told_facts, settings.get("coverage", 0.8), session, others, time.monotonic() - started)


class _Tally:
    """Adds up the errors of the forecasts and of the peers, window by window."""

    def __init__(self, scaled: Float64, longest: int, horizon: int, windows: int, season: int | None) -> None:
        self._scaled, self._longest, self._horizon, self._season = scaled, longest, horizon, season
        self._held = _held(scaled)
        self._kinds = ["model", "last_value", *(["seasonal_naive"] if season else [])]
        shape = horizon, scaled.shape[1]
        self._sums = {kind: np.zeros((2, *shape)) for kind in self._kinds}
        self._count, self._covered, self._width = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        self._by_window = {kind: np.full((windows, 2), np.nan) for kind in self._kinds}

    def take(self, newest: int, told: list[Forecast], names: tuple[str, ...], mean: Float64, std: Float64) -> None:
        """The forecasts that were told when row `newest` was the newest."""
        actual = self._scaled[newest + 1 : newest + 1 + self._horizon]
        bounds = np.full((3, *actual.shape), np.nan)
        for event in told:
            channel = names.index(event.channel)
            bounds[:, :, channel] = event.median, event.low, event.high
        middle, low, high = (bounds - mean) / std
        known = np.isfinite(actual) & np.isfinite(middle)
        self._count += known
        self._covered += known & (low <= actual) & (actual <= high)
        self._width += np.where(known, high - low, 0.0)
        window = newest + 1 - self._longest
        forecasts = {"model": middle, "last_value": np.broadcast_to(self._held[newest], actual.shape)}
        if self._season:
            cycle = newest + 1 - self._season + np.arange(self._horizon) % self._season
            forecasts["seasonal_naive"] = self._held[cycle]
        for kind in self._kinds:
            missed = np.where(known, forecasts[kind] - actual, 0.0)
            self._sums[kind] += missed * missed, np.abs(missed)
            values = max(1, int(known.sum()))
            self._by_window[kind][window] = (missed * missed).sum() / values, np.abs(missed).sum() / values

    def evaluation(
        self, facts: dict[str, Any], coverage: float, session: Session, events: dict[str, int], seconds: float
    ) -> ForecastEvaluation:
        """All of it."""
        if not self._count.sum():
            raise InputError("nothing was read where forecasts were to be measured: all values are missing")
        errors = {
            kind: Errors(self._sums[kind][0], self._sums[kind][1], self._count, self._by_window[kind])
            for kind in self._kinds
        }
        if self._season:
            facts = {**facts, "season": span(self._season * session.sensors.interval_s)}
        model = errors.pop("model")
        sensors = session.sensors
        return ForecastEvaluation(
            facts, model, errors, self._covered, self._width, coverage, sensors.segment, sensors.names, events, seconds
        )


def _held(scaled: Float64) -> Float64:
    """The last reading at each row, the mean before any."""
    known = ~np.isnan(scaled)
    latest = np.maximum.accumulate(np.where(known, np.arange(len(scaled))[:, None], 0), axis=0)
    held = np.take_along_axis(scaled, latest, axis=0)
    return np.where(np.isnan(held), 0.0, held)


def _season(interval_s: float, longest: int) -> int | None:
    """Samples of a day, if the interval divides it and the look-back spans it."""
    samples = round(DAY_S / interval_s)
    divides = samples > 1 and abs(samples * interval_s - DAY_S) < 1e-6 * DAY_S
    return samples if divides and samples <= longest else None


def _check_moves(rows: Float32, names: tuple[str, ...]) -> None:
    for channel, name in enumerate(names):
        values = rows[:, channel][~np.isnan(rows[:, channel])]
        if len(values) and values.min() == values.max():
            raise InputError(
                f"{name} is {values[0]:.6g} throughout: nothing can be measured on a constant series. Is the sensor "
                "stuck? Name another file or split"
            )


def _round(value: float) -> float:
    return round(float(value), 5)
