"""A bundle is written completely or not at all, and never over anything else."""

from __future__ import annotations

import contextlib
import dataclasses
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from device_runtime import bundle
from device_runtime.errors import BundleError
from models import tiny_manifest, tiny_model, write_tiny_bundle

MODEL = tiny_model()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small bundle that is there before."""
    return write_tiny_bundle(tmp_path / "tiny.bundle").folder


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
