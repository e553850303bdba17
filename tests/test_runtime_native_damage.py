"""A model.native that was cut or damaged anywhere is refused or runs; it never does harm."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from device_runtime import flat
from native_files import FILES, RECORDS_END, put, run

_native = pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")

MUTATIONS = 3_000


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_in_its_records_is_refused(name):
    for size in range(RECORDS_END):
        short = FILES[name][:size]
        assert run(short, None)
        if size >= 16:  # and one that owns up to its size
            assert run(put(short, (12, "<I", size)), None)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_behind_is_refused_or_runs(name):
    for size in range(RECORDS_END, len(FILES[name])):
        run(put(FILES[name][:size], (12, "<I", size)), None)


@pytest.mark.parametrize("kernel", _native.kernels())
@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_refused_or_run(name, kernel):
    rng = np.random.default_rng(len(name))
    data = FILES[name]
    refused = 0
    for _ in range(MUTATIONS):
        changed = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            within = RECORDS_END if rng.random() < 0.7 else len(data)
            at = int(rng.integers(8, within))
            changed[at] = int(rng.integers(256)) if rng.random() < 0.5 else changed[at] ^ 1 << int(rng.integers(8))
        line = run(bytes(changed), kernel)
        assert "\n" not in line
        refused += bool(line)
    assert 0 < refused < MUTATIONS


def test_random_bytes_are_refused():
    rng = np.random.default_rng(0)
    for size in (0, 1, 63, 64, 200, 4096):
        assert run(rng.bytes(size), None)
        assert run(flat.MAGIC + struct.pack("<II", 1, size + 16) + rng.bytes(size), None)
