"""The command line's own verbs, those that a workstation adds, the help and the version."""

import importlib.metadata
import sys

import pytest

from command_line import refused
from device_runtime import cli
from sounds import write_bundle


@pytest.fixture
def folder(tmp_path):
    return str(write_bundle(tmp_path / "tiny.bundle"))


def test_an_unknown_verb_on_a_board_says_where_more_come_from(capsys, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [])
    message = refused(capsys, "build", "demo")
    assert message.endswith(
        "Choose one of: run, evaluate, check, bench, info, pack; more come with the workstation: pip install -e .\n"
    )


def test_no_words_print_the_help(capsys):
    assert cli.main([]) == 0
    assert "evaluate" in capsys.readouterr().out


def test_the_version_is_that_of_the_installed_runtime(capsys, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", {"tinyrnn-runtime": "1.2.3"}.__getitem__)
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == "tinyrnn 1.2.3\n"


def test_without_an_installation_there_is_no_version(capsys, monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    assert cli.main([]) == 0


class Entry:
    """An entry point of another distribution."""

    def __init__(self, name, load):
        self.name, self.load = name, load


def build_verb(verbs):
    parser = verbs.add_parser("build", help="make a bundle")
    parser.add_argument("scenario")
    parser.set_defaults(handler=lambda args: sys.stdout.write(f"building {args.scenario}\n") and 0)


def absent():
    raise ImportError("No module named 'torch'")


@pytest.fixture
def entries(monkeypatch):
    loaded = []
    found = [Entry("build", lambda: loaded.append("build") or build_verb), Entry("sweep", absent)]
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: found if group == "tinyrnn.verbs" else [])
    return loaded


def test_a_workstation_adds_its_verbs(capsys, entries):
    assert cli.main(["build", "demo"]) == 0
    assert capsys.readouterr().out == "building demo\n"
    assert "required: scenario. See: tinyrnn build --help" in refused(capsys, "build")
    assert "did you mean build?" in refused(capsys, "biuld")


def test_verbs_of_a_workstation_are_loaded_only_when_asked_for(capsys, entries, folder):
    cli.main(["info", folder])
    assert entries == []


def test_a_verb_that_cannot_be_loaded_says_why(capsys, entries):
    message = "the verb sweep cannot be loaded: No module named 'torch'. It needs the workstation"
    assert message in refused(capsys, "sweep")
    cli.main([])
    assert "(cannot be loaded: No module named 'torch')" in capsys.readouterr().out
