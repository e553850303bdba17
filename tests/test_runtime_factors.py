"""A matrix of low rank is two, with int8 values between them: their definition, and what a bundle may hold of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from device_runtime import cli, engines, golden, weights
from device_runtime.arithmetic import Affine, Factored
from device_runtime.errors import BundleError
from factored_models import factored
from models import tiny_model, write_tiny_bundle

f32 = np.float32

LOW_RANK = factored(tiny_model(6, (("dense", 9, 7, 7), ("gru", 8)), 14), (4, 3, 2, 0))
INNER, OUTER = LOW_RANK.layers[1].state.factors  # (2, 8) and (24, 2)


def test_values_between_factors_are_rounded_half_up_and_kept_on_the_int8_grid():
    inner = Affine(np.array([[1], [1], [1]], np.int8), np.ones(3, f32), np.array([0.5, -0.5, 1000], f32))
    outer = Affine(np.eye(3, dtype=np.int8), np.ones(3, f32), np.zeros(3, f32))
    product = Factored(inner, f32(1), outer)
    assert product(np.array([[2], [-127]], f32)).tolist() == [[3, 2, 127], [-126, -127, 127]]
    assert (product.rows, product.columns, product.factors) == (3, 1, (inner, outer))


def test_factors_come_back_as_they_were_written(tmp_path):
    written = write_tiny_bundle(tmp_path / "low_rank.bundle", LOW_RANK)
    state = written.model.layers[1].state
    assert isinstance(state, Factored)
    assert (state.inner.weight.shape, state.outer.weight.shape) == ((2, 8), (24, 2))
    assert state.gain == LOW_RANK.layers[1].state.gain
    for name, array in weights.arrays(written.model).items():
        assert array.tobytes() == weights.arrays(LOW_RANK)[name].tobytes()
    assert golden.replay(engines.load("reference", written), golden.read(written)) == 0


def test_info_tells_the_rank_of_each_matrix(tmp_path, capsys):
    folder = write_tiny_bundle(tmp_path / "low_rank.bundle", LOW_RANK).folder
    assert cli.main(["info", str(folder)]) == 0
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["layers.1.state", "24", "8", "2", "64"] in [row[:5] for row in told]
    assert cli.main(["info", str(folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["matrices"]
    assert [(row["matrix"], row["rank"]) for row in told] == [
        ("layers.0", 4),
        ("layers.1.input", 3),
        ("layers.1.state", 2),
        ("head", None),
    ]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"state__inner__weight": None}, r"has no array layers\.1\.state\.inner\.weight"),
        ({"state__inner__bias": None}, r"has no array layers\.1\.state\.inner\.bias"),
        ({"state__gain": None}, r"has no array layers\.1\.state\.gain, which the manifest's layers need"),
        ({"state__outer__weight": None}, r"has no array layers\.1\.state\.outer\.weight"),
        ({"state__weight": np.zeros((24, 8), "i1")}, r"holds layers\.1\.state\.weight, which the manifest's"),
        ({"state__inner__weight": INNER.weight[:1]}, r"inner\.scale has the shape \(2,\), expected \(1,\)"),
        ({"state__outer__weight": OUTER.weight[:, :1]}, r"outer\.weight has the shape \(24, 1\), expected \(any, 2\)"),
        ({"state__inner__weight": INNER.weight[:, :7]}, r"state\.weight has the shape \(24, 7\), expected \(21, 7\)"),
        (
            {"input__inner__weight": np.zeros((3, 4), "i1")},
            r"inner\.weight has the shape \(3, 4\), expected \(any, 18\)",
        ),
        (
            {"state__inner__weight": np.zeros((1025, 8), "i1"), "state__outer__weight": np.zeros((24, 1025), "i1")}
            | {f"state__inner__{part}": np.zeros(1025, "f4") for part in ("scale", "bias")},
            r"outer\.weight has 1025 columns; exact sums allow 1024",
        ),
        (
            {"state__gain": np.float32([0])},
            r"layers\.1\.state\.gain must be at least 1e-09, got 0\. Get the bundle again",
        ),
        ({"state__gain": np.float32([-3])}, r"layers\.1\.state\.gain must be at least 1e-09, got -3\. Get the bundle"),
        ({"state__gain": np.float32([np.nan])}, r"layers\.1\.state\.gain must hold finite numbers up to 1e\+06"),
        ({"state__gain": np.float32([2e6])}, r"layers\.1\.state\.gain must hold finite numbers up to 1e\+06"),
        ({"state__gain": np.float32([1, 2])}, r"layers\.1\.state\.gain has the shape \(2,\), expected \(1,\)"),
    ],
)
def test_factors_that_do_not_fit_are_refused(changed, message):
    arrays = weights.arrays(LOW_RANK) | {f"layers.1.{n.replace('__', '.')}": array for n, array in changed.items()}
    given = {name: array for name, array in arrays.items() if array is not None}
    with pytest.raises(BundleError, match=message):
        weights.build(weights.describe(LOW_RANK), given, 4, "model.npz")


def test_a_rank_cannot_ask_for_gigabytes():
    wide = factored(tiny_model(6, (("dense", 2, 3, 1),), 200), (400, 0))
    with pytest.raises(BundleError, match=r"layers\.0 would make 79200 values a step; at most 65536 are allowed"):
        weights.build(weights.describe(wide), weights.arrays(wide), 4, "model.npz")
