"""A bundle is read only when every byte is as promised, and written completely or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device_runtime import bundle, engines, golden, npz, squeeze, weights
from device_runtime.errors import BundleError
from models import tiny_manifest, tiny_model, write_tiny_bundle

MODEL = tiny_model()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small bundle, to be damaged."""
    return write_tiny_bundle(tmp_path / "tiny.bundle").folder


def change_manifest(folder: Path, **fields: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def forge(folder: Path, name: str, data: bytes) -> None:
    """Replace a file and its hash, as an attacker would."""
    (folder / name).write_bytes(data)
    files = json.loads((folder / "manifest.json").read_text())["files"]
    change_manifest(folder, files={**files, name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}})


def forge_arrays(folder: Path, **changed: np.ndarray | None) -> None:
    arrays = {**weights.arrays(MODEL), **{name.replace("__", "."): array for name, array in changed.items()}}
    npz.write(folder / "forged", {name: array for name, array in arrays.items() if array is not None})
    data = (folder / "forged").read_bytes()
    (folder / "forged").unlink()
    forge(folder, "model.npz", data)


# ---- reading


def test_a_bundle_comes_back_as_it_was_written(folder):
    read = bundle.read(str(folder))
    assert read.manifest == dataclasses.replace(
        tiny_manifest(), model=weights.describe(MODEL), files=read.manifest.files
    )
    assert sorted(path.name for path in folder.iterdir()) == ["golden.npz", "manifest.json", "model.npz"]
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert read.size_bytes == sum(sizes.values())
    assert read.device_bytes < sizes["manifest.json"] + sizes["model.npz"], "the pack's manifest is shorter"
    for name, array in weights.arrays(read.model).items():
        assert array.tobytes() == weights.arrays(MODEL)[name].tobytes()
        assert array.flags.c_contiguous
    assert (read.model.input_gain, read.model.layers[0].output_gain) == (MODEL.input_gain, MODEL.layers[0].output_gain)


def test_numpy_reads_the_arrays_too(folder):
    with np.load(folder / "model.npz", allow_pickle=False) as file:
        arrays = squeeze.restore(file, bundle.MODEL)
        assert set(arrays) == set(weights.arrays(MODEL))
        assert np.array_equal(arrays["head.weight"], MODEL.head.weight)


def test_the_same_model_gives_the_same_bytes_and_zeros_make_them_fewer(tmp_path):
    dense, again, pruned = (
        write_tiny_bundle(tmp_path / name, tiny_model(sparsity=sparsity)).manifest.files["model.npz"]
        for name, sparsity in (("a", 0), ("b", 0), ("c", 0.8))
    )
    assert dense == again
    assert pruned["bytes"] < 0.6 * dense["bytes"]


def test_a_folder_without_manifest_is_not_a_bundle(tmp_path):
    with pytest.raises(BundleError, match=r"is not a bundle: it has no manifest\.json. Make one with: tinyrnn build"):
        bundle.read(tmp_path)
    with pytest.raises(BundleError, match=r"cannot be read: File name too long. Check the path and its permissions"):
        bundle.read(tmp_path / ("long" * 100))


def test_a_path_that_is_no_folder_is_named(tmp_path):
    with pytest.raises(
        BundleError, match=r"there is no folder .*nowhere\. Check the path, or make a bundle with: tiny"
    ):
        bundle.read(tmp_path / "nowhere")
    (tmp_path / "speech.wav").write_bytes(b"RIFF")
    with pytest.raises(BundleError, match=r"speech\.wav is a file; the bundle comes first: tinyrnn run BUNDLE SOURCE"):
        bundle.read(tmp_path / "speech.wav")


def test_a_newer_format_asks_for_an_upgrade(folder):
    change_manifest(folder, format=3, labels="laid out in another way")
    with pytest.raises(BundleError, match=r"bundle format 3, but this .* up to 2. Upgrade with: pip install -U"):
        bundle.read(folder)


def test_a_missing_file_is_named(folder):
    (folder / "golden.npz").unlink()
    with pytest.raises(BundleError, match=r"golden\.npz is missing, but the manifest lists it"):
        bundle.read(folder)


def test_a_bundle_without_weights_is_refused(folder):
    change_manifest(folder, files={})
    with pytest.raises(BundleError, match=r"manifest\.json lists no model\.npz"):
        bundle.read(folder)


def test_a_changed_bit_is_found(folder):
    data = bytearray((folder / "golden.npz").read_bytes())
    data[100] ^= 1
    (folder / "golden.npz").write_bytes(data)
    with pytest.raises(BundleError, match=r"golden\.npz was altered: its SHA-256 is not the manifest's"):
        bundle.read(folder)


def test_a_file_cut_short_is_found(folder):
    data = (folder / "model.npz").read_bytes()
    (folder / "model.npz").write_bytes(data[:100])
    with pytest.raises(BundleError, match=rf"model\.npz has 100 bytes, but the manifest says {len(data)}"):
        bundle.read(folder)


def test_a_file_that_grew_is_found(folder):
    with (folder / "model.npz").open("ab") as file:
        file.write(b"more")
    with pytest.raises(BundleError, match=r"model\.npz has more bytes, but the manifest says"):
        bundle.read(folder)


def test_an_endless_manifest_is_not_read(folder):
    (folder / "manifest.json").write_text(" " * (2**20 + 1))
    with pytest.raises(BundleError, match=r"manifest\.json is larger than 1048576 bytes"):
        bundle.read(folder)


def test_an_unreadable_file_is_one_line(folder, monkeypatch):
    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read: Permission denied"):
        bundle.read(folder)


# ---- shapes and values


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


GOLDEN = golden.record(MODEL, np.zeros((3, 200), "f4"))


