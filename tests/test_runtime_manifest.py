"""A manifest's every field is checked, and a wrong one is named in one line."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from device_runtime import manifest, weights
from device_runtime.errors import BundleError
from device_runtime.manifest import Manifest
from models import SMOOTH, tiny_manifest, tiny_model

WINDOW = {"kind": "window", "interval_s": 0.1, "mean": [0.5], "std": [2], "segment": 20}


def nested(depth: int) -> list[Any]:
    """So many lists in one another."""
    return [nested(depth - 1)] if depth > 1 else []


def valid() -> dict[str, Any]:
    fields = tiny_manifest().as_dict()
    files = {"model.npz": {"sha256": "0" * 64, "bytes": 10}}
    return json.loads(json.dumps({**fields, "model": weights.describe(tiny_model()), "files": files}))


def test_a_manifest_survives_json_with_labels_in_any_script():
    original = Manifest.from_dict({**valid(), "labels": ["yes", "no", "نعم", "می\u200cروم"]})
    text = manifest.to_json(original).decode()
    assert "نعم" in text, "a person can read it"
    assert manifest.from_json(text.encode(), "manifest.json") == original


def test_a_compact_manifest_says_the_same_in_fewer_bytes():
    original = Manifest.from_dict(valid())
    shown, compact = manifest.to_json(original), manifest.to_json(original, compact=True)
    assert compact.count(b"\n") == 1
    assert len(compact) < 0.8 * len(shown)
    assert manifest.from_json(compact, "manifest.json") == original


def test_a_device_keeps_of_a_card_what_it_is_and_whose():
    row = {"name": "commands", "source": "somewhere", "licence": "CC BY 4.0"}
    card = {"title": "Words", "stages": [1], "data": [row, "more"], "commit": "abc", "noises_heard": ["rain"]}
    kept = Manifest.from_dict({**valid(), "card": card}).for_device()
    data = [{"name": "commands", "licence": "CC BY 4.0"}]
    assert kept.card == {"title": "Words", "commit": "abc", "data": data}
    assert kept.for_device() == kept
    assert Manifest.from_dict({**valid(), "card": {"data": "mine"}}).for_device().card == {}


def test_noises_that_training_has_heard_are_a_list_of_names():
    assert Manifest.from_dict(valid()).noises_heard == []
    assert Manifest.from_dict({**valid(), "card": {"noises_heard": ["rain"]}}).noises_heard == ["rain"]
    for wrong in (5, "rain", ["rain", 5], None, {}):
        read = Manifest.from_dict({**valid(), "card": {"noises_heard": wrong}})
        with pytest.raises(BundleError, match="the card of tiny must have a list of names as noises_heard"):
            _ = read.noises_heard


def test_keys_that_this_runtime_does_not_know_are_left_alone():
    assert Manifest.from_dict({**valid(), "comment": "from a later tool"}) == Manifest.from_dict(valid())


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "1", r"format must be a whole number from 1 to \d+, got '1'"),
        ("format", True, r"format must be a whole number"),
        ("format", 0, r"format must be a whole number"),
        ("name", 5, r"name must be 1 to 200 printable characters, got 5"),
        ("name", "\x1b[31mred", r"name must be 1 to 200 printable characters, got '\\x1b\[31mred'"),
        ("task", "", r"task must be one of keyword_spotting, forecasting, anomaly, remaining_life, got ''"),
        ("labels", "yes", r"labels must be a list of at most 1000 items, got 'yes'"),
        ("labels", ["yes", 3], r"labels\[1\] must be 1 to 200 printable characters, got 3"),
        ("labels", ["yes", "\ud800"], r"labels\[1\] must be 1 to 200 printable"),
        ("labels", [], r"labels must not be empty"),
        ("labels", ["yes", "no", "yes"], r"labels must differ from one another, got 'yes' twice"),
        ("frontend", [], r"frontend must be an object of at most 1000 fields, got a list"),
        ("frontend.kind", "specch", r"frontend\.kind must be one of speech, window, lookback, adaptive, got 'specch'"),
        ("frontend.kind", [], r"frontend\.kind must be one of speech, window, lookback, adaptive, got a list"),
        ("frontend", WINDOW | {"mean": "0"}, r"frontend\.mean must be a list of at most 1000 items, got '0'"),
        ("frontend", WINDOW | {"std": [0]}, r"frontend\.std\[0\] must be a number from 1e-12 to 1e\+12, got 0"),
        ("frontend", WINDOW | {"std": [1e-30]}, r"frontend\.std\[0\] must be a number from 1e-12 to 1e\+12, got 1e-30"),
        ("frontend", WINDOW | {"mean": [1e30]}, r"frontend\.mean\[0\] must be a number from -1e\+12 to 1e\+12, got 1e"),
        ("frontend", WINDOW | {"gaps": []}, r"frontend\.gaps must be one of hold, interpolate, mask, got a list"),
        ("frontend", WINDOW | {"interval_s": 0}, r"interval_s must be a number from 5e-06 to 3.16224e\+07, got 0"),
        (
            "frontend",
            WINDOW | {"interval_s": 1e9},
            r"interval_s must be a number from 5e-06 to 3.16224e\+07, got 10000",
        ),
        (
            "frontend",
            WINDOW | {"interval_s": 1 / 48_000, "mean": [0] * 64, "std": [1] * 64},
            r"64 channels every 2.08333e-05 s are more than 2000000 readings a second\. Get the bundle again",
        ),
        (
            "frontend",
            WINDOW | {"interval_s": 1e-5, "segment": 1},
            r"decoder\.window_ms spans 30000 steps of the model; at most 10000 are allowed",
        ),
        (
            "frontend.more",
            "\x1b]0;\x07",
            r"frontend\.more must be printable text without control characters, got '\\x1b",
        ),
        (
            "decoder",
            SMOOTH | {"\x1b[2J": 0},
            r"decoder must be printable text without control characters, got '\\x1b\[",
        ),
        ("frontend", WINDOW | {"segment": 1e9}, r"frontend\.segment must be a whole number from 1 to 65536"),
        ("decoder.kind", "soothe", r"decoder\.kind must be one of smooth, forecast, estimate, anomaly, got 'soothe'"),
        ("frontend.hop_ms", "10", r"frontend\.hop_ms must be a whole number from 1 to 1000, got '10'"),
        ("frontend.stack", 0, r"frontend\.stack must be a whole number from 1 to 256, got 0"),
        ("decoder.release", None, r"decoder\.release must be a number from 0 to 1, got None"),
        ("decoder.window_ms", [300], r"decoder\.window_ms must be a number from 0 to 10000, got a list"),
        ("decoder.thresholds", {"yse": 0.5}, r"decoder\.thresholds names 'yse', which is not one of the labels"),
        ("decoder.thresholds", {"yes": "0.5"}, r"decoder\.thresholds\.yes must be a number from 0 to 1, got '0\.5'"),
        ("model.feature_size", 2**40, r"model\.feature_size must be a whole number from 1 to 65536, got 1099511627776"),
        ("model.input_gain", 0, r"model\.input_gain must be a number from 1e-09 to 1e\+09, got 0"),
        ("model.layers", {"kind": "gru"}, r"model\.layers must be a list of at most 1000 items, got a dict"),
        ("model.layers", [[]], r"model\.layers\[0\] must be an object of at most 1000 fields, got a list"),
        (
            "model.layers",
            [{"kind": "lstm"}],
            r"model\.layers\[0\]\.kind must be one of dense, gru, sru, decode, got 'lstm'",
        ),
        ("model.layers", [{"kind": "dense", "hop": 0}], r"model\.layers\[0\]\.hop must be a whole number from 1"),
        ("model.layers", [{"kind": "dense", "hop": 1.5}], r"model\.layers\[0\]\.hop must be a whole number from 1"),
        ("model.layers", [{"kind": "dense", "hop": 1}], r"has no model\.layers\[0\]\.output_gain"),
        ("model.linear", None, r"model\.linear must be an object of at most 1000 fields, got None"),
        ("model.linear", {"frames": 3}, r"has no model\.linear\.width"),
        (
            "model.linear",
            {"width": 0, "frames": 3},
            r"model\.linear\.width must be a whole number from 1 to 65536, got 0",
        ),
        (
            "model.linear",
            {"width": 2, "frames": 1025},
            r"model\.linear\.frames must be a whole number from 1 to 1024, got",
        ),
        ("model.linear", {"width": 2, "frames": True}, r"model\.linear\.frames must be a whole number from 1 to 1024"),
        ("files", {"../../etc/passwd": {}}, r"files names '\.\./\.\./etc/passwd'; expected plain names such as model"),
        ("files", {"/etc/passwd": {}}, r"files names '/etc/passwd'"),
        ("files", {"..": {}}, r"files names '\.\.'"),
        ("files", {"manifest.json": {}}, r"files names 'manifest\.json'"),
        ("files", {"a" * 50: 1}, r"files\.'aaa.*' must be an object of at most 1000 fields, got 1"),
        ("files", {"model.npz": {"bytes": -1}}, r"files\.model\.npz\.bytes must be a whole number from 0 to 67108864"),
        ("files", {"model.npz": {"bytes": 1, "sha256": "abc"}}, r"the sha256 of model\.npz must be 64 hexadecimal"),
        ("card", dict.fromkeys(map(str, range(1001))), r"card must be an object of at most 1000 fields, got a dict"),
        (
            "card",
            {"title": "\x1b[31mred"},
            r"card\.title must be printable text without control characters, got '\\x1b",
        ),
        ("card", {"data": [{"\n": 1}]}, r"card\.data must be printable text without control characters, got '\\n'"),
        ("card", {"a": nested(900)}, r"card\.a is nested more than 8 levels deep\. Get the bundle again"),
        ("card", {"a": nested(9)}, r"card\.a is nested more than 8 levels deep"),
        ("decoder.more", nested(900), r"decoder\.more is nested more than 8 levels deep"),
        ("card", "MIT", r"card must be an object of at most 1000 fields, got 'MIT'"),
    ],
)
def test_a_wrong_field_is_named(path, value, message):
    fields = inner = valid()
    *parents, last = path.split(".")
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    with pytest.raises(BundleError, match=f"here/manifest.json.*{message}") as error:
        Manifest.from_dict(fields, "here/manifest.json")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


@pytest.mark.parametrize("field", ["format", "name", "task", "labels", "frontend", "decoder", "model", "files", "card"])
def test_a_missing_field_is_named(field):
    fields = valid()
    del fields[field]
    with pytest.raises(BundleError, match=rf"manifest\.json has no {field}. Get the bundle again"):
        Manifest.from_dict(fields)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", r"is not JSON \(Expecting value"),
        (b"{", r"is not JSON"),
        (b"\xff\xfe{", r"is not JSON"),
        (b"[" * 100_000, r"is not JSON"),
        (b'{"format": NaN}', r"is not JSON \(NaN is not a JSON number\)"),
        (b'{"format": 1e999}', r"is not JSON \(1e999 is too large a number\)"),
        (b'{"format": ' + b"9" * 10_000 + b"}", r"is not JSON"),
        (b"[1, 2]", r"the whole file must be an object of at most 1000 fields, got a list"),
        (b"null", r"the whole file must be an object of at most 1000 fields, got None"),
    ],
)
def test_what_is_no_manifest_is_one_line(text, message):
    with pytest.raises(BundleError, match=message) as error:
        manifest.from_json(text, "manifest.json")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


def test_a_card_that_json_cannot_hold_is_refused_before_anything_is_written():
    with pytest.raises(BundleError, match=r"the manifest of tiny cannot be stored as JSON: Out of range float"):
        manifest.to_json(dataclasses.replace(tiny_manifest(), card={"accuracy": float("nan")}))
    with pytest.raises(BundleError, match=r"cannot be stored as JSON: .*set is not JSON serializable"):
        manifest.to_json(dataclasses.replace(tiny_manifest(), card={"words": {"yes"}}))
    with pytest.raises(BundleError, match=r"cannot be stored as JSON: .*surrogates not allowed"):
        manifest.to_json(dataclasses.replace(tiny_manifest(), card={"title": "\ud800"}))


def test_eight_levels_are_not_too_deep():
    assert Manifest.from_dict({**valid(), "card": {"a": nested(8)}}).card == {"a": nested(8)}
