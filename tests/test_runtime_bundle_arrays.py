"""The arrays of a bundle fit its manifest and one another, or one line names the array that does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device_runtime import bundle, engines, golden, npz, weights
from device_runtime.errors import BundleError
from forged import change_manifest, forge
from models import tiny_model, write_tiny_bundle

MODEL = tiny_model()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small bundle, to be damaged."""
    return write_tiny_bundle(tmp_path / "tiny.bundle").folder


def forge_arrays(folder: Path, **changed: np.ndarray | None) -> None:
    arrays = {**weights.arrays(MODEL), **{name.replace("__", "."): array for name, array in changed.items()}}
    npz.write(folder / "forged", {name: array for name, array in arrays.items() if array is not None})
    data = (folder / "forged").read_bytes()
    (folder / "forged").unlink()
    forge(folder, "model.npz", data)


HEAD = MODEL.head.weight  # (4, 24)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"head__weight": None}, r"model\.npz has no array head\.weight, which the manifest's layers need"),
        ({"more": HEAD}, r"model\.npz holds more, which the manifest's layers do not have"),
        ({"head__weight": HEAD[:3]}, r"head\.weight has the shape \(3, 24\), expected \(4, 24\)"),
        ({"head__weight": HEAD[:, :9]}, r"head\.weight has the shape \(4, 9\), expected \(4, 24\)"),
        ({"head__weight": HEAD[0]}, r"head\.weight has the shape \(24,\), expected \(4, 24\)"),
        ({"head__weight": HEAD.astype("f4")}, r"head\.weight must be int8, got float32"),
        ({"head__bias": np.zeros(5, "f4")}, r"head\.bias has the shape \(5,\), expected \(4,\)"),
        ({"head__scale": np.zeros(4, "i1")}, r"head\.scale must be float32, got int8"),
        ({"head__scale": np.full(4, np.nan, "f4")}, r"head\.scale must hold finite numbers up to 1e\+06"),
        ({"head__bias": np.full(4, np.inf, "f4")}, r"head\.bias must hold finite numbers"),
        (
            {"layers__0__weight": np.zeros((16, 0), "i1")},
            r"layers\.0\.weight has the shape \(16, 0\), expected \(any",
        ),
        (
            {"layers__0__weight": np.zeros((16, 1025), "i1")},
            r"layers\.0\.weight has 1025 columns; exact sums",
        ),
        ({"layers__0__weight": np.zeros((16, 201), "i1")}, r"shape \(16, 201\), expected at most 200 columns"),
        (
            {"layers__0__weight": np.zeros((16, 60), "i1")},
            r"layers\.1\.input\.weight has the shape \(72, 144\)",
        ),
        ({"layers__1__state__weight": np.zeros((72, 23), "i1")}, r"shape \(72, 23\), expected \(69, 23\): three gates"),
    ],
)
def test_arrays_that_do_not_fit_are_named(folder, changed, message):
    forge_arrays(folder, **changed)
    with pytest.raises(BundleError, match=message):
        bundle.read(folder)


def test_a_layer_cannot_ask_for_gigabytes(folder):
    structure = weights.describe(MODEL)
    structure["layers"][0]["hop"] = 1
    change_manifest(folder, model={**structure, "feature_size": 60_000})
    with pytest.raises(BundleError, match=r"layers\.0 would make 2398440 values a step; at most 65536 are allowed"):
        bundle.read(folder)


# ---- forecasters

FORECASTER = tiny_model(5, (("dense", 9, 14, 14), ("gru", 8), ("decode", 4)), 14, linear=(12, 7))
POSITIONS = FORECASTER.layers[2].positions  # (4, 24)
STRUCTURE = weights.describe(FORECASTER)
DENSE, GRU, DECODE = STRUCTURE["layers"]
ONE_WINDOW = [{**DENSE, "hop": 60_000}, GRU, DECODE]


def test_a_forecaster_comes_back_as_it_was_written(tmp_path):
    written = write_tiny_bundle(tmp_path / "forecaster.bundle", FORECASTER)
    assert STRUCTURE["linear"] == {"width": 12, "frames": 7}
    assert written.manifest.model == STRUCTURE
    assert weights.describe(written.model) == STRUCTURE
    for name, array in weights.arrays(written.model).items():
        assert array.tobytes() == weights.arrays(FORECASTER)[name].tobytes()
    recorded = golden.read(written)
    assert recorded.scores.shape == (20, 4 * 4 * 12)
    assert recorded.states.shape == (20, 14 + 8 + 7 * 12)
    assert golden.replay(engines.load("reference", written), recorded) == 0


