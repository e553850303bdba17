"""`tinyrnn run` and `tinyrnn evaluate` on logs of sensors: what they print, and one line for whatever is wrong."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from command_line import complaint, events_of
from device_runtime import Session, cli, engines, evaluating, running
from device_runtime.csv_source import Readings
from processes import HOUSE, environment
from sensors import HOUR_S, log_lines, readings, times, write_estimator, write_forecaster, write_log


@pytest.fixture
def folder(tmp_path):
    write_forecaster(tmp_path / "f.bundle")
    return str(tmp_path / "f.bundle")


@pytest.fixture
def log(tmp_path):
    return str(write_log(tmp_path / "log.csv", readings(80)))


def test_run_prints_a_line_for_each_event_at_the_time_of_the_log(capsys, folder, log):
    assert cli.main(["run", folder, log]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 12
    assert lines[0].startswith("2016-07-02 23:00:00  load  in 1 h ")
    assert " in 6 h " in lines[0]
    assert " in 12 h " in lines[0]


def test_run_prints_json_lines_that_equal_the_events(capsys, folder, log):
    told = events_of(capsys, "run", folder, log)
    events = Session.open(folder).measure(times(80), readings(80))
    assert [{**event.as_dict(), "time": one["time"]} for event, one in zip(events, told, strict=True)] == told
    assert told[0]["time"] == "2016-07-02 23:00:00"


def test_run_tells_as_often_as_it_is_asked(capsys, folder, log):
    assert len(events_of(capsys, "run", folder, log, "--every", "1")) == 66


def test_run_takes_lines_from_a_pipe(capsys, monkeypatch, folder, log):
    wanted = events_of(capsys, "run", folder, log)
    with io.TextIOWrapper(io.BufferedReader(io.FileIO(log))) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert events_of(capsys, "run", folder, "-") == wanted


def test_a_line_from_a_pipe_is_answered_before_the_next_comes(folder):
    lines = log_lines(readings(49))
    command = [sys.executable, "-m", "device_runtime.cli", "run", folder, "-", "--every", "1", "--json"]
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HOUSE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("\n".join(lines[:49]) + "\n")
        process.stdin.flush()
        first = json.loads(process.stdout.readline())
        assert first["time"] == "2016-07-02 23:00:00"
        process.stdout.readline()
        process.stdin.write(lines[49] + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["time"] == "2016-07-03 00:00:00"
        process.stdin.close()


def test_a_clock_that_goes_back_is_an_event_of_the_run(capsys, folder, tmp_path):
    when = times(80)
    when[70:] -= 3 * HOUR_S
    path = write_log(tmp_path / "back.csv", readings(80), when)
    gaps = [event for event in events_of(capsys, "run", folder, str(path)) if event["event"] == "gap"]
    assert gaps == [
        {
            "event": "gap",
            "channel": None,
            "time_s": when[70],
            "seconds": -2 * HOUR_S,
            "reason": "the clock went back",
            "time": "2016-07-03 19:00:00",
        }
    ]


def test_a_gap_longer_than_the_window_is_told_and_survived(capsys, folder, tmp_path):
    when = times(140)
    when[60:] += 100 * HOUR_S
    path = write_log(tmp_path / "gap.csv", readings(140), when)
    assert cli.main(["run", folder, str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (at,) = [i for i, line in enumerate(lines) if "gap: no readings (4 d 4 h)" in line]
    assert len(lines) - at > 8


BAD = {
    "has no column of times. Its columns: load, oil": ["load,oil", *["1,2"] * 60],
    "has no column 'oil' (did you mean soil?)": ["date,load,soil", "2016-07-01,1,2"],
    "line 4 has 'warm' as oil, expected a number": [
        "date,load,oil",
        *[f"2016-07-0{d},1,2" for d in (1, 2)],
        "2016-07-03,1,warm",
    ],
    "line 2 has '-inf' as load, which is infinite": ["date,load,oil", "2016-07-01,-inf,2"],
    "readings come every 1 d, but the bundle takes one every 1 h. Give it": [
        "date,load,oil",
        *[f"2016-07-{d:02},1,2" for d in range(1, 20)],
    ],
    "holds a header and no readings": ["date,load,oil"],
}


@pytest.mark.parametrize("line", BAD)
@pytest.mark.parametrize("verb", ["run", "evaluate"])
def test_bad_logs_are_one_line(capsys, folder, tmp_path, verb, line):
    (tmp_path / "bad.csv").write_text("\n".join(BAD[line]) + "\n")
    assert line in complaint(capsys, verb, folder, str(tmp_path / "bad.csv"))


def test_a_log_shorter_than_one_window_is_said_so(capsys, folder, tmp_path):
    path = str(write_log(tmp_path / "short.csv", readings(47)))
    assert "spans 47 samples, but the bundle needs 48 in a row (2 d)" in complaint(capsys, "run", folder, path)
    assert "a look-back of 48; at least 12 are needed for one forecast" in complaint(capsys, "evaluate", folder, path)


def test_a_log_with_the_newest_line_first_or_with_nothing_measured_is_said_so(capsys, folder, tmp_path):
    path = str(write_log(tmp_path / "back.csv", readings(60)[::-1], times(60)[::-1]))
    assert "the times of 59 lines go back. Sort the lines by time" in complaint(capsys, "run", folder, path)
    path = str(write_log(tmp_path / "empty.csv", np.full_like(readings(80), np.nan)))
    assert "spans 80 samples, but hardly anything is measured in them" in complaint(capsys, "run", folder, path)


def test_a_separator_at_the_end_of_lines_is_no_column(capsys, folder, tmp_path):
    lines = log_lines(readings(60))
    (tmp_path / "plain.csv").write_text("\n".join(lines))
    (tmp_path / "more.csv").write_text(",\n".join(lines).replace(lines[0] + ",", lines[0]))
    plain, more = (events_of(capsys, "run", folder, str(tmp_path / name)) for name in ("plain.csv", "more.csv"))
    assert more == plain


def test_a_long_log_is_taken_in_by_pieces_so_that_it_can_be_ended():
    whole = Readings(np.arange(300.0), np.zeros((300, 2), np.float32))
    pieces = list(running._pieces(iter([whole, whole])))
    assert max(len(piece.times_s) for piece in pieces) == running.PIECE
    assert np.concatenate([piece.times_s for piece in pieces]).tolist() == [*range(300)] * 2


def test_empty_binary_and_absent_files_are_said_so(capsys, folder, tmp_path):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    assert "empty.csv is empty" in complaint(capsys, "run", folder, str(tmp_path / "empty.csv"))
    assert "binary.csv is no text" in complaint(capsys, "run", folder, str(tmp_path / "binary.csv"))
    assert "cannot read" in complaint(capsys, "run", folder, str(tmp_path / "no.csv"))


def test_run_needs_a_source_of_readings(capsys, monkeypatch, folder):
    assert "this bundle watches sensors: name a CSV file, or - for lines from" in complaint(capsys, "run", folder)
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        monkeypatch.setattr(nothing, "isatty", lambda: True, raising=False)
        assert "- reads lines from a pipe, but standard input is the terminal" in complaint(capsys, "run", folder, "-")
    monkeypatch.setattr(sys, "stdin", None)  # as `<&-` leaves it
    line = (
        "- reads lines from a pipe, but standard input is closed. Use: tail -n +1 -f sensor.csv | tinyrnn run BUNDLE -"
    )
    assert line in complaint(capsys, "run", folder, "-")


def test_evaluate_measures_every_window(capsys, folder, tmp_path):
    path = str(write_log(tmp_path / "log.csv", readings(400)))
    assert cli.main(["evaluate", folder, path, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert {"task", "engine", "split", "windows", "horizon", "mse", "mae", "coverage_80", "seconds"} <= set(numbers)
    assert (numbers["windows"], numbers["horizon"], numbers["split"]) == (80 - 12 + 1, 12, "test")
    for split, windows in (("train", 240 - 48 - 11), ("validation", 80 - 11), ("all", 400 - 48 - 11)):
        assert cli.main(["evaluate", folder, path, "--split", split, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["windows"] == windows


def test_evaluate_tells_a_person(capsys, folder, tmp_path):
    path = str(write_log(tmp_path / "log.csv", readings(400)))
    assert cli.main(["evaluate", folder, path]) == 0
    out = capsys.readouterr().out
    expected = f"tiny forecaster ({engines.DEFAULT}) on log.csv, test: 69 windows, 12 steps of 1 h ahead, look-back 48"
    assert expected in out
    for word in ("last value", "seasonal naive", "coverage_80", "7-12", "oil"):
        assert word in out


def test_evaluate_refuses_what_cannot_be_measured(capsys, folder, tmp_path):
    assert "name a CSV file of readings" in complaint(capsys, "evaluate", folder)
    constant = readings(400)
    constant[:, 1] = 7.25
    path = str(write_log(tmp_path / "constant.csv", constant))
    line = "oil is 7.25 throughout: nothing can be measured on a constant series. Is the sensor stuck?"
    assert line in complaint(capsys, "evaluate", folder, path)
    when = times(400)
    when[200] = when[199]
    path = str(write_log(tmp_path / "twice.csv", readings(400), when))
    assert "line 202 (2016-07-09 07:00:00) repeats the time" in complaint(capsys, "evaluate", folder, path)
    assert "--threshold means nothing to" in complaint(capsys, "evaluate", folder, path, "--threshold", "p50=0.5")


def test_evaluate_says_which_tasks_it_measures(capsys, monkeypatch, tmp_path):
    write_estimator(tmp_path / "e.bundle")
    monkeypatch.delitem(evaluating.EVALUATIONS, "remaining_life")
    line = complaint(capsys, "evaluate", str(tmp_path / "e.bundle"), "log.csv")
    assert "evaluate measures keyword_spotting, forecasting, anomaly, but" in line
    assert "is for remaining_life" in line


def test_words_have_no_state(capsys, tmp_path):
    from sounds import write_bundle

    write_bundle(tmp_path / "words.bundle")
    line = complaint(capsys, "run", str(tmp_path / "words.bundle"), "a.wav", "--state", "kept.state")
    assert "--state keeps what a bundle of sensors has learned" in line


@pytest.mark.parametrize("verb", ["info", "check", "bench"])
def test_the_other_verbs_work_on_bundles_of_sensors(capsys, folder, verb):
    assert cli.main([verb, folder, *(["--engine", "reference"] if verb != "info" else [])]) == 0
    assert capsys.readouterr().out


def test_a_packed_forecaster_forecasts_the_same(capsys, folder, log, tmp_path):
    assert cli.main(["pack", folder, str(tmp_path / "p.bundle")]) == 0
    capsys.readouterr()
    assert events_of(capsys, "run", str(tmp_path / "p.bundle"), log) == events_of(capsys, "run", folder, log)


def test_bench_tells_the_cost_of_a_sample(capsys, folder):
    assert cli.main(["bench", folder, "--engine", "reference", "--json"]) == 0
    (cost,) = json.loads(capsys.readouterr().out)["engines"]
    assert cost["told_us"] > cost["sample_us"] > 0
