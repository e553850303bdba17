"""A pack is a smaller bundle that gives the same answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device_runtime import bundle, engines
from device_runtime.errors import BundleError, EngineError, InputError
from device_runtime.pack import pack
from models import random_frames, write_tiny_bundle


def test_a_pack_is_a_bundle_with_the_same_model(tmp_path: Path) -> None:
    whole = write_tiny_bundle(tmp_path / "whole.bundle")
    pack(tmp_path / "whole.bundle", tmp_path / "small.bundle")
    before, after = bundle.read(tmp_path / "whole.bundle"), bundle.read(tmp_path / "small.bundle")
    assert set(after.manifest.files) == {"model.npz"}
    assert after.manifest.labels == before.manifest.labels
    assert after.size_bytes == after.device_bytes <= before.device_bytes < before.size_bytes
    state = before.model.initial_state()
    for frame in random_frames(20, before.model.feature_size):
        one, two = (engines.load("reference", opened).step(frame, state) for opened in (before, after))
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
        state = one[1]
    assert whole


CARD = {
    "title": "Two words",
    "data": [{"name": "commands", "source": "somewhere", "licence": "CC BY 4.0"}],
    "stages": [{"name": "teacher", "accuracy": 0.9}] * 20,
    "commit": "abc",
}


def test_a_bundle_says_to_the_byte_what_its_pack_takes(tmp_path: Path) -> None:
    whole = write_tiny_bundle(tmp_path / "whole.bundle")
    bundle.write(
        whole.folder, replace(whole.manifest, card=CARD, labels=("a", "no", "نعم", "yes")), whole.model, add_npz
    )
    # as another tool may have written it: weights that are not deflated, and a gain that is no float32
    stored = (whole.folder / "model.npz").read_bytes()
    fields = json.loads((whole.folder / "manifest.json").read_text())
    fields["model"]["input_gain"] = 54.3
    fields["files"]["model.npz"]["comment"] = "more"
    (whole.folder / "manifest.json").write_text(json.dumps(fields, indent=7))
    before = bundle.read(whole.folder)
    pack(whole.folder, tmp_path / "small.bundle")
    after = bundle.read(tmp_path / "small.bundle")
    assert sum(path.stat().st_size for path in after.folder.iterdir()) == after.size_bytes
    assert before.device_bytes == after.size_bytes == after.device_bytes
    assert (after.folder / "model.npz").read_bytes() == stored
    assert after.manifest_bytes < 0.5 * before.manifest_bytes
    data = [{"name": "commands", "licence": "CC BY 4.0"}]
    assert after.manifest.card == {"title": "Two words", "commit": "abc", "data": data}


def add_npz(folder: Path) -> None:
    """The weights again, stored instead of deflated."""
    with np.load(folder / "model.npz") as arrays:
        np.savez(folder / "model.npz", **arrays)


def test_a_pack_for_an_engine_that_the_bundle_lacks_is_refused(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "whole.bundle")
    with pytest.raises(BundleError, match=r"has no model\.tflite, which the engine litert reads"):
        pack(tmp_path / "whole.bundle", tmp_path / "small.bundle", "litert")
    with pytest.raises(EngineError, match=r"there is no engine 'referense' \(did you mean reference\?\)"):
        pack(tmp_path / "whole.bundle", tmp_path / "small.bundle", "referense")
    assert not (tmp_path / "small.bundle").exists()


def test_a_bundle_is_not_packed_onto_itself(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "whole.bundle")
    with pytest.raises(InputError, match=r"is the bundle itself, which packing would cut down\. Name another folder"):
        pack(tmp_path / "whole.bundle", tmp_path / "else" / ".." / "whole.bundle")
    with pytest.raises(InputError, match=r"lies in the bundle itself, which holds its own files alone\. Name another"):
        pack(tmp_path / "whole.bundle", tmp_path / "whole.bundle" / "small")
    assert "golden.npz" in bundle.read(tmp_path / "whole.bundle").manifest.files
