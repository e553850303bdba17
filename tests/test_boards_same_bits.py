"""On each emulated Raspberry Pi the runtime, as its wheel installs it, gives the bits and the events of x86-64."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="the boards are prepared from the workstation")

from boards import recordings
from boards.board import BOARDS, EVERY
from boards.emulator import GUEST
from boards.guest.listen import listen
from device_runtime import cli
from sounds import babble, wav_bytes, write_bundle

ENGINES = {f"{key} {engine}": (key, engine) for key, board in BOARDS.items() for engine in board.engines}
COMMITTED = sorted(map(str, recordings.BUNDLES.glob("*.bundle")))


@pytest.fixture(scope="module")
def request_and_answer(tmp_path_factory):
    """What is asked of every engine of every board, and what the reference engine answers here."""
    asked = {"golden": COMMITTED, "recordings": recordings.write(tmp_path_factory.mktemp("recordings"))}
    return asked, listen({**asked, "engine": "reference", "frontend": "its own"})


def ask(emulator, **request):
    answer = emulator.python(GUEST / "listen.py", stdin=json.dumps(request).encode())
    assert (answer.code, answer.err) == (0, "")
    return json.loads(answer.out)


def run_cli(emulator, *arguments):
    return emulator.python("-m", "device_runtime.cli", *arguments)


@pytest.mark.parametrize(("key", "engine"), ENGINES.values(), ids=ENGINES)
def test_golden_frames_and_recordings_give_the_bits_and_the_events_of_x86(on_board, request_and_answer, key, engine):
    emulator = on_board(key)
    asked, here = request_and_answer
    there = ask(emulator, **asked, engine=engine, frontend="made elsewhere")
    assert there["runtime"].startswith(str(emulator.paths[0])), "the runtime is the one of the wheel"
    assert there["kernel"] == (emulator.board.kernel if engine == "native" else None)
    assert there["golden"] == dict.fromkeys(here["golden"], 0)
    assert there["heard"] == here["heard"]


def test_the_recordings_hold_words_that_are_heard(request_and_answer):
    _, here = request_and_answer
    assert len(here["heard"]) == recordings.COUNT
    assert sum(bool(heard["events"]) for heard in here["heard"].values()) >= recordings.COUNT // 2
    assert len({heard["bits"] for heard in here["heard"].values()}) == recordings.COUNT
    assert len(here["golden"]) >= 4


@pytest.mark.parametrize("key", [key for key, board in BOARDS.items() if board.has_pymicro])
def test_with_pymicro_features_the_events_are_those_of_x86(on_board, request_and_answer, key):
    asked, here = request_and_answer
    there = ask(on_board(key), **asked, engine="native", frontend="its own")
    events = [{name: heard["events"] for name, heard in answer["heard"].items()} for answer in (there, here)]
    labels = [{name: [event["label"] for event in found] for name, found in heard.items()} for heard in events]
    assert labels[0] == labels[1]
    same = sum(there["heard"][name] == heard for name, heard in here["heard"].items())
    assert same >= recordings.COUNT // 2, "a few features may differ, by one"


@pytest.mark.parametrize("key", BOARDS)
def test_the_command_line_runs(on_board, capsys, tmp_path, key):
    emulator = on_board(key)
    bundle, recording = write_bundle(tmp_path / "tiny.bundle"), tmp_path / "a.wav"
    recording.write_bytes(wav_bytes(babble(3.0)))
    command = ["run", str(bundle), str(recording), "--json"]
    assert cli.main(command) == 0
    events = capsys.readouterr().out
    assert events
    engine = emulator.board.engines[0]
    ran = run_cli(emulator, *command, "--engine", engine)
    assert (ran.code, ran.out.decode(), ran.err) == (0, events, "")


@pytest.mark.parametrize("key", BOARDS)
def test_tinyrnn_check_and_info_run(on_board, key):
    emulator = on_board(key)
    checked = run_cli(emulator, "check", COMMITTED[0], "--json")
    assert checked.code == 0, checked.err
    differing = {row["engine"]: row["differing_values"] for row in json.loads(checked.out)["engines"]}
    assert differing == {engine: 0 if engine in emulator.board.engines else None for engine in EVERY}
    told = run_cli(emulator, "info", COMMITTED[0])
    assert told.code == 0, told.err
    assert "arabic_commands" in told.out.decode()


@pytest.mark.parametrize("key", [key for key, board in BOARDS.items() if "native" not in board.engines])
def test_where_the_extension_cannot_be_loaded_the_reference_takes_over_with_one_line(on_board, key):
    emulator = on_board(key)
    ran = run_cli(emulator, "check", COMMITTED[0], "--engine", "native")
    assert ran.code == 0
    assert ran.err == "the native engine is not built here; the reference engine takes over\n"
