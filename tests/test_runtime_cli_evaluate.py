"""`tinyrnn evaluate` on words: what it prints, where it takes noise from, and what it refuses."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from command_line import refused, write_words
from device_runtime import cli
from device_runtime.noise import Noises
from sounds import babble, wav_bytes, write_bundle


@pytest.fixture
def folder(tmp_path):
    return str(write_bundle(tmp_path / "tiny.bundle"))


def test_evaluate_prints_what_was_measured(capsys, monkeypatch, tmp_path, folder):
    monkeypatch.delenv("TINYRNN_DATA", raising=False)
    data = write_words(tmp_path / "words")
    command = ["evaluate", folder, data, "--negatives", f"{data}/maybe", "--json"]
    assert cli.main(command) == 0
    numbers = json.loads(capsys.readouterr().out)
    wanted = {"task", "engine", "split", "clips", "accuracy", "interval_95", "accuracy_cold", "accuracy_noise_10db"}
    wanted |= {"accuracy_unknown_allowed", "bundle_bytes", "device_bytes"}
    wanted |= {"per_label", "seconds", "hours", "false_accepts", "false_accepts_per_hour", "negatives", "detection"}
    assert wanted <= set(numbers)
    assert (numbers["clips"], numbers["skipped"], numbers["negatives"]["clips"]) == (4, 1, 1)
    assert numbers["noise"]["source"] == "generated"
    assert cli.main(command[:-1]) == 0
    assert "false accepts in 0.00 hours" in capsys.readouterr().out


def test_evaluate_of_negatives_alone_prints_just_these(capsys, tmp_path, folder):
    data = write_words(tmp_path / "words")
    assert cli.main(["evaluate", folder, "--negatives", data, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers.pop("negatives") == numbers
    assert numbers["clips"] == 5


def test_evaluate_takes_noise_from_where_it_is_told_or_from_the_data(capsys, monkeypatch, tmp_path, folder):
    monkeypatch.delenv("TINYRNN_DATA", raising=False)
    data = write_words(tmp_path / "words")
    for place in (Path(data, "_background_noise_"), tmp_path / "noise"):
        place.mkdir()
        (place / f"in {place.name}.wav").write_bytes(wav_bytes(babble(2.0)))
    cli.main(["evaluate", folder, data, "--json"])
    assert json.loads(capsys.readouterr().out)["noise"]["names"] == ["in _background_noise_"]
    cli.main(["evaluate", folder, data, "--noise", str(tmp_path / "noise"), "--json"])
    assert json.loads(capsys.readouterr().out)["noise"]["names"] == ["in noise"]
    monkeypatch.setattr(Noises, "choose", lambda *_: Noises.generated([]))  # as if training had heard it all
    message = refused(capsys, "evaluate", folder, data, "--noise", str(tmp_path / "noise"))
    assert "noise has no noise that training has not heard" in message


def test_noise_that_cannot_be_decoded_here_is_passed_over_unless_it_is_named(capsys, monkeypatch, tmp_path, folder):
    monkeypatch.delenv("TINYRNN_DATA", raising=False)
    monkeypatch.setitem(sys.modules, "soundfile", None)  # as where it is not installed
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    data = write_words(tmp_path / "words")
    place = Path(data, "_background_noise_")
    place.mkdir()
    (place / "tap.opus").write_bytes(b"OggS" + bytes(100))
    assert cli.main(["evaluate", folder, data, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["noise"]["source"] == "generated"
    message = refused(capsys, "evaluate", folder, data, "--noise", str(place))
    assert "other audio needs soundfile, which is not installed" in message


def test_evaluate_draws_a_limited_number_of_clips_by_seed(capsys, tmp_path, folder):
    data = write_words(tmp_path / "words")
    assert cli.main(["evaluate", folder, data, "--limit", "2", "--seed", "1", "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["clips"] + numbers["skipped"] == 2
    assert "--limit must be at least 1, got 0" in refused(capsys, "evaluate", folder, data, "--limit", "0")


def test_evaluate_refuses_noises_heard_that_are_no_names(capsys, tmp_path, folder):
    path = Path(folder, "manifest.json")
    path.write_text(path.read_text().replace('"seed": 0', '"noises_heard": 5'))
    message = refused(capsys, "evaluate", folder, write_words(tmp_path / "words"))
    assert "the card of tiny must have a list of names as noises_heard. Get the bundle again" in message
