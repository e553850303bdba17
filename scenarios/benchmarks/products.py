"""The int8 products of a model alone, timed by a library compiled for that: limit.c and the engine's own code."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from device_runtime import extension, flat
from device_runtime.errors import EngineError
from scenarios.benchmarks.turns import Stopwatch

CACHE_BYTES = 24 * 1024
"""Of weights at a time: half of a common first cache, so that they stay in it."""

TIMES = 200
"""Each product, in one measurement."""

SOURCE = Path(__file__).with_name("limit.c")
NATIVE = Path(extension.__file__).with_name("native")
FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fPIC", "-shared")

Products = Callable[[bytes, str], Stopwatch]
"""Times the products of a model.native on a kernel."""


def products(library: Path) -> tuple[Products | None, str | None]:
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
            took_ns = int(loaded.products_ns(model, TIMES, CACHE_BYTES))
            assert took_ns > 0, "limit.c multiplies dense matrices of 8 bits only"
            return took_ns / TIMES / 1000

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
