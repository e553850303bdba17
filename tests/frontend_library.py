"""The speech front end in C, compiled from the checkout and called through ctypes."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

NATIVE = Path(__file__).parent.parent / "device_runtime" / "native"  # of the checkout: a wheel carries no sources
STRICT = ["-O2", "-ffp-contract=off", "-std=c99", "-Wall", "-Wextra", "-Werror"]
KINDS = {"the processor's vectors": [], "any processor": ["-DTR_NO_AVX2"]}

BANDS, WINDOW, HOP = 40, 480, 160
GUARD = 64


def tables_source():
    """The module that computes the tables, from the checkout."""
    spec = importlib.util.spec_from_file_location("frontend_tables", NATIVE / "frontend_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


frontend_tables = tables_source()


class Library:
    """The compiled front end; calls go through ctypes."""

    def __init__(self, path):
        self.c = ctypes.CDLL(str(path))
        self.c.tr_frontend_size.restype = ctypes.c_size_t
        self.size = self.c.tr_frontend_size()

    def open(self):
        return Stream(self.c, self.size)


class Stream:
    """One front end, between guard bytes that no call may touch."""

    def __init__(self, c, size):
        self.c = c
        self.memory = (ctypes.c_ubyte * (size + 2 * GUARD))(*[0xA5] * (size + 2 * GUARD))
        self.frontend = ctypes.c_void_p(ctypes.addressof(self.memory) + GUARD)
        c.tr_frontend_init(self.frontend)

    def guarded(self):
        return set(self.memory[:GUARD] + self.memory[-GUARD:]) == {0xA5}

    def reset(self):
        self.c.tr_frontend_reset(self.frontend)

    def push(self, samples):
        """All vectors, (n, 40), that these samples complete."""
        samples = np.ascontiguousarray(samples, np.int16)
        vectors = np.full((len(samples) // HOP + 2, BANDS), np.nan, np.float32)
        taken, ready, used = 0, 0, ctypes.c_size_t()
        while True:
            at, left = samples.ctypes.data + 2 * taken, len(samples) - taken
            to = vectors.ctypes.data + 4 * BANDS * ready
            ready += self.c.tr_frontend_push(
                self.frontend, ctypes.c_void_p(at), ctypes.c_size_t(left), ctypes.byref(used), ctypes.c_void_p(to)
            )
            taken += used.value
            if taken == len(samples):
                assert np.isnan(vectors[ready:]).all(), "a vector was written that was not announced"
                return vectors[:ready]


def build(folder, flags):
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("needs a C compiler: install one, or name it in CC")
    sources = [str(path) for pattern in ("frontend*.c", "fft*.c") for path in sorted(NATIVE.glob(pattern))]
    library = folder / "frontend.so"
    command = [compiler, *STRICT, *flags, "-shared", "-fPIC", *sources, "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    return Library(library)
