"""The sizes in a report are counted from the arrays and layers that a bundle stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the report's figures are drawn with matplotlib")
pytest.importorskip("jinja2", reason="the report's page is a jinja2 template")

from compress.report import Stage, describe
from models import SRUS, tiny_model, write_tiny_bundle
from scenarios.report_parts import where_bytes_go


def test_bytes_are_counted_from_the_arrays() -> None:
    arrays = {"weight": np.array([[0, 3], [0, -1]], np.int8), "bias": np.array([0.5, 0.0], np.float32)}
    own, as_float = describe(arrays), describe(arrays, bytes_per_value=4)
    assert (own.parameters, own.nonzeros, own.bytes, own.sparsity) == (6, 3, 12, 0.5)
    assert as_float.bytes == 24
    assert describe({}).sparsity == 0.0
    row = Stage.of("int8", own, accuracy=0.5, interval_95=(0.4, 0.6), split="test", clips=10)
    assert (row.parameters, row.nonzeros, row.bytes, row.sparsity) == (6, 3, 12, 0.5)


def test_the_bytes_of_each_kind_of_layer_are_told(tmp_path: Path) -> None:
    parts = where_bytes_go(write_tiny_bundle(tmp_path / "sru.bundle", tiny_model(0, SRUS)).folder).parts
    inputs = 4 * 24 * (16 * 9) + 4 * 9 * 24
    assert parts == {"dense 1": 16 * 40, "SRU, inputs": inputs, "SRU, state": 2 * 4 * (24 + 9), "head": 4 * 9}
    mixed = tiny_model(0, (("gru", 5), ("sru", 3), ("gru", 6), ("decode", 2)), 7)
    parts = where_bytes_go(write_tiny_bundle(tmp_path / "mixed.bundle", mixed).folder).parts
    assert list(parts) == ["GRU, inputs", "GRU, state", "SRU, inputs", "SRU, state", "positions", "head"]
