"""A pack is a smaller bundle that gives the same answers."""

from __future__ import annotations

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


def test_a_pack_for_an_engine_that_the_bundle_lacks_is_refused(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "whole.bundle")
    with pytest.raises(BundleError, match=r"has no model\.tflite, which the engine litert reads"):
        pack(tmp_path / "whole.bundle", tmp_path / "small.bundle", "litert")
    with pytest.raises(EngineError, match="there is no engine 'tflite'"):
        pack(tmp_path / "whole.bundle", tmp_path / "small.bundle", "tflite")
    assert not (tmp_path / "small.bundle").exists()


def test_a_bundle_is_not_packed_onto_itself(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "whole.bundle")
    with pytest.raises(InputError, match=r"is the bundle itself, which packing would cut down\. Name another folder"):
        pack(tmp_path / "whole.bundle", tmp_path / "else" / ".." / "whole.bundle")
    assert "golden.npz" in bundle.read(tmp_path / "whole.bundle").manifest.files
