"""How near `steps` comes to the int8 matrix-vector products alone, which no step can be faster than on this core."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from device_runtime import extension, flat
from device_runtime.engines.native import NativeEngine
from device_runtime.errors import EngineError
from scenarios.benchmarks import plain_gru, python_step, turns
from scenarios.benchmarks.part import Part, Row, Target, digits, ratio
from scenarios.benchmarks.turns import Stopwatch

NAME = "limit"
SIZES = ((64, 40), (128, 40))
CACHE_BYTES = 24 * 1024
"""Of weights at a time: half of a common first cache, so that they stay in it."""

PRODUCTS = 200
"""In one measurement."""

SOURCE = Path(__file__).with_name("limit.c")
NATIVE = Path(extension.__file__).with_name("native")
FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fPIC", "-shared")

Opened = Callable[[bytes, str], Stopwatch]
"""The products of a model.native on a kernel."""


def measure(steps: int) -> Part:
    """Each kernel of this processor; the target is the chosen one's."""
    kernels = extension.load().kernels()
    with tempfile.TemporaryDirectory() as temporary:
        products, missing = _products(Path(temporary) / "limit.so")
        rows: list[Row] = []
        targets: list[Target] = []
        for units, inputs in SIZES:
            for kernel in kernels:
                steps_us, product_us = _times(units, inputs, kernel, products, steps)
                times = ratio(steps_us, product_us)
                rows.append(
                    {
                        "units/inputs": f"{units}/{inputs}",
                        "kernel": kernel,
                        "steps us": digits(steps_us),
                        "products alone us": digits(product_us),
                        "steps / products": digits(times),
                        "missing": missing,
                    }
                )
                if kernel == kernels[0]:
                    targets.append(Target(f"steps / products alone at {units} units ({kernel})", times, most=2))
    title = (
        f"Many steps in one call beside the int8 products alone ({CACHE_BYTES // 1024} KB of weights at a time, in the "
        "first cache), CPU microseconds"
    )
    return Part(title, tuple(rows), tuple(targets))


def _times(units: int, inputs: int, kernel: str, products: Opened | None, steps: int) -> tuple[float, float | None]:
    model = plain_gru.plain_gru(units, inputs)
    file = flat.to_bytes(model)
    engine = NativeEngine(extension.load().Model(file, kernel))
    # Fewer calls than steps from Python: each has many steps, and some kernels are slow.
    frames, calls = python_step.FRAMES_A_CALL, max(1, steps // 20)
    contestants = {"steps": turns.cpu_time(python_step.many_steps(engine, model), frames)}
    if products is not None:
        contestants["products"] = products(file, kernel)
    took = turns.in_turns(contestants, calls)
    return took["steps"], took.get("products")


def _products(library: Path) -> tuple[Opened | None, str | None]:
    """How to time them; or None, and what is missing."""
    try:
        loaded = build(library)
    except EngineError as error:
        return None, str(error)

    def opened(file: bytes, kernel: str) -> Stopwatch:
        memory = np.zeros(len(file) + flat.ALIGNMENT, np.uint8)
        start = -memory.ctypes.data % flat.ALIGNMENT
        memory[start : start + len(file)] = np.frombuffer(file, np.uint8)
        error = ctypes.create_string_buffer(160)
        at = ctypes.c_void_p(memory.ctypes.data + start)
        model = loaded.tinyrnn_open(at, ctypes.c_size_t(len(file)), kernel.encode(), None, ctypes.c_size_t(0), error)

        def product_us(times: int) -> float:
            del times  # always as many: the C program divides the weights, not the number of products
            _ = memory  # the model reads it
            return int(loaded.products_ns(model, PRODUCTS, CACHE_BYTES)) / PRODUCTS / 1000

        return product_us

    return opened, None


def build(library: Path) -> ctypes.CDLL:
    """Compile limit.c with the engine's own sources, by the C compiler of this machine."""
    compiler = os.environ.get("CC") or "cc"
    if shutil.which(compiler) is None:
        raise EngineError(
            f"the limit needs a C compiler, and {compiler} was not found. Install one, or name it: CC=gcc"
        )
    sources = [path for path in sorted(NATIVE.glob("*.c")) if path.name != "example.c" and "binding" not in path.name]
    command = [compiler, *FLAGS, f"-I{NATIVE}", str(SOURCE), *map(str, sources), "-o", str(library), "-lm"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise EngineError(
            f"the limit could not be compiled: {(answer.stderr.strip().splitlines() or ['no reason'])[0]}"
        )
    loaded = ctypes.CDLL(str(library))
    loaded.tinyrnn_open.restype = ctypes.c_void_p
    loaded.products_ns.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_size_t]
    loaded.products_ns.restype = ctypes.c_uint64
    return loaded
