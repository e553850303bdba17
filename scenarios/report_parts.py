"""What the reports of all tasks tell in the same way: promises, the command, the machine, where the bytes go."""

from __future__ import annotations

import datetime
import os
import platform
import shlex
from collections.abc import Sequence
from pathlib import Path

from device_runtime import bundle as bundles
from device_runtime.arithmetic import Decode, Dense, Gru, Model, Product, Sru
from device_runtime.card import sizes
from scenarios import report
from scenarios.build import Recipe


def now() -> str:
    """When a report is made, ISO 8601 in UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def machine() -> str:
    """Where times and memory are measured."""
    return f"{platform.machine()}, {os.cpu_count()} cores, one thread, {platform.system()}"


def in_words(promise: report.Promise) -> str:
    """One line, both numbers in one unit; as many digits as it takes to tell them apart.

    >>> in_words(report.Promise("accuracy, warm", 0.955, 0.94123, "%", kept=False, at_most=False))
    'accuracy, warm: promised at least 95.5 %, measured 94.1 %'
    >>> in_words(report.Promise("loss by int8", 0.003, 0.0034, "%", kept=False))
    'loss by int8: promised at most 0.3 %, measured 0.34 %'
    """
    times = 100 if promise.unit == "%" else 1
    promised, measured = times * promise.promised, times * promise.measured
    digits = next((n for n in range(1, 6) if round(measured, n) != round(promised, n)), 6)
    bound = "at most" if promise.at_most else "at least"
    return (
        f"{promise.what}: promised {bound} {promised:g} {promise.unit}, "
        f"measured {round(measured, digits):g} {promise.unit}"
    )


def command(scenario: Recipe, options: Sequence[str]) -> str:
    """What to type to build it again."""
    name = scenario.name.removesuffix("_quick")
    quick = ["--quick"] if name != scenario.name else []
    typed = getattr(scenario, "typed", "") or name
    return shlex.join(["tinyrnn", "build", typed, "--seed", str(scenario.seed), *options, *quick])


def at_most(what: str, promised: float, measured: float, unit: str) -> report.Promise:
    """A promise that a number stays below a bound."""
    return report.Promise(what, promised, measured, unit, measured <= promised)


def at_least(what: str, promised: float, measured: float, unit: str) -> report.Promise:
    """A promise that a number reaches a bound."""
    return report.Promise(what, promised, measured, unit, measured >= promised, at_most=False)


def where_bytes_go(bundle: Path) -> report.Sizes:
    """The parts of the model, then the files of the bundle."""
    opened = bundles.read(bundle)
    return report.Sizes(_parts(opened.model), sizes(opened))


def _parts(model: Model) -> dict[str, int]:
    parts: dict[str, int] = {}
    for i, layer in enumerate(model.layers):
        if isinstance(layer, Dense):
            parts[f"dense {i + 1}"] = _bytes(layer.affine)
        elif isinstance(layer, Gru):
            parts["GRU, inputs"] = parts.get("GRU, inputs", 0) + _bytes(layer.input)
            parts["GRU, state"] = parts.get("GRU, state", 0) + _bytes(layer.state)
        elif isinstance(layer, Sru):
            parts["SRU, inputs"] = parts.get("SRU, inputs", 0) + _bytes(layer.input)
            parts["SRU, state"] = parts.get("SRU, state", 0) + layer.peephole.nbytes
        elif isinstance(layer, Decode):
            parts["positions"] = layer.positions.nbytes
    parts["head"] = _bytes(model.head)
    if model.linear is not None:
        parts["linear map"] = _bytes(model.linear.affine)
    return parts


def _bytes(product: Product) -> int:
    return sum(factor.weight.nbytes for factor in product.factors)
