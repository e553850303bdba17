"""How near the native engine is to its limit, and what zeros pay: `python -m scenarios.benchmarks.native_limit`.

The limit is the int8 products of a step alone, again and again on the same weights: nothing that steps a model with
this kernel can be faster. Random weights, 40 inputs and 12 labels; many steps in one call, the best of 60 rounds.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_runtime import flat
from device_runtime.arithmetic import Affine, Gru, Int8, Model
from device_runtime.errors import EngineError
from device_runtime.tables import table

NATIVE = Path(flat.__file__).parent / "native"
FEATURES, LABELS = 40, 12
KEPT = 0.25
BLOCKS = {"dense": None, "75 % zeros, 8 x 1": (8, 1), "75 % zeros, 16 x 1": (16, 1), "75 % zeros, 16 x 2": (16, 2)}


@dataclass(frozen=True)
class Cost:
    """What the C program measures of one model."""

    kernel: str
    step_us: float
    products_us: float
    file_bytes: int


def random_model(units: int, block: tuple[int, int] | None) -> Model:
    """One GRU layer; of a sparse one, a quarter of the blocks of rows x columns is left."""
    rng = np.random.default_rng(units)

    def affine(rows: int, columns: int) -> Affine:
        weight = rng.integers(-127, 128, (rows, columns)).astype(np.int8)
        scale = np.full(rows, 1 / (127 * 127 * np.sqrt(columns)), np.float32)
        return Affine(weight if block is None else _thinned(weight, block, rng), scale, np.zeros(rows, np.float32))

    layer = Gru(affine(3 * units, FEATURES), affine(3 * units, units))
    return Model(FEATURES, np.float32(40), (layer,), affine(LABELS, units))


def _thinned(weight: Int8, block: tuple[int, int], rng: np.random.Generator) -> Int8:
    rows, columns = weight.shape
    kept = rng.random((-(-rows // block[0]), -(-columns // block[1]))) < KEPT
    thinned: Int8 = weight * np.kron(kept, np.ones(block, bool))[:rows, :columns].astype(np.int8)
    return thinned


def build(folder: Path) -> Path:
    """The C program, compiled with the engine."""
    sources = [path for path in sorted(NATIVE.glob("*.c")) if not path.name.startswith(("binding", "example"))]
    program, compiler = folder / "native_limit", os.environ.get("CC", "cc")
    flags = ["-std=c11", "-O3", "-ffp-contract=off", f"-I{NATIVE}"]
    command: list[str | Path] = [compiler, *flags, Path(__file__).with_suffix(".c"), *sources, "-lm", "-o", program]
    try:
        subprocess.run(command, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError(
            f"the native engine could not be compiled ({error}). Install a C compiler, or name one in CC"
        ) from None
    return program


def measure(program: Path, model: Model, folder: Path, kernel: str | None = None) -> Cost:
    """Run the program on one model; without a kernel's name, on the fastest."""
    stored = flat.to_bytes(model)
    (folder / flat.FILE).write_bytes(stored)
    command: list[str | Path] = [program, folder / flat.FILE, *filter(None, [kernel])]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    name, step_us, products_us = answer.stdout.split()
    return Cost(name, float(step_us), float(products_us), len(stored))


def rows(folder: Path, kernel: str | None = None) -> list[dict[str, str | int]]:
    """One row for each size and kind of weights."""
    program, found = build(folder), []
    for units in (64, 128):
        costs = {name: measure(program, random_model(units, block), folder, kernel) for name, block in BLOCKS.items()}
        found += [_row(units, name, cost, costs["dense"]) for name, cost in costs.items()]
    return found


def _row(units: int, name: str, cost: Cost, dense: Cost) -> dict[str, str | int]:
    return {
        "units": units,
        "weights": name,
        "kernel": cost.kernel,
        "us a step": f"{cost.step_us:.3f}",
        "products alone": f"{cost.products_us:.3f}",
        "of the limit": f"{cost.step_us / cost.products_us:.2f}",
        "faster than dense": f"{dense.step_us / cost.step_us:.2f}",
        "bytes": cost.file_bytes,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        print(table(rows(Path(scratch))))
