"""Without LiteRT, or with a file that is no graph, one line says what to do."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest

from device_runtime.bundle import Bundle
from device_runtime.engines.litert import FILE, INTERPRETERS, load_engine
from device_runtime.errors import BundleError, EngineError
from models import tiny_manifest, tiny_model


def holding(folder, data):
    """A bundle whose model.tflite holds these bytes."""
    (folder / FILE).write_bytes(data)
    return Bundle(folder, tiny_manifest(), tiny_model(0, (("gru", 5),), 7))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a graph at all" * 99,
        b"\0\0\0\0TFL3",
        b"\x1c\0\0\0TFL3" + bytes(1000),
        b"\x1c\0\0\0TFL3" + np.random.default_rng(0).bytes(1000),
    ],
    ids=["empty", "text", "an identifier alone", "zeros", "noise"],
)
def test_garbage_is_refused_in_one_line(data, tmp_path, capfd):
    pytest.importorskip("ai_edge_litert", reason="needs LiteRT")
    pattern = r"model\.tflite is not a graph that LiteRT can run: .*[^.]\. Get the bundle again$"
    with pytest.raises(BundleError, match=pattern) as refused:
        load_engine(holding(tmp_path, data))
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


def test_a_missing_package_says_how_to_install_it(tmp_path, monkeypatch):
    for module in INTERPRETERS:
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setitem(sys.modules, module.partition(".")[0], None)
    pattern = r'LiteRT cannot be imported \(.*\)\. .* pip install "tinyrnn-runtime\[litert\]"'
    with pytest.raises(EngineError, match=pattern):
        load_engine(holding(tmp_path, b""))


@pytest.mark.parametrize("raised", [ImportError, SystemError])
def test_a_package_beside_a_numpy_that_it_cannot_use_says_so(raised, tmp_path, monkeypatch):
    class Interpreter:
        def __init__(self, **options: object) -> None:
            raise raised("numpy.core.multiarray failed to import")

    Interpreter.__module__ = "tflite_runtime.interpreter"
    package, module = types.ModuleType("ai_edge_litert"), types.ModuleType(INTERPRETERS[0])
    module.Interpreter = Interpreter
    monkeypatch.setitem(sys.modules, "ai_edge_litert", package)
    monkeypatch.setitem(sys.modules, INTERPRETERS[0], module)
    pattern = (
        r'tflite_runtime\.interpreter cannot run beside NumPy \d.*built for another one\. Choose: pip install "numpy<2'
    )
    with pytest.raises(EngineError, match=pattern):
        load_engine(holding(tmp_path, b""))
