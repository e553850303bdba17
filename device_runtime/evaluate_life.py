"""Remaining life against the truth: every test engine streamed through a session from its first cycle to its last.

What counts is the last estimate of each engine, as in published tables; truth and estimate are at most the cap that the
bundle was trained with, since an engine that is new says nothing of its end. The interval of the error comes from
drawing the engines anew: they are the units that are independent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device_runtime import engines
from device_runtime.decoders.estimate import EstimateDecoder
from device_runtime.engine_lives import Life, read_lives
from device_runtime.errors import InputError
from device_runtime.events import Estimate
from device_runtime.session import Session
from device_runtime.tables import table

Float64 = npt.NDArray[np.float64]
SUBSET = "FD001"
"""Of C-MAPSS, where the bundle's card names none as `subset`."""

DRAWS = 10_000
EARLY, LATE = 13.0, 10.0
"""Cycles by which an estimate may be too low or too high for the same score: NASA's scoring, PHM08 (Saxena 2008)."""

BANDS = (25, 50, 75, 100)
"""Cycles left at which the bands of the summary end."""


@dataclass(frozen=True)
class LifeEvaluation:
    """What streaming the engines showed; `as_dict` has the numbers. All arrays are (engines,), in cycles."""

    facts: dict[str, Any]
    truth: Float64
    """At most the cap."""

    estimate: Float64
    low: Float64
    high: Float64
    seconds: float

    @property
    def missed(self) -> Float64:
        """Estimate less truth: above 0, the engine was thought to last longer than it did."""
        return self.estimate - self.truth

    def as_dict(self) -> dict[str, Any]:
        """All numbers, as plain values for JSON."""
        inside = (self.low <= self.truth) & (self.truth <= self.high)
        return {
            **self.facts,
            "units": len(self.truth),
            "rmse": _round(rmse(self.missed)),
            "interval_95": [_round(end) for end in interval(self.missed)],
            "mae": _round(np.abs(self.missed).mean()),
            "bias": _round(self.missed.mean()),
            "nasa_score": _round(nasa_score(self.missed)),
            "coverage_80": _round(inside.mean()),
            "interval_width": _round((self.high - self.low).mean()),
            "per_band": self._bands(),
            "seconds": round(self.seconds, 1),
        }

    def _bands(self) -> list[dict[str, Any]]:
        """The error by cycles that are left."""
        band = np.digitize(self.truth, BANDS)
        names = [f"{low}-{high}" for low, high in zip((0, *BANDS), (*(end - 1 for end in BANDS), "cap"), strict=True)]
        return [
            {"cycles_left": name, "units": int((band == at).sum()), "rmse": _round(rmse(self.missed[band == at]))}
            for at, name in enumerate(names)
            if (band == at).any()
        ]


def rmse(missed: Float64) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(missed))))


def nasa_score(missed: Float64) -> float:
    """The sum over engines of exp(|d| / 13) - 1 where the estimate is too low, exp(|d| / 10) - 1 where it is too high.

    >>> round(nasa_score(np.array([-13.0, 10.0])), 4) == round(2 * (np.e - 1), 4)
    True
    """
    return float(np.expm1(np.where(missed < 0, -missed / EARLY, missed / LATE)).sum())


def interval(missed: Float64, draws: int = DRAWS, seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the root mean square error, by a bootstrap over engines (Efron 1979)."""
    picked = np.random.default_rng(seed).integers(len(missed), size=(draws, len(missed)))
    drawn = np.sqrt(np.square(missed)[picked].mean(axis=1))
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def evaluate_folder(
    bundle: Path | str,
    folder: Path | str,
    split: str = "test",
    engine: str = engines.DEFAULT,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LifeEvaluation:
    """Measure a bundle on the test engines in a folder of C-MAPSS."""
    if split != "test":
        raise InputError(
            f"remaining life is measured on the split test, got {split}. Engines to train on have none left"
        )
    session = Session.open(bundle, engine)
    subset = session.bundle.manifest.card.get("subset", SUBSET)
    if not isinstance(subset, str) or not subset.isalnum():
        raise InputError(f"the card of {bundle} must name a subset like {SUBSET}, got {str(subset)[:40]!r}")
    lives = read_lives(Path(folder), subset, session.sensors.names)
    return evaluate(session, lives, {"split": split, "data": f"C-MAPSS {subset}"}, progress)


def evaluate(
    session: Session,
    lives: Sequence[Life],
    facts: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LifeEvaluation:
    """The last estimate of each engine, streamed from its first cycle."""
    started = time.monotonic()
    if not isinstance(session.series_decoder, EstimateDecoder):
        raise InputError(f"{session.bundle.folder} estimates nothing: its decoder must be of the kind estimate")
    told = []
    for done, life in enumerate(lives, 1):
        session.reset()
        estimates = [event for event in session.push(life.readings) if isinstance(event, Estimate)]
        if not estimates:
            raise InputError(f"engine {life.unit} has {len(life.readings)} cycles, too few for one estimate")
        told.append((estimates[-1].value, estimates[-1].low, estimates[-1].high))
        progress(done, len(lives))
    cap = session.series_decoder.cap
    value, low, high = np.array(told).T
    truth = np.minimum([life.left for life in lives], cap)
    named = {
        "task": session.bundle.manifest.task,
        "bundle": session.bundle.manifest.name,
        "bundle_bytes": session.bundle.size_bytes,
        "device_bytes": session.bundle.device_bytes,
        "engine": session.engine.name,
        **(facts or {}),
        "cap": cap,
    }
    return LifeEvaluation(named, truth, value, low, high, time.monotonic() - started)


def summary(numbers: Mapping[str, Any]) -> str:
    """The numbers as a person reads them."""
    low, high = numbers["interval_95"]
    return "\n".join(
        (
            f"{numbers['bundle']} ({numbers['engine']}) on {numbers['data']}, {numbers['split']}: the last estimate of "
            f"{numbers['units']} engines",
            f"RMSE {numbers['rmse']:.2f} cycles (95 %: {low:.2f} to {high:.2f}), MAE {numbers['mae']:.2f}, bias "
            f"{numbers['bias']:+.2f}, NASA's score {numbers['nasa_score']:.0f}",
            f"the 80 % interval held {100 * numbers['coverage_80']:.0f} % and was {numbers['interval_width']:.0f} "
            f"cycles wide; truth and estimates are at most {numbers['cap']:.0f}\n",
            table([dict(band) for band in numbers["per_band"]]),
        )
    )


def _round(value: float) -> float:
    return round(float(value), 4)
