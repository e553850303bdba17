"""The command line: one line on stderr for whatever a user gets wrong."""

import io
import sys
from pathlib import Path

import pytest

from command_line import refused, write_recording, write_words
from device_runtime import bundle, cli, start
from sounds import write_bundle


@pytest.fixture
def folder(tmp_path):
    return str(write_bundle(tmp_path / "tiny.bundle"))


@pytest.fixture
def recording(tmp_path):
    return write_recording(tmp_path)


@pytest.mark.parametrize("verb", [["info"], ["info", "--json"], ["pack", "out"]])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": ' + "[" * 900 + "]" * 900 + "}", "card.a is nested more than 8 levels deep"),
        ('{"a": "\\u001b]0;owned\\u0007"}', "card.a must be printable text without control characters"),
    ],
)
def test_a_hostile_card_is_refused_in_one_line(capsys, folder, verb, text, message):
    path = Path(folder, "manifest.json")
    assert '"card": {\n    "seed": 0\n  }' in path.read_text()
    path.write_text(path.read_text().replace('"card": {\n    "seed": 0\n  }', f'"card": {text}'))
    assert message in refused(capsys, verb[0], folder, *verb[1:])


@pytest.mark.parametrize("option", ["--negatives", "--noise", "data"])
def test_a_variable_that_was_never_set_is_no_folder(capsys, folder, option):
    given = [""] if option == "data" else ["recordings", option, ""]
    assert "got an empty text. Is a variable of your shell not set?" in refused(capsys, "evaluate", folder, *given)


def test_ctrl_c_while_the_command_begins_leaves_no_traceback(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupted)
    assert start.main() == 130


def test_text_from_a_pipe_is_no_sound(capsys, monkeypatch, folder):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"hello\n")))
    message = refused(capsys, "run", folder, "-")
    assert "standard input is text ('hello\\n'), not audio. Expected 16-bit mono PCM or a WAV: arecord" in message


def test_an_unknown_verb_suggests_the_near_one(capsys):
    assert "there is no verb 'rnu' (did you mean run?). Choose one of: run, evaluate" in refused(capsys, "rnu")


def test_an_unknown_option_suggests_the_near_one(capsys, folder):
    message = refused(capsys, "run", "--enigne", folder)
    assert "tinyrnn run does not take '--enigne' (did you mean --engine?)" in message
    assert "tinyrnn does not take '--versoin' (did you mean --version?)" in refused(capsys, "--versoin")


REFUSED = {
    "the following arguments are required: BUNDLE. See: tinyrnn run --help": ["run"],
    "argument --threshold: expected WORD=0.7, got 'yes'. See": ["run", "{bundle}", "--threshold", "yes"],
    "argument --threshold: expected WORD=0.7, got '0.5'. See": ["run", "{bundle}", "--threshold", "0.5"],
    "no word 'yess' (did you mean yes?). Its words: silence": ["run", "{bundle}", "{wav}", "--threshold", "yess=0.7"],
    "threshold of yes must be a probability from 0 to 1, got 7.0": ["run", "{bundle}", "{wav}", "--threshold=yes=7"],
    "there is no engine 'onyx' (did you mean onnx?)": ["run", "{bundle}", "{wav}", "--engine", "onyx"],
    "{tmp} is not a bundle: it has no manifest.json": ["info", "{tmp}"],
    "there is no folder {tmp}/none. Check the path": ["info", "{tmp}/none"],
    "{wav} is a file, a bundle is a folder. Unpack it if it is an archive; the bundle comes first: "
    "tinyrnn run BUNDLE SOURCE": ["run", "{wav}", "{bundle}"],
    "/none.wav: No such file or directory. Expected an audio file.": ["run", "{bundle}", "{tmp}/none.wav"],
    "cannot read {tmp}: Is a directory": ["run", "{bundle}", "{tmp}"],
    "there is no data folder {tmp}/none": ["evaluate", "{bundle}", "{tmp}/none"],
    "nothing to evaluate: name a folder": ["evaluate", "{bundle}"],
    "{words} has no recordings in the split train; it has: test": ["evaluate", "{bundle}", "{words}", "--split=train"],
    "there is no data folder {tmp}/none. Expected": ["evaluate", "{bundle}", "--negatives", "{tmp}/none"],
    "{wav} is a file, expected a folder of recordings": ["evaluate", "{bundle}", "--negatives", "{wav}"],
    "{wav} is a file, expected a folder": ["evaluate", "{bundle}", "{wav}"],
    "there is no data folder {tmp}/none. Expected a": ["evaluate", "{bundle}", "{words}", "--noise", "{tmp}/none"],
    "{wav} is a file, expected": ["evaluate", "{bundle}", "{words}", "--noise", "{wav}"],
    "{tmp}/tiny.bundle holds no audio files. Expected .wav": ["evaluate", "{bundle}", "{words}", "--noise", "{bundle}"],
    "{bundle} is the bundle itself, which packing would cut down": ["pack", "{bundle}", "{bundle}"],
    "{bundle} has no model.onnx, which the engine onnx reads": ["pack", "{bundle}", "{tmp}/out", "--engine=onnx"],
    "argument --seed: expected a whole number from 0 to 4294967295, got '-1'": ["evaluate", "{bundle}", "--seed", "-1"],
    "expected a whole number from 0 to 4294967295, got '4294967296'": ["evaluate", "{bundle}", "--seed=4294967296"],
    "expected a whole number from 0 to 4294967295, got '1.5'": ["evaluate", "{bundle}", "--seed", "1.5"],
    "invalid choice: 'all of it' (choose from": ["evaluate", "{bundle}", "{words}", "--split", "all of it"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_a_user_gets_wrong_takes_one_line(capsys, tmp_path, folder, recording, message):
    places = {"bundle": folder, "wav": recording, "tmp": tmp_path, "words": write_words(tmp_path / "words")}
    arguments = [argument.format(**places) for argument in REFUSED[message]]
    assert message.format(**places) in refused(capsys, *arguments)


FULL = "tinyrnn: the output cannot be written: No space left. Make room, or write elsewhere\n"


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left"), 2)])
def test_an_interruption_or_a_full_disk_leaves_no_traceback(capsys, monkeypatch, folder, error, code):
    def fail(*_):
        raise error

    monkeypatch.setattr(bundle, "read", fail)
    assert cli.main(["info", folder]) == code
    assert capsys.readouterr().err == ("" if code == 130 else FULL)
