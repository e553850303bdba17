"""A user's own log: any separator, decimal mark and columns, from a file or a pipe."""

import io
import math

import numpy as np
import pytest

from csv_logs import MIDNIGHT, told
from device_runtime import csv_source
from device_runtime.csv_source import SensorLog, read_log


class Drips(io.RawIOBase):
    """A pipe that delivers piece by piece."""

    def __init__(self, pieces):
        self._pieces = list(pieces)

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self._pieces.pop(0) if self._pieces else b""
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(separator):
    lines = ["date", "oil", "load"], ["2016-07-01 00:00:00", "1.5", "2"], ["2016-07-01 01:00:00", "-3", "4e1"]
    times, values, log = told("\n".join(separator.join(line) for line in lines))
    assert times == [0, 3600]
    assert values == [[1.5, 2], [-3, 40]]
    assert log.names == ("oil", "load")


@pytest.mark.parametrize("text", ["date;T\n2016-07-01 00:00;3,5\n", 'date,T\n2016-07-01 00:00,"3,5"\n'])
def test_decimal_commas_are_read_where_a_comma_does_not_separate(text):
    assert told(text)[1] == [[3.5]]


def test_channels_are_chosen_by_name_in_the_bundles_order_and_others_are_ignored():
    text = "room,date,Oil,load,note\n1,2016-07-01 00:00,2,3,warm\n4,2016-07-01 01:00,5,6,\n"
    assert told(text, ["load", "oil"])[1] == [[3, 2], [6, 5]]


def test_capitals_count_where_they_alone_tell_columns_apart():
    assert told("date,t1,T1\n2016-07-01,1,2\n", ["T1"])[1] == [[2]]


def test_without_a_header_columns_are_taken_in_order():
    text = "2016-07-01 00:00:00,1,2\n2016-07-01 01:00:00,3,4\n"
    assert told(text, ["load", "oil"])[1] == [[1, 2], [3, 4]]
    assert told(text)[2].names == ("column 2", "column 3")


@pytest.mark.parametrize("cell", ["", " ", "nan", "NaN", "null", "NA", "-", "unavailable"])
def test_what_loggers_write_for_nothing_is_a_missing_reading(cell):
    assert math.isnan(told(f"date,T\n2016-07-01 00:00,1\n2016-07-01 01:00,{cell}\n")[1][1][0])


def test_empty_lines_comments_and_a_byte_order_mark_are_passed_over():
    text = "\ufeff# logger 7\n\ndate,T\n2016-07-01 00:00,1\n\n2016-07-01 01:00,2\n"
    assert told(text)[:2] == ([0, 3600], [[1], [2]])


def test_a_degree_sign_of_an_old_spreadsheet_does_not_matter():
    assert told("date;T (°C)\n2016-07-01 00:00;1\n".encode("latin-1"))[1] == [[1]]


@pytest.mark.parametrize("size", [1, 7, 50])
def test_how_a_pipe_delivers_does_not_matter(size):
    text = "date,T\n" + "".join(f"2016-07-01 0{i}:00:00,{i}\n" for i in range(10))
    content = text.encode()
    pipe = io.BufferedReader(Drips(content[at : at + size] for at in range(0, len(content), size)))
    parts = list(SensorLog(pipe, "pipe"))
    assert np.concatenate([part.values for part in parts])[:, 0].tolist() == list(range(10))
    assert len(parts) > 4


def test_a_reading_is_there_as_soon_as_its_line_is():
    pipe = io.BufferedReader(Drips([b"date,T\n", b"2016-07-01 00:00:00,1\n", b"2016-07-01 01:00:00,2\n"]))
    readings = iter(SensorLog(pipe, "pipe", ["T"]))
    assert next(readings).values.tolist() == [[1]]
    assert next(readings).values.tolist() == [[2]]


@pytest.mark.parametrize("end", ["\r", "\r\n"])
@pytest.mark.parametrize("size", [1, 7, 500])
def test_lines_end_as_any_system_ends_them(end, size):
    lines = ["date,T", *(f'"2016-07-01 0{i}:00:00","{i}"' for i in range(10))]
    content = "".join(line + end for line in lines).encode()
    pipe = io.BufferedReader(Drips(content[at : at + size] for at in range(0, len(content), size)))
    log = SensorLog(pipe, "pipe")
    assert [value for part in log for value in part.values[:, 0].tolist()] == list(range(10))
    assert told(content)[1] == [[i] for i in range(10)]


def test_a_last_line_without_an_end_counts():
    assert told("date,T\n2016-07-01 00:00:00,1")[1] == [[1]]


def test_files_of_any_length_are_read_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_source, "BATCH_LINES", 3)
    (tmp_path / "a.csv").write_text("date,T\n" + "".join(f"{MIDNIGHT + i},{i}\n" for i in range(10)))
    log = read_log(tmp_path / "a.csv")
    assert log.readings.values[:, 0].tolist() == list(range(10))
    assert log.names == ("T",)


def test_the_series_at_hand_are_read(real_data):
    log = read_log(real_data / "series/ETT-small/ETTh1.csv", ("OT", "HUFL"))
    assert log.readings.values.shape == (17_420, 2)
    assert log.source.when(log.readings.times_s[-1]) == "2018-06-26 19:00:00"
    assert (np.diff(log.readings.times_s) == 3600).all()
