"""The bundles that are committed: small, whole, documented, and the same bits on every engine."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnxruntime", reason="each bundle is checked on all engines")
pytest.importorskip("ai_edge_litert", reason="each bundle is checked on all engines")

from device_runtime import bundle, engines, golden
from scenarios.build import find

BUNDLES = sorted((Path(__file__).parents[1] / "scenarios" / "bundles").glob("*.bundle"))


def test_there_are_bundles():
    words = {"arabic_commands", "arabic_commands_small", "arabic_commands_tiny", "keyword_spotting", "demo"}
    sensors = {"load_forecast", "load_forecast_etth1", "load_forecast_ettm1", "machine_health", "remaining_life"}
    assert words | sensors <= {path.stem for path in BUNDLES}


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_a_committed_bundle_gives_its_golden_bits_on_every_engine(path):
    opened = bundle.read(path)
    found = engines.available(opened)
    assert [name for name in found if name != "native"] == ["reference", "onnx", "litert"]
    frames = golden.read(opened)
    assert {name: golden.replay(engines.load(name, opened), frames) for name in found} == dict.fromkeys(found, 0)


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_a_committed_bundle_is_below_300_kb_and_says_where_it_comes_from(path):
    opened = bundle.read(path)
    assert opened.size_bytes < 300_000
    card = opened.manifest.card
    assert card["data"]
    assert all(source["licence"] for source in card["data"])
    assert card["stages"][-1]["name"] == "int8"
    assert {"seeds", "commit", "evaluation"} <= set(card)
    if opened.manifest.task == "keyword_spotting":
        methods = [method.name for method in find(path.stem).compress]
        assert [stage["name"] for stage in card["stages"]] == ["teacher", "student", *methods]
        assert "noises_heard" in card
