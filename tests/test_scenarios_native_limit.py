"""The native engine beside its own limit: what is printed was measured, and the models are what they say."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from device_runtime import codecs
from device_runtime.errors import EngineError
from scenarios.benchmarks import native_limit


@pytest.mark.skipif(not (os.environ.get("CC") or shutil.which("cc")), reason="needs a C compiler: name one in CC")
def test_a_cost_is_measured_on_the_kernel_that_was_asked_for(tmp_path):
    cost = native_limit.measure(native_limit.build(tmp_path), native_limit.random_model(16, None), tmp_path, "portable")
    assert cost.kernel == "portable"
    assert cost.products_us > 0
    assert 0 < cost.step_us < 1000
    assert cost.file_bytes == (tmp_path / "model.native").stat().st_size


@pytest.mark.parametrize("block", [block for block in native_limit.BLOCKS.values() if block])
def test_a_quarter_of_the_weights_is_left_and_stored_in_its_blocks(block):
    layer = native_limit.random_model(128, block).layers[0]
    assert np.mean(layer.state.weight != 0) == pytest.approx(0.25, abs=0.03)
    stored = codecs.smallest(layer.state.weight)
    assert (stored.sparse_rows, stored.block_columns) == block


def test_without_a_compiler_one_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(EngineError, match=r"the native engine could not be compiled \(.*\)\. Install a C compiler, or"):
        native_limit.build(tmp_path)
