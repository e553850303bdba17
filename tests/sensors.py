"""Random forecasters, readings with a daily rhythm, and logs of them, for tests that need no training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime import bundle, golden
from device_runtime.arithmetic import Float32, Model
from device_runtime.manifest import Manifest
from device_runtime.times import moment
from models import random_frames, tiny_model

START_S = 1_467_331_200.0
"""2016-07-01, midnight."""

HOUR_S = 3600.0
NAMES = ("load", "oil")
LOOKBACK: dict[str, Any] = {
    "kind": "lookback",
    "interval_s": HOUR_S,
    "channels": list(NAMES),
    "mean": [10.0, 20.0],
    "std": [3.0, 5.0],
    "segment": 6,
    "segments": 8,
    "every": 6,
    "level": "last",
    "gaps": "hold",
}
FORECAST: dict[str, Any] = {"kind": "forecast", "positions": 2, "coverage": 0.8, "rate": 0.02}
EAGER: dict[str, Any] = {"drift": 0.3, "rate": 0.1}
"""Settings of a forecast whose drift a random model soon tells."""

QUANTILES = ("p10", "p50", "p90")


def forecaster(seed: int = 0, feature_size: int = 6) -> Model:
    """A random model that forecasts two segments of six samples, three quantiles each."""
    return tiny_model(seed, (("gru", 12), ("decode", 2)), feature_size, 3, linear=(6, 8))


def write_forecaster(
    folder: Path, lookback: dict[str, Any] | None = None, forecast: dict[str, Any] | None = None, seed: int = 0
) -> bundle.Bundle:
    """A bundle that forecasts `NAMES` twelve hours ahead from two days."""
    settings = {**LOOKBACK, **(lookback or {})}
    coded = len(settings["mean"]) if settings.get("channel_code") else 0
    features = settings["segment"] * (2 if settings["gaps"] == "mask" else 1) + coded
    model = forecaster(seed, features)
    manifest = Manifest(
        name="tiny forecaster",
        task="forecasting",
        labels=QUANTILES,
        frontend=settings,
        decoder={**FORECAST, **(forecast or {})},
    )

    def write_files(temporary: Path) -> None:
        golden.write(temporary / golden.GOLDEN, golden.record(model, random_frames(20, model.feature_size)))

    bundle.write(folder, manifest, model, write_files)
    return bundle.read(folder)


def readings(count: int, seed: int = 0, gaps: float = 0.0) -> Float32:
    """Hourly readings of `NAMES` with a rhythm of a day, (count, 2); a share of them is missing."""
    rng = np.random.default_rng(seed)
    day = np.sin(np.arange(count) * 2 * np.pi / 24)[:, None]
    values = np.array([10.0, 20.0]) + np.array([3.0, 5.0]) * (day + rng.normal(0, 0.3, (count, 2)))
    values[rng.random((count, 2)) < gaps] = np.nan
    return values.astype(np.float32)


def times(count: int, interval_s: float = HOUR_S) -> np.ndarray:
    """Of so many readings at that interval, (count,)."""
    return START_S + np.arange(count) * interval_s


def log_lines(values: Float32, times_s: np.ndarray | None = None, names: Sequence[str] = NAMES) -> list[str]:
    """The lines of a CSV log."""
    when = times(len(values)) if times_s is None else times_s
    rows = (",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in values)
    return [f"date,{','.join(names)}", *(f"{moment(t)},{row}" for t, row in zip(when, rows, strict=True))]


def write_log(path: Path, values: Float32, times_s: np.ndarray | None = None) -> Path:
    """A CSV log of the readings."""
    path.write_text("\n".join([*log_lines(values, times_s), ""]))
    return path


def write_estimator(folder: Path) -> bundle.Bundle:
    """A bundle that estimates from five hours at a time what `NAMES` do not tell."""
    model = tiny_model(5, (("gru", 9),), 10, 1)
    sensors = {key: LOOKBACK[key] for key in ("interval_s", "channels", "mean", "std", "gaps")}
    manifest = Manifest(
        name="tiny estimator",
        task="remaining_life",
        labels=("life",),
        frontend={"kind": "window", **sensors, "segment": 5, "forget": 40},
        decoder={
            "kind": "estimate",
            "name": "remaining_life",
            "scale": 100.0,
            "cap": 125.0,
            "below": 10.0,
            "above": 8.0,
        },
    )
    bundle.write(folder, manifest, model, lambda _: None)
    return bundle.read(folder)
