"""What changed between two bundles that forecast: errors of the same windows, parts and units on some of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from device_runtime import engines, flat
from device_runtime.arithmetic import Float32, Model
from device_runtime.bundle import Bundle
from device_runtime.evaluate_forecast import ForecastEvaluation, evaluate
from device_runtime.session import Session
from scenarios.comparing import changes
from scenarios.comparing.changes import FIRST, SECOND, Change
from scenarios.comparing.parts import parts
from scenarios.comparing.told import Told
from scenarios.comparing.transplant import moved
from train.bootstrap import Difference, paired_difference

PART_WINDOWS = 150
"""About so many windows, at equal distances, are forecast again for each part and each hidden unit."""

MOST_CHANGED = 20


@dataclass(frozen=True)
class Log:
    """The readings of a split."""

    rows: Float32
    """(samples, channels), one every interval."""

    first: int
    """Where what is forecast begins."""

    last: int
    start_s: float
    """When the first row was read, seconds since 1970."""

    facts: dict[str, Any]
    """Its file and split."""


@dataclass(frozen=True)
class ErrorChange:
    """The mean squared error of a model with one thing changed, beside that of the model itself."""

    of: str
    part: str
    how: str
    mse: float
    own: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "of": self.of,
            "part": self.part,
            "how": self.how,
            "mse": round(self.mse, 5),
            "difference": round(self.mse - self.own, 5),
        }


@dataclass(frozen=True)
class ForecastComparison:
    """All of it; `as_dict` has the numbers."""

    bundles: tuple[Bundle, Bundle]
    log: Log
    evaluations: tuple[ForecastEvaluation, ForecastEvaluation]
    squared: Difference
    """Of the second less the first."""

    absolute: Difference
    apart: str
    """Why no part of one model fits into the other; empty where all do."""

    every: int
    """Of so many windows one is forecast again for each part and unit."""

    own: dict[str, float]
    """Mean squared error on those windows, by FIRST and SECOND."""

    moved: dict[str, float]
    parts: list[ErrorChange]
    units: list[ErrorChange]

    def changed_most(self) -> list[tuple[int, float, float]]:
        """(window, squared error before, after), the largest change first."""
        before, after = (evaluation.model.by_window[:, 0] for evaluation in self.evaluations)
        order = np.argsort(-np.abs(np.nan_to_num(after - before)), kind="stable")[:MOST_CHANGED]
        return [(int(at), float(before[at]), float(after[at])) for at in order if before[at] != after[at]]

    def target_s(self, window: int) -> float:
        """When the first sample that a window forecasts was read, seconds since 1970."""
        return self.log.start_s + (self.log.first + window) * self.bundles[0].manifest.frontend["interval_s"]

    def by(self, axis: str) -> list[tuple[str, float, float]]:
        """(which, mean squared error before, after) of each channel or stretch of the horizon that was read."""
        dicts = [evaluation.as_dict() for evaluation in self.evaluations]
        if axis == "channel":
            return [
                (name, before["mse"], dicts[1]["per_channel"][name]["mse"])
                for name, before in dicts[0]["per_channel"].items()
                if before["mse"] is not None
            ]
        step = self.evaluations[0].segment
        ends = [(at, at + step) for at in range(0, len(self.evaluations[0].model.count), step)]
        read = self.evaluations[0].model.count
        return [(f"{at + 1}-{end}", *self._mse(at, end)) for at, end in ends if read[at:end].sum()]

    def _mse(self, at: int, end: int) -> tuple[float, float]:
        """Of samples from `at` ahead to `end`: of the first model and the second."""
        errors = [evaluation.model for evaluation in self.evaluations]
        before, after = (float(e.squared[at:end].sum() / e.count[at:end].sum()) for e in errors)
        return before, after

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        first, second = (evaluation.as_dict() for evaluation in self.evaluations)
        return {
            **{key: first[key] for key in ("task", "split", "data", "windows", "horizon", "interval")},
            "first": _facts(first),
            "second": _facts(second),
            "mse": _difference(self.squared),
            "mae": _difference(self.absolute),
            "windows_better": int(np.sum(self._gaps() < 0)),
            "windows_worse": int(np.sum(self._gaps() > 0)),
            "per_channel": _both(self.by("channel")),
            "per_horizon": _both(self.by("horizon")),
            "windows_changed_most": [
                {"window": at, "from_s": self.target_s(at), "first": round(before, 5), "second": round(after, 5)}
                for at, before, after in self.changed_most()
            ],
            "parts": {
                "fit": not self.apart,
                "why_not": self.apart,
                "every": self.every,
                "moved": {name: round(far, 4) for name, far in self.moved.items()},
                "own_mse": {of: round(mse, 5) for of, mse in self.own.items()},
                "results": [result.as_dict() for result in self.parts],
            },
            "units": {"every": self.every, "results": [result.as_dict() for result in self.units]},
        }

    def _gaps(self) -> np.ndarray:
        before, after = (evaluation.model.by_window[:, 0] for evaluation in self.evaluations)
        return after - before


def compare(bundles: tuple[Bundle, Bundle], log: Log, engine: str, told: Told) -> ForecastComparison:
    """Both bundles on the same windows; then every part and every unit on some of them."""
    first = max(log.first, *(Session(bundle, engine).sensors.longest for bundle in bundles))
    log = replace(log, first=first)
    before, after = (_evaluated(bundle, log, engine, 1, told(f"windows, {bundle.manifest.name}")) for bundle in bundles)
    models = bundles[0].model, bundles[1].model
    apart = changes.apart(*bundles)
    every = max(1, len(before.model.by_window) // PART_WINDOWS)
    own = {of: _mse(bundle, log, every) for of, bundle in zip((FIRST, SECOND), bundles, strict=True)}
    by_name = dict(zip((FIRST, SECOND), bundles, strict=True))

    def measured(changed: Sequence[Change], what: str) -> Iterator[ErrorChange]:
        shown = told(what)
        for at, change in enumerate(changed):
            mse = _mse(_with_model(by_name[change.of], change.model), log, every)
            yield ErrorChange(change.of, change.part, change.how, mse, own[change.of])
            shown(at + 1, len(changed))

    return ForecastComparison(
        bundles,
        log,
        (before, after),
        _paired(before, after, 0),
        _paired(before, after, 1),
        apart,
        every,
        own,
        {} if apart else {part.name: moved(part, *models) for part in parts(models[0])},
        list(measured(changes.of_parts(*models, apart), "parts")),
        list(measured(changes.of_units(*models), "hidden units")),
    )


def _evaluated(bundle: Bundle, log: Log, engine: str, every: int, shown: Any = lambda done, total: None) -> Any:
    return evaluate(Session(bundle, engine, every=every), log.rows, log.first, log.last, log.facts, shown)


def _mse(bundle: Bundle, log: Log, every: int) -> float:
    errors = _evaluated(bundle, log, engines.DEFAULT, every).model
    return float(errors.squared.sum() / errors.count.sum())


def _with_model(bundle: Bundle, model: Model) -> Bundle:
    """The bundle as if its weights were others; the native engine reads them, not a file."""
    files = {name: entry for name, entry in bundle.manifest.files.items() if name != flat.FILE}
    return replace(bundle, model=model, manifest=replace(bundle.manifest, files=files))


def _paired(before: ForecastEvaluation, after: ForecastEvaluation, kind: int) -> Difference:
    """Blocks as long as what two windows share: the longer of look-back and horizon, where two fit."""
    errors = [evaluation.model.by_window[:, kind] for evaluation in (after, before)]
    known = np.isfinite(errors[0]) & np.isfinite(errors[1])
    block = max(before.facts["look_back"], after.facts["look_back"], before.facts["horizon"])
    return paired_difference(errors[0][known], errors[1][known], max(1, min(block, int(known.sum()) // 2)))


def _facts(numbers: dict[str, Any]) -> dict[str, Any]:
    keys = ("bundle", "bundle_bytes", "device_bytes", "engine", "look_back", "mse", "mae")
    return {key: numbers[key] for key in keys}


def _difference(difference: Difference) -> dict[str, Any]:
    interval = [round(difference.low, 5), round(difference.high, 5)]
    return {"difference": round(difference.mean, 5), "interval_95": interval, "blocks": round(difference.blocks, 1)}


def _both(rows: list[tuple[str, float, float]]) -> dict[str, dict[str, float]]:
    return {name: {"first": round(before, 5), "second": round(after, 5)} for name, before, after in rows}
