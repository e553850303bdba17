"""`tinyrnn run --state`: a run goes on where the last one was left, however that ended, and never falls silent."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from command_line import complaint, events_of
from device_runtime import Session, cli, running
from device_runtime.errors import InputError
from processes import HOUSE, environment
from sensors import HOUR_S, log_lines, readings, times, write_forecaster, write_log

ENDS = [signal.SIGINT, signal.SIGTERM]
if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as it is under nohup, which a run then heeds
    ENDS.append(signal.SIGHUP)


@pytest.fixture
def folder(tmp_path):
    write_forecaster(tmp_path / "f.bundle")
    return str(tmp_path / "f.bundle")


@pytest.fixture
def log(tmp_path):
    return str(write_log(tmp_path / "log.csv", readings(80)))


@pytest.fixture
def state(tmp_path):
    return str(tmp_path / "kept.state")


def test_a_clock_that_was_ahead_before_a_restart_silences_nothing(capsys, folder, tmp_path, state):
    when, samples = times(120), readings(120)
    when[60] += 15 * 365 * 24 * HOUR_S
    whole = events_of(capsys, "run", folder, str(write_log(tmp_path / "whole.csv", samples, when)))
    first = str(write_log(tmp_path / "f1.csv", samples[:61], when[:61]))
    rest = str(write_log(tmp_path / "f2.csv", samples[61:], when[61:]))
    told = events_of(capsys, "run", folder, first, "--state", state)
    told += events_of(capsys, "run", folder, rest, "--state", state)
    assert told == whole
    assert "the clock went back" in [event.get("reason") for event in told]


@pytest.mark.parametrize("cut", [30, 61, 75, 100])
def test_a_growing_file_whose_clock_jumped_is_told_exactly_once(capsys, folder, tmp_path, state, cut):
    when, samples, path = times(120), readings(120), tmp_path / "log.csv"
    when[60] += 15 * 365 * 24 * HOUR_S
    when[70:] -= 3 * HOUR_S  # and set back, as when summer time ends
    whole = events_of(capsys, "run", folder, str(write_log(path, samples, when)))
    write_log(path, samples[:cut], when[:cut])
    told = events_of(capsys, "run", folder, str(path), "--state", state)
    write_log(path, samples, when)
    assert told + events_of(capsys, "run", folder, str(path), "--state", state) == whole
    assert events_of(capsys, "run", folder, str(path), "--state", state) == []


def test_what_is_left_out_is_said_once_beside_the_output(capsys, folder, log, state):
    assert cli.main(["run", folder, log, "--state", state, "--json"]) == 0
    assert capsys.readouterr().err == ""
    assert cli.main(["run", folder, log, "--state", state, "--json"]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "readings up to 2016-07-04 07:00:00 were told before and are left out\n"


def test_a_state_that_knows_only_a_time_leaves_out_what_is_not_newer(capsys, folder, tmp_path, state):
    samples, when = readings(120), times(120)
    session = Session.open(folder)
    session.measure(when[:70], samples[:70])
    session.save(state)
    rest = [event.time_s for event in session.measure(when[70:], samples[70:])]
    path = str(write_log(tmp_path / "log.csv", samples))
    assert [event["time_s"] for event in events_of(capsys, "run", folder, path, "--state", state)] == rest
    assert events_of(capsys, "run", folder, path, "--state", state) == []


def test_a_bad_line_loses_nothing_and_tells_nothing_twice(capsys, folder, tmp_path, state):
    samples, path = readings(120), tmp_path / "log.csv"
    whole = events_of(capsys, "run", folder, str(write_log(path, samples)))
    lines = log_lines(samples)
    path.write_text("\n".join([*lines[:71], "2016-07-03 22:00:00,warm,2"]) + "\n")
    assert cli.main(["run", folder, str(path), "--state", state, "--json"]) == 2
    said = capsys.readouterr()
    assert "line 72 has 'warm' as load" in said.err
    write_log(path, samples)
    told = [json.loads(line) for line in said.out.splitlines()]
    assert told
    assert told + events_of(capsys, "run", folder, str(path), "--state", state) == whole


def test_readings_that_are_not_for_the_bundle_leave_no_state(capsys, folder, tmp_path, state):
    path = str(write_log(tmp_path / "days.csv", readings(20), times(20, 24 * HOUR_S)))
    assert "readings come every 1 d" in complaint(capsys, "run", folder, path, "--state", state)
    assert not Path(state).exists()


def test_what_nobody_read_is_told_by_the_next_run(capsys, monkeypatch, folder, log, state):
    whole = events_of(capsys, "run", folder, log)
    printed = []

    def until_the_reader_leaves(line, **_):
        if len(printed) == 5:  # within the two events of one reading
            raise BrokenPipeError
        printed.append(json.loads(line))

    monkeypatch.setattr(running, "PIECE", 1)
    with monkeypatch.context() as patched:
        patched.setattr(running, "print", until_the_reader_leaves, raising=False)
        with pytest.raises(BrokenPipeError):
            running.run_sensors(Session.open(folder), argparse.Namespace(source=log, state=state, json=True))
    assert printed == whole[:5]
    assert events_of(capsys, "run", folder, log, "--state", state) == whole[4:]


def test_a_state_that_cannot_be_written_is_said_before_anything_is_read(capsys, monkeypatch, folder, tmp_path):
    def where(name):
        return complaint(capsys, "run", folder, str(tmp_path / "no.csv"), "--state", str(tmp_path / name))

    assert f"the state {tmp_path} is a folder. Name a file: it is made if it is not there" in where("")
    (tmp_path / "text").touch()
    assert "s cannot be written: No such file or directory. Name a file in a folder that is there" in where("no/s")
    assert "text/s cannot be written: Not a directory. Name a file in a folder that is there" in where("text/s")
    os.mkfifo(tmp_path / "fifo")
    assert "fifo is no file but a pipe or a device. Name a file: it is made" in where("fifo")
    assert "/dev/null is no file but a pipe or a device. Name a file: it is made" in where("/dev/null")
    with pytest.raises(InputError, match="fifo is no file but a pipe or a device. Name a file that was saved"):
        Session.open(folder).restore(tmp_path / "fifo")
    monkeypatch.setattr(Path, "touch", lambda *_, **__: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
    assert "kept cannot be written: Read-only file system" in where("kept")


def test_nothing_is_left_behind_by_looking_whether_a_state_can_be_written(capsys, folder, tmp_path, state):
    complaint(capsys, "run", folder, str(tmp_path / "no.csv"), "--state", state)
    assert [path.name for path in tmp_path.iterdir()] == ["f.bundle"]


@pytest.mark.parametrize("cut", [30, 61])
def test_a_run_goes_on_from_its_state_as_if_there_had_been_no_break(capsys, folder, tmp_path, cut):
    samples = readings(120)
    state = str(tmp_path / "kept.state")
    whole = events_of(capsys, "run", folder, str(write_log(tmp_path / "whole.csv", samples)))
    first = str(write_log(tmp_path / "first.csv", samples[:cut]))
    rest = str(write_log(tmp_path / "rest.csv", samples[cut:], times(120)[cut:]))
    told = events_of(capsys, "run", folder, first, "--state", state)
    assert told + events_of(capsys, "run", folder, rest, "--state", state) == whole


def test_a_file_that_has_grown_is_told_from_where_it_was_left(capsys, folder, tmp_path):
    samples, state = readings(120), str(tmp_path / "kept.state")
    whole = events_of(capsys, "run", folder, str(write_log(tmp_path / "log.csv", samples)))
    write_log(tmp_path / "log.csv", samples[:70])
    told = events_of(capsys, "run", folder, str(tmp_path / "log.csv"), "--state", state)
    write_log(tmp_path / "log.csv", samples)
    assert told + events_of(capsys, "run", folder, str(tmp_path / "log.csv"), "--state", state) == whole
    assert events_of(capsys, "run", folder, str(tmp_path / "log.csv"), "--state", state) == []


def test_the_state_is_saved_from_time_to_time(capsys, monkeypatch, folder, log, tmp_path):
    monkeypatch.setattr(running, "SAVED_EVERY_S", -1)
    saved = []
    monkeypatch.setattr(Session, "save", lambda session, path, snapshot: saved.append(path))
    assert cli.main(["run", folder, log, "--state", str(tmp_path / "kept.state")]) == 0
    assert len(saved) == 2
    capsys.readouterr()


@pytest.mark.parametrize("number", ENDS)
def test_a_run_that_is_asked_to_end_saves_what_it_knows(folder, tmp_path, number):
    samples, state = readings(80), tmp_path / "kept.state"
    command = [sys.executable, "-m", "device_runtime.cli", "run", folder, "-", "--json", "--state", str(state)]
    with subprocess.Popen(
        command,
        bufsize=0,  # else what `readline` has read ahead would be lost to `communicate`
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=HOUSE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(("\n".join(log_lines(samples[:60])) + "\n").encode())
        process.stdin.flush()
        told = [json.loads(process.stdout.readline()) for _ in range(4)]
        time.sleep(2)  # it waits for the next line
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == b""
    told += [json.loads(line) for line in out.splitlines()]
    session = Session.open(folder)
    session.restore(state)
    whole = Session.open(folder).measure(times(80), samples)
    rest = session.measure(times(80)[60:], samples[60:])
    assert len(told) + len(rest) == len(whole)
    assert rest == whole[len(told) :]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("decoder.steps", 2**63 - 1),
        ("decoder.scale", float("nan")),
        ("decoder.offset", float("inf")),
        ("decoder.offset", 1e300),
        ("grid.clock", -1e300),
        ("grid.clock", 1e15),
        ("clock", 1e18),
        ("counts", 2**62),
        ("reader.age", 2**63 - 1),
        ("seen.last", 1e300),
        ("absences.missing", 2**62),
    ],
)
def test_numbers_that_no_run_has_saved_are_one_line(capsys, folder, tmp_path, state, name, value):
    events_of(capsys, "run", folder, str(write_log(tmp_path / "first.csv", readings(60))), "--state", state)
    session = Session.open(folder)
    arrays = session.snapshot() | dict(session.restore(state)) | session.snapshot()
    arrays[name] = arrays[name].copy()
    arrays[name].flat[0] = value
    session.save(Path(state), arrays)
    before = Path(state).read_bytes()
    rest = str(write_log(tmp_path / "rest.csv", readings(80)[60:], times(80)[60:]))
    line = complaint(capsys, "run", folder, rest, "--state", state)
    assert "tart without" in line
    assert Path(state).read_bytes() == before


def test_a_state_whose_numbers_lead_nowhere_is_one_line(capsys, monkeypatch, folder, tmp_path, state):
    events_of(capsys, "run", folder, str(write_log(tmp_path / "first.csv", readings(60))), "--state", state)
    before = Path(state).read_bytes()

    def overflows(session, times_s, values):
        raise OverflowError("too large")

    monkeypatch.setattr(Session, "watch_timed", overflows)
    rest = str(write_log(tmp_path / "rest.csv", readings(80)[60:], times(80)[60:]))
    assert "makes no sense (too large). Move it away" in complaint(capsys, "run", folder, rest, "--state", state)
    assert Path(state).read_bytes() == before


def test_a_foreign_state_is_one_line_and_is_left_alone(capsys, folder, log, tmp_path):
    (tmp_path / "kept.state").write_bytes(b"no state")
    line = complaint(capsys, "run", folder, log, "--state", str(tmp_path / "kept.state"))
    assert "kept.state is no saved state, or it is damaged. Move it away to start without it" in line
    assert (tmp_path / "kept.state").read_bytes() == b"no state"
