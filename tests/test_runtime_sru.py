"""Bundles of simple recurrent units: written, read back, and refused where their arrays do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from device_runtime import engines, golden, weights
from device_runtime.errors import BundleError
from models import SRUS, tiny_model, write_tiny_bundle

MODEL = tiny_model(9, SRUS)
STRUCTURE = weights.describe(MODEL)


def test_a_bundle_of_srus_comes_back_as_it_was_written(tmp_path):
    written = write_tiny_bundle(tmp_path / "sru.bundle", MODEL)
    assert [layer["kind"] for layer in STRUCTURE["layers"]] == ["dense", "sru", "sru"]
    assert weights.describe(written.model) == STRUCTURE
    assert list(weights.matrices(written.model)) == ["layers.0", "layers.1.input", "layers.2.input", "head"]
    for name, array in weights.arrays(written.model).items():
        assert array.tobytes() == weights.arrays(MODEL)[name].tobytes()
    recorded = golden.read(written)
    assert recorded.states.shape == (20, 200 + 24 + 9)
    assert golden.replay(engines.load("reference", written), recorded) == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers.1.peephole": None}, r"has no array layers\.1\.peephole"),
        ({"layers.1.peephole": np.zeros((2, 23), "f4")}, r"peephole has the shape \(2, 23\), expected \(2, 24\)"),
        ({"layers.1.peephole": np.full((2, 24), np.nan, "f4")}, r"peephole must hold finite numbers"),
        ({"layers.2.input.weight": np.zeros((35, 24), "i1")}, r"layers\.2\.input\.weight has 35 rows, expected four"),
    ],
)
def test_arrays_of_srus_that_do_not_fit_are_named(changed, message):
    arrays = {name: array for name, array in {**weights.arrays(MODEL), **changed}.items() if array is not None}
    if "layers.2.input.weight" in changed:
        arrays |= {f"layers.2.input.{part}": np.zeros(35, "f4") for part in ("scale", "bias")}
    with pytest.raises(BundleError, match=message):
        weights.build(STRUCTURE, arrays, 4, "model.npz")