def build_forecaster(labels: int = 4, structure: dict | None = None, **changed: np.ndarray | None) -> None:
    arrays = {**weights.arrays(FORECASTER), **{name.replace("__", "."): array for name, array in changed.items()}}
    given = {name: array for name, array in arrays.items() if array is not None}
    weights.build({**STRUCTURE, **(structure or {})}, given, labels, "model.npz")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers__2__positions": None}, r"has no array layers\.2\.positions, which the manifest's layers need"),
        ({"layers__2__positions": POSITIONS[:, :9]}, r"positions has the shape \(4, 9\), expected \(any, 24\)"),
        ({"layers__2__positions": POSITIONS[:0]}, r"positions has the shape \(0, 24\), expected \(any, 24\)"),
        ({"layers__2__positions": POSITIONS.astype("f8")}, r"positions must be float32, got float64"),
        ({"layers__2__positions": POSITIONS * np.float32(np.nan)}, r"positions must hold finite numbers up to 1e\+06"),
        ({"layers__2__positions": POSITIONS + np.float32(2e6)}, r"positions must hold finite numbers up to 1e\+06"),
        (
            {"layers__2__positions": np.zeros((2731, 24), "f4")},
            r"layers\.2 would make 65544 values a step; at most 65536 are allowed",
        ),
        ({"linear__weight": None}, r"has no array linear\.weight"),
        ({"linear__weight": np.zeros((3, 7), "i1")}, r"linear\.weight has the shape \(3, 7\), expected \(4, 7\)"),
        ({"linear__weight": np.zeros((4, 6), "i1")}, r"linear\.weight has the shape \(4, 6\), expected \(4, 7\)"),
        ({"linear__scale": np.full(4, np.inf, "f4")}, r"linear\.scale must hold finite numbers"),
        ({"labels": 2}, r"head\.weight has the shape \(48, 8\), expected \(24, 8\)"),
        ({"head__weight": np.zeros((48, 32), "i1")}, r"head\.weight has the shape \(48, 32\), expected \(48, 8\)"),
        (
            {"structure": {"linear": {"width": 15, "frames": 7}}},
            r"the linear map takes 15 features of a frame, but a frame has 14\. Get the bundle again",
        ),
        (
            {"structure": {"feature_size": 60_000, "linear": {"width": 12_000, "frames": 7}, "layers": ONE_WINDOW}},
            r"the linear map would keep 84000 values; at most 65536 are allowed",
        ),
        (
            {"structure": {"layers": [DENSE, DECODE]}},
            r"layers\.1 decodes, but no GRU layer comes right before it\. Get",
        ),
        ({"structure": {"layers": [DECODE]}}, r"layers\.0 decodes, but no GRU layer comes right before it"),
        (
            {"structure": {"layers": [DENSE, GRU, DECODE, GRU]}},
            r"layers\.3 comes after a decode layer, which must be the last\. Get the bundle again",
        ),
        ({"structure": {"layers": [DENSE, GRU, DECODE, DECODE]}}, r"layers\.3 comes after a decode layer"),
    ],
)
def test_a_forecaster_that_does_not_fit_is_refused(changed, message):
    with pytest.raises(BundleError, match=message):
        build_forecaster(**changed)


def test_without_a_linear_map_each_label_has_as_many_scores_a_position():
    plain = {key: value for key, value in STRUCTURE.items() if key != "linear"}
    arrays = {name: array for name, array in weights.arrays(FORECASTER).items() if not name.startswith("linear.")}
    assert weights.build(plain, arrays, 4, "model.npz").score_size == 4 * 48
    with pytest.raises(BundleError, match=r"head\.weight has 48 rows, expected a multiple of the 5 labels\. Get the"):
        weights.build(plain, arrays, 5, "model.npz")


def test_a_step_cannot_make_millions_of_scores():
    wide = {
        "layers__2__positions": np.zeros((2000, 24), "f4"),
        "linear__weight": np.zeros((2000, 7), "i1"),
        "linear__scale": np.zeros(2000, "f4"),
        "linear__bias": np.zeros(2000, "f4"),
    }
    with pytest.raises(BundleError, match=r"a step would make 96000 scores; at most 65536 are allowed"):
        build_forecaster(**wide)


def test_labels_must_match_the_rows_of_the_head(folder):
    change_manifest(folder, labels=["silence", "unknown", "yes", "no", "maybe"])
    with pytest.raises(BundleError, match=r"head\.weight has the shape \(4, 24\), expected \(5, 24\)"):
        bundle.read(folder)