@pytest.mark.parametrize("name", ["frames", "scores", "states"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_golden_numbers_that_no_engine_can_take_are_refused(folder, name, value):
    array = getattr(GOLDEN, name).copy()
    array[1, 2] = value
    golden.write(folder / "forged", dataclasses.replace(GOLDEN, **{name: array}))
    forge(folder, "golden.npz", (folder / "forged").read_bytes())
    with pytest.raises(
        BundleError, match=rf"golden\.npz: {name} must hold finite numbers up to 1e\+28. Get the bundle"
    ):
        golden.read(bundle.read(folder))


@pytest.mark.parametrize("frames", [np.zeros((), "f4"), np.zeros((0, 200), "f4"), np.zeros((2, 3), "f4")])
def test_golden_frames_of_another_shape_are_refused(folder, frames):
    golden.write(folder / "forged", dataclasses.replace(GOLDEN, frames=frames))
    forge(folder, "golden.npz", (folder / "forged").read_bytes())
    with pytest.raises(BundleError, match=r"golden\.npz: frames must be float32 \(., 200\), got float32 \("):
        golden.read(bundle.read(folder))


def test_labels_must_match_the_rows_of_the_head(folder):
    change_manifest(folder, labels=["silence", "unknown", "yes", "no", "maybe"])
    with pytest.raises(BundleError, match=r"head\.weight has the shape \(4, 24\), expected \(5, 24\)"):
        bundle.read(folder)


# ---- writing


@contextlib.contextmanager
def small_files_only() -> Iterator[None]:
    """Only around what is tested: pytest's own output may be going to a larger file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def fill_the_disk(temporary: Path) -> None:
    (temporary / "model.onnx").write_bytes(b"half of a graph")
    (temporary / "model.tflite").symlink_to("/dev/full")
    (temporary / "model.tflite").write_bytes(b"no space for this")


def press_ctrl_c(temporary: Path) -> None:
    (temporary / "model.onnx").write_bytes(b"half of a graph")
    raise KeyboardInterrupt


def test_a_bundle_is_replaced_in_one_stroke(folder):
    written = bundle.write(folder, tiny_manifest("second"), tiny_model(1), lambda temporary: None)
    assert bundle.read(folder).manifest == written
    assert (written.name, list(written.files)) == ("second", ["model.npz"])
    assert [path.name for path in folder.parent.iterdir()] == ["tiny.bundle"]


def test_a_compact_bundle_is_the_same_with_a_shorter_manifest(folder):
    shown = bundle.read(folder).manifest_bytes
    written = bundle.write(folder, tiny_manifest(), MODEL, lambda temporary: None, compact=True)
    compact = bundle.read(folder)
    assert compact.manifest == written
    assert compact.manifest_bytes < 0.8 * shown
    assert compact.device_bytes < compact.size_bytes, "a pack has less of the card"


def test_an_empty_folder_and_a_link_may_become_a_bundle(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    assert write_tiny_bundle(tmp_path / "link").folder == tmp_path / "link"
    assert bundle.read(tmp_path / "empty").model.feature_size == 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "link"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("exists", [True, False], ids=["over an old bundle", "new"])
def test_a_full_disk_changes_nothing(folder, exists):
    if not exists:
        shutil.rmtree(folder)
    before = contents(folder.parent)
    with pytest.raises(BundleError, match=r"tiny\.bundle was not written: No space left on device. Make room or give"):
        bundle.write(folder, tiny_manifest("second"), MODEL, fill_the_disk)
    assert contents(folder.parent) == before
    assert [path.name for path in folder.parent.iterdir()] == (["tiny.bundle"] if exists else [])


def test_weights_that_do_not_fit_on_the_disk_change_nothing(folder):
    before = contents(folder.parent)
    with pytest.raises(BundleError, match=r"was not written: File too large"), small_files_only():
        bundle.write(folder, tiny_manifest("second"), MODEL, lambda temporary: None)
    assert contents(folder.parent) == before


def test_ctrl_c_changes_nothing(folder):
    before = contents(folder.parent)
    with pytest.raises(KeyboardInterrupt):
        bundle.write(folder, tiny_manifest("second"), MODEL, press_ctrl_c)
    assert contents(folder.parent) == before


def test_ctrl_c_between_the_two_renames_puts_the_old_bundle_back(folder, monkeypatch):
    before, rename = contents(folder.parent), Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.suffix == ".partial":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bundle.write(folder, tiny_manifest("second"), MODEL, lambda temporary: None)
    assert contents(folder.parent) == before


def test_what_could_not_be_read_again_is_not_written(folder):
    before = contents(folder.parent)
    broken = dataclasses.replace(MODEL, input_gain=np.float32(0))
    with pytest.raises(BundleError, match=r"model\.input_gain must be a number from 1e-09 to 1e\+09, got 0"):
        bundle.write(folder, tiny_manifest(), broken, lambda temporary: None)
    with pytest.raises(BundleError, match=r"head\.weight has the shape \(4, 24\), expected \(2, 24\)"):
        bundle.write(folder, tiny_manifest(labels=("yes", "no")), MODEL, lambda temporary: None)
    assert contents(folder.parent) == before


def test_a_folder_of_something_else_is_never_replaced(folder, tmp_path):
    (folder / "notes.txt").write_text("mine")
    extension = tmp_path / "extension"
    extension.mkdir()
    (extension / "manifest.json").write_text('{"manifest_version": 3}')
    file = tmp_path / "file"
    file.touch()
    for taken in (folder, extension, file):
        with pytest.raises(BundleError, match=rf"{taken.name} exists and is not a bundle, or holds other files. Give"):
            write_tiny_bundle(taken)
    assert (folder / "notes.txt").read_text() == "mine"
