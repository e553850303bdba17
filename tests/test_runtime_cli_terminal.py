"""The command line for a person at a terminal: examples in every help, and a word when nothing is heard."""

import re
import sys

import numpy as np
import pytest

from command_line import write_recording
from device_runtime import cli
from device_runtime.nearest import Nearest
from device_runtime.progress import progress
from sounds import EAGER, write_bundle


@pytest.fixture
def folder(tmp_path):
    return str(write_bundle(tmp_path / "tiny.bundle"))


@pytest.fixture
def recording(tmp_path):
    return write_recording(tmp_path)


def at_terminal(monkeypatch):
    """Standard error, and standard input, as a person has them."""
    for stream in (sys.stderr, sys.stdin):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)


def test_in_a_terminal_a_silent_run_says_how_near_the_nearest_word_came(capsys, monkeypatch, folder, recording):
    at_terminal(monkeypatch)
    assert cli.main(["run", folder, recording, *(f"--threshold={label}=1" for label in EAGER["thresholds"])]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    told = re.fullmatch(
        r"nothing fired in 3\.\d s; (\w+) came nearest, (0\.\d\d) of the 1\.00 that it needs. "
        r"To hear more: --threshold (\w+)=(0\.\d\d)\n",
        err,
    )
    assert told
    assert told[1] == told[3]
    assert cli.main(["run", folder, recording, f"--threshold={told[1]}={told[4]}"]) == 0
    out, err = capsys.readouterr()
    assert told[1] in out, "the advice helps"
    assert err == "", "something fired"


def test_nothing_is_told_of_labels_that_never_fire():
    nearest = Nearest(("_silence_",), {})
    nearest.take(np.ones(1, np.float32), 2.0)
    assert nearest.told() == "nothing fired in 2.0 s"


def test_what_came_before_anything_could_fire_is_no_advice():
    nearest = Nearest(("yes",), {"yes": 0.8}, window_steps=3)
    for score in (1.0, 0.9, 0.4, 0.2):
        nearest.take(np.array([score], np.float32), 2.0)
    assert "yes came nearest, 0.40 of the 0.80" in nearest.told()


def test_a_word_with_a_space_is_quoted_in_the_advice():
    nearest = Nearest(("zoom in",), {"zoom in": 0.5})
    nearest.take(np.array([0.2], np.float32), 2.0)
    assert nearest.told().endswith('--threshold "zoom in=0.18"')


def test_standard_input_that_is_the_terminal_is_refused(capsys, monkeypatch, folder):
    at_terminal(monkeypatch)
    assert cli.main(["run", folder, "-"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("tinyrnn: - reads audio from a pipe, but standard input is the terminal. Use: arecord")


def test_standard_input_that_is_closed_is_refused(capsys, monkeypatch, folder):
    monkeypatch.setattr("sys.stdin", None)  # as `<&-` leaves it
    assert cli.main(["run", folder, "-"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("tinyrnn: - reads audio from a pipe, but standard input is closed. Use: arecord")
    assert err.count("\n") == 1


@pytest.mark.parametrize("verb", cli.BUILT_IN)
def test_the_help_of_every_verb_has_an_example_and_says_what_each_option_does(capsys, verb):
    with pytest.raises(SystemExit, match="0"):
        cli.main([verb, "--help"])
    text = capsys.readouterr().out
    assert re.search(rf"^examples:\n  (.* \| )?tinyrnn {verb} ", text, re.MULTILINE)
    options = re.split(r"\n(?=  -)", text[text.index("options:") : text.index("examples:")])[1:]
    for option in options:
        assert re.search(r"\S(\s{2,}|\n\s+)[a-z0-9]", option.strip()), f"{option} has no help"


def test_progress_is_for_terminals_only(capsys, monkeypatch):
    show = progress("clips")
    show(20, 20)
    assert capsys.readouterr().err == ""
    at_terminal(monkeypatch)
    for done in (9, 10, 20):
        show(done, 20)
    assert capsys.readouterr().err == "\rclips: 10 of 20\rclips: 20 of 20\n"
