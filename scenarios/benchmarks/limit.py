"""How near `steps` comes to its int8 matrix-vector products alone, on the same kernel and with the weights at hand."""

from __future__ import annotations

import tempfile
from pathlib import Path

from device_runtime import extension, flat
from device_runtime.arithmetic import Gru, Model
from device_runtime.engines.native import NativeEngine
from scenarios.benchmarks import plain_gru, python_step, turns
from scenarios.benchmarks.part import Part, Row, Target, digits, ratio
from scenarios.benchmarks.products import CACHE_BYTES, Products, products

NAME = "limit"
SIZES = ((64, 40), (128, 40))
"""Units and inputs."""


def measure(steps: int) -> Part:
    """Each kernel of this processor; the targets are held to the one that is chosen here."""
    kernels = extension.load().kernels()
    with tempfile.TemporaryDirectory() as temporary:
        alone, missing = products(Path(temporary) / "limit.so")
        rows = [_row(*size, kernel, alone, missing, steps) for size in SIZES for kernel in kernels]
    targets = [
        Target(
            f"steps / products alone at {row['units/inputs']}, {kernels[0]}", _number(row["steps / products"]), most=2
        )
        for row in rows
        if row["kernel"] == kernels[0]
    ]
    title = (
        f"Many steps in one call beside the int8 products alone ({CACHE_BYTES // 1024} KB of weights at a time, in the "
        "first cache), CPU microseconds"
    )
    return Part(title, tuple(rows), tuple(targets))


def _row(units: int, inputs: int, kernel: str, alone: Products | None, missing: str | None, steps: int) -> Row:
    model = plain_gru.plain_gru(units, inputs)
    file = flat.to_bytes(model)
    engine = NativeEngine(extension.load().Model(file, kernel))
    contestants = {"steps": turns.cpu_time(python_step.many_steps(engine, model), python_step.FRAMES_A_CALL)}
    if alone is not None:
        contestants["products"] = alone(file, kernel)
    # Fewer calls than steps from Python: each has many steps, and some kernels are slow.
    took = turns.in_turns(contestants, max(1, steps // 20))
    product_us = took.get("products")
    return {
        "units/inputs": f"{units}/{inputs}",
        "kernel": kernel,
        "steps us": digits(took["steps"]),
        "products alone us": digits(product_us),
        "int8 products a ns": digits(ratio(_multiplications(model) / 1000, product_us)),
        "steps / products": digits(ratio(took["steps"], product_us)),
        "missing": missing,
    }


def _number(value: str | float | None) -> float | None:
    assert not isinstance(value, str)
    return value


def _multiplications(model: Model) -> int:
    """Of int8 by int8, in one step."""
    products = [model.head]
    for layer in model.layers:
        assert isinstance(layer, Gru)
        products += [layer.input, layer.state]
    return sum(factor.weight.size for product in products for factor in product.factors)
