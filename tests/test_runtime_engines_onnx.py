"""Without ONNX Runtime, or with a file that is no graph, one line says what to do."""

from __future__ import annotations

import sys

import pytest

from device_runtime.bundle import Bundle
from device_runtime.engines.onnx import FILE, load_engine
from device_runtime.errors import BundleError, EngineError
from models import tiny_manifest, tiny_model


def holding(folder, data):
    """A bundle whose model.onnx holds these bytes."""
    (folder / FILE).write_bytes(data)
    return Bundle(folder, tiny_manifest(), tiny_model(0, (("gru", 5),), 7))


@pytest.mark.parametrize(
    "data", [b"", b"\x08", b"not a graph at all" * 99, bytes(1000)], ids=["empty", "byte", "text", "0"]
)
def test_garbage_is_refused_in_one_line(data, tmp_path, capfd):
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    pattern = r"model\.onnx is not a graph that ONNX Runtime can run: .*[^.]\. Get the bundle again$"
    with pytest.raises(BundleError, match=pattern) as refused:
        load_engine(holding(tmp_path, data))
    assert "\n" not in str(refused.value)
    assert capfd.readouterr() == ("", "")


def test_a_broken_install_says_how_to_repair_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineError, match=r'ONNX Runtime cannot be imported .* pip install "tinyrnn-runtime\[onnx\]"'):
        load_engine(holding(tmp_path, b""))
