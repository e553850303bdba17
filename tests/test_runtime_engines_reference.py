"""Engines are chosen by name in one place, and prove themselves on the golden frames."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from device_runtime import arithmetic, bundle, engines, golden, npz
from device_runtime.arithmetic import Float32
from device_runtime.bundle import Bundle
from device_runtime.errors import BundleError, EngineError
from device_runtime.golden import Golden
from models import random_frames, tiny_manifest, tiny_model, write_tiny_bundle


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Weights and golden frames, no graphs."""
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny.bundle")


@dataclasses.dataclass
class Wrong:
    """The reference engine, wrong from one frame on."""

    model: arithmetic.Model
    wrong_at: int
    name: str = "wrong"
    frames: int = 0

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        scores, state = arithmetic.step(self.model, frame, state)
        if self.frames == self.wrong_at:
            scores[0] = np.nextafter(scores[0], np.float32(9))
        self.frames += 1
        return scores, state


# ---- choosing an engine


def without_native(names):
    """It needs no file of its own, so it is there wherever it was built."""
    return [name for name in names if name != "native"]


def test_the_default_is_the_engine_in_c_where_it_is_built(tiny):
    expected = "native" if engines.ENGINES["native"].is_installed() else "reference"
    assert engines.load(engines.DEFAULT, tiny).name == engines.DEFAULT == expected


def test_the_reference_engine_is_the_arithmetic(tiny):
    engine = engines.load(engines.REFERENCE, tiny)
    frame, state = random_frames(1)[0], tiny.model.initial_state()
    assert engine.name == "reference"
    for got, expected in zip(engine.step(frame, state), arithmetic.step(tiny.model, frame, state), strict=True):
        assert got.tobytes() == expected.tobytes()


def test_only_engines_whose_file_is_there_are_available(tiny):
    assert without_native(engines.available(tiny)) == ["reference"]


def test_an_unknown_engine_suggests_the_near_one(tiny):
    with pytest.raises(EngineError, match=r"no engine 'onx' \(did you mean onnx\?\). Choose one of: reference, nat"):
        engines.load("onx", tiny)
    with pytest.raises(EngineError, match=r"no engine 'tpu'. Choose one of"):
        engines.load("tpu", tiny)


def test_an_engine_without_its_file_names_the_others(tiny):
    with pytest.raises(EngineError, match=r"onnx needs model\.onnx, which .*tiny\.bundle does not have. Choose"):
        engines.load("onnx", tiny)


@pytest.mark.parametrize(("name", "file"), [("onnx", "model.onnx"), ("litert", "model.tflite")])
def test_an_engine_without_its_package_says_what_to_install(name, file, tmp_path, monkeypatch):
    folder = tmp_path / "tiny.bundle"
    bundle.write(folder, tiny_manifest(), tiny_model(), lambda temporary: (temporary / file).touch())
    opened = bundle.read(folder)
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    assert engines.available(opened) == ["reference"]
    with pytest.raises(EngineError, match=rf'needs the package .* with: pip install "tinyrnn-runtime\[{name}\]"'):
        engines.load(name, opened)


# ---- golden frames


def test_the_golden_frames_come_back_and_the_reference_has_no_differing_bit(tiny):
    frames = golden.read(tiny)
    assert frames.frames.tobytes() == random_frames(20).tobytes()
    assert golden.replay(engines.load("reference", tiny), frames) == 0


def test_one_wrong_bit_is_counted(tiny):
    assert golden.replay(Wrong(tiny.model, wrong_at=7), golden.read(tiny)) == 1


def test_another_shape_counts_as_wrong_everywhere(tiny):
    right = golden.read(tiny)
    narrow = Golden(right.frames, np.zeros((20, 3), np.float32), right.states)
    assert golden.replay(engines.load("reference", tiny), narrow) == 60


def test_a_bundle_without_golden_frames_says_so(tmp_path):
    bundle.write(tmp_path / "bare", tiny_manifest(), tiny_model(), lambda temporary: None)
    with pytest.raises(BundleError, match=r"bare has no golden\.npz, so there is nothing to check against"):
        golden.read(bundle.read(tmp_path / "bare"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"frames": np.zeros((20, 3), "f4")},
            r"golden\.npz: frames must be float32 \(20, 200\), got float32 \(20",
        ),
        ({"scores": np.zeros((20, 4), "i1")}, r"golden\.npz: scores must be float32 \(20, 4\), got int8 \(20, 4\)"),
        (
            {"states": np.zeros((19, 224), "f4")},
            r"golden\.npz: states must be float32 \(20, 224\), got float32 \(19",
        ),
        ({"states": None}, r"golden\.npz: states must be float32 \(20, 224\), got nothing"),
        ({"frames": None}, r"golden\.npz: frames must be float32 \(1, 200\), got nothing"),
        (
            {"frames": np.zeros((0, 200), "f4")},
            r"golden\.npz: frames must be float32 \(1, 200\), got float32 \(0",
        ),
    ],
)
def test_golden_frames_of_another_shape_are_refused(changed, message, tmp_path: Path):
    right = golden.record(tiny_model(), random_frames(20))
    arrays = {**vars(right), **changed}

    def write_files(temporary: Path) -> None:
        npz.write(temporary / "golden.npz", {name: array for name, array in arrays.items() if array is not None})

    bundle.write(tmp_path / "b", tiny_manifest(), tiny_model(), write_files)
    with pytest.raises(BundleError, match=message):
        golden.read(bundle.read(tmp_path / "b"))
