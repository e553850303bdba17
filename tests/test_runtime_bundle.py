"""A bundle is read only when every byte is as promised."""

from __future__ import annotations

import dataclasses
import errno
from pathlib import Path

import numpy as np
import pytest

from device_runtime import bundle, golden, squeeze, weights
from device_runtime.errors import BundleError
from forged import change_manifest, forge
from models import tiny_manifest, tiny_model, write_tiny_bundle

MODEL = tiny_model()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small bundle, to be damaged."""
    return write_tiny_bundle(tmp_path / "tiny.bundle").folder


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
    with pytest.raises(
        BundleError,
        match=r"speech\.wav is a file, a bundle is a folder\. Unpack it if it is an archive; the bundle comes first: "
        "tinyrnn run BUNDLE SOURCE",
    ):
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
