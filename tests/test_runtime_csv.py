"""A user's own log: any separator, decimal mark and way to write the time; what is wrong is one line that names it."""

import io
import math

import numpy as np
import pytest

from device_runtime import csv_layout, csv_source
from device_runtime.csv_lines import BLOCK_BYTES, MAX_LINE_BYTES
from device_runtime.csv_source import SensorLog, read_log
from device_runtime.csv_times import time_format
from device_runtime.errors import InputError
from device_runtime.times import moment, span

MIDNIGHT = 1_467_331_200.0  # 2016-07-01


def log_of(text, channels=None, in_order=False):
    content = text if isinstance(text, bytes) else text.encode()
    return SensorLog(io.BufferedReader(io.BytesIO(content)), "log.csv", channels, in_order)


def told(text, channels=None, in_order=False):
    """Times from midnight, values."""
    log = log_of(text, channels, in_order)
    parts = list(log)
    times = np.concatenate([part.times_s for part in parts]) - MIDNIGHT
    return times.tolist(), np.concatenate([part.values for part in parts]).tolist(), log


def refused(text, channels=None, in_order=False):
    with pytest.raises(InputError) as error:
        list(log_of(text, channels, in_order))
    assert "\n" not in str(error.value)
    return str(error.value)


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


HOUR_LATER = {
    "ISO 8601": ("2016-07-01 00:00:00", "2016-07-01 01:00:00"),
    "with a T and a fraction": ("2016-07-01T00:00:00.000", "2016-07-01T01:00:00.000"),
    "in UTC": ("2016-07-01T00:00:00Z", "2016-07-01T01:00:00Z"),
    "in a zone": ("2016-07-01 02:00:00+02:00", "2016-07-01 03:00:00+02:00"),
    "across a change of the zone": ("2016-07-01 02:00:00+02:00", "2016-07-01 02:00:00+01:00"),
    "with slashes": ("2016/07/01 00:00", "2016/07/01 01:00"),
    "day first with dots": ("01.07.2016 00:00", "01.07.2016 01:00"),
    "seconds since 1970": ("1467331200", "1467334800"),
    "with a fraction since 1970": ("1467331200.0", "1467334800.0"),
    "milliseconds since 1970": ("1467331200000", "1467334800000"),
    "nanoseconds since 1970": ("1467331200000000000", "1467334800000000000"),
}


@pytest.mark.parametrize("name", HOUR_LATER)
def test_times_are_read_as_people_and_machines_write_them(name):
    first, second = HOUR_LATER[name]
    assert told(f"timestamp;T\n{first};1\n{second};2\n")[0] == [0, 3600]


def test_a_date_and_a_time_of_day_in_two_columns_are_one_time():
    text = "Date,Time,T\n01.07.2016,00:00:00,1\n01.07.2016,01:00:00,2\n"
    assert told(text, ["T"])[:2] == ([0, 3600], [[1], [2]])


@pytest.mark.parametrize(
    ("dates", "seconds"),
    [
        (("30/06/2016 23:00", "01/07/2016 00:00"), [-3600, 0]),
        (("06/30/2016 23:00", "07/01/2016 00:00"), [-3600, 0]),
        (("06/30/2016 11:00 PM", "07/01/2016 12:00 AM"), [-3600, 0]),
        (("01/07/2016 00:00", "02/07/2016 00:00"), [0, 86_400]),  # a day apart, not a month
    ],
)
def test_day_or_month_first_is_told_by_the_dates(dates, seconds):
    assert told(f"date,T\n{dates[0]},1\n{dates[1]},2\n")[0] == seconds


def test_a_date_that_may_be_either_is_refused():
    line = refused("date,T\n01/07/2016 00:00,1\n01/07/2016 01:00,1\n")
    assert "may begin with the day or with the month. Write it as 2016-07-31 00:00:00" in line


def test_seconds_of_a_column_that_says_so_need_not_be_since_1970():
    log = log_of("seconds,T\n0,1\n0.5,2\n")
    assert [part.times_s.tolist() for part in log] == [[0, 0.5]]
    assert log.when(12.5) == "12.5 s"


def test_times_are_told_as_the_log_writes_them():
    zoned = told("date,T\n2016-07-01 02:00:00+02:00,1\n")[2]
    assert zoned.when(MIDNIGHT) == "2016-07-01 02:00:00+02:00"
    assert told("date,T\n2016-07-01 00:00:00,1\n")[2].when(MIDNIGHT + 0.25) == "2016-07-01 00:00:00.250"
    assert told("epoch,T\n1467331200,1\n")[2].when(MIDNIGHT) == moment(MIDNIGHT, 0)


def test_an_impossible_date_or_hour_is_no_time():
    for text in ("31.02.2016 00:00", "01.01.2016 13:00 PM", "2016-02-30"):
        assert time_format([text]) is None
    assert time_format(["30.12.2016 24:00"]) is None


@pytest.mark.parametrize("seconds", [5, 60, 3661, 90_000, 0.5])
def test_a_span_is_told_in_two_units(seconds):
    wanted = {5: "5 s", 60: "1 min", 3661: "1 h 1 min", 90_000: "1 d 1 h", 0.5: "0.5 s"}
    assert span(seconds) == wanted[seconds]


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


def test_a_last_line_without_an_end_counts():
    assert told("date,T\n2016-07-01 00:00:00,1")[1] == [[1]]


def test_files_of_any_length_are_read_in_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_source, "BATCH_LINES", 3)
    (tmp_path / "a.csv").write_text("date,T\n" + "".join(f"{MIDNIGHT + i},{i}\n" for i in range(10)))
    log = read_log(tmp_path / "a.csv")
    assert log.readings.values[:, 0].tolist() == list(range(10))
    assert log.names == ("T",)


REFUSED = {
    "log.csv is empty. Expected CSV": "",
    "log.csv is empty": "\n\n# nothing\n",
    "holds a header and no readings": "date,T\n",
    "has no column of times. Its columns: load, oil": "load,oil\n1,2\n3,4\n",
    "has one column: '2016-07-01'": "2016-07-01\n2016-07-02\n",
    "has no column of numbers beside its times. Its columns: date, word": "date,word\n2016-07-01,warm\n",
    "line 3 has 'warm' as T, expected a number": "date,T\n2016-07-01,1\n2016-07-02,warm\n",
    "line 3 has 'inf' as T, which is infinite": "date,T\n2016-07-01,1\n2016-07-02,inf\n",
    "line 3 has '-1e39' as T, which is infinite": "date,T\n2016-07-01,1\n2016-07-02,-1e39\n",
    "line 3 has 3 columns, expected 2": "date,T\n2016-07-01,1\n2016-07-02,1,2\n",
    "line 3 has 'today' as its time, expected one written as before (ISO 8601)": "date,T\n2016-07-01,1\ntoday,1\n",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_wrong_is_named(line):
    channels = ["T"] if "T" in REFUSED[line].split("\n")[0] else None
    assert line in refused(REFUSED[line], channels)


def test_what_came_before_a_bad_line_is_told_first():
    readings = iter(log_of("date,T\n2016-07-01,1\n2016-07-02,x\n", ["T"]))
    assert next(readings).values.tolist() == [[1]]
    with pytest.raises(InputError, match="line 3 has 'x' as T, expected a number, or nothing where none was measured"):
        next(readings)


def test_a_missing_channel_suggests_the_near_one_and_lists_the_columns():
    line = refused("date,load,oli\n2016-07-01,1,2\n", ["load", "oil"])
    assert "has no column 'oil' (did you mean oli?), which the bundle takes. Its columns: date, load, oli" in line


def test_a_column_that_is_there_twice_is_refused():
    assert "has 2 columns named T. Rename all but one" in refused("date,T,T\n2016-07-01,1,2\n", ["T"])


def test_without_a_header_the_number_of_columns_must_fit():
    line = refused("2016-07-01 00:00:00,1,2\n", ["T"])
    assert "has no header and 2 columns of readings, but the bundle takes 1: T. Add a header" in line


@pytest.mark.parametrize(
    "content", [b"\x7fELF\x02\x01\x01\x00\x00", b"PK\x03\x04\x14", b"date,T\n2016-07-01,1\n\x00\x00"]
)
def test_a_binary_file_is_no_log(content):
    assert "log.csv is no text: line" in refused(content)


def test_utf_16_is_told_how_to_become_utf_8():
    assert "is text in UTF-16. Save it as CSV in UTF-8" in refused("date,T\n".encode("utf-16"))


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory():
    class Endless(io.RawIOBase):
        taken = 0

        def readable(self):
            return True

        def readinto(self, buffer):
            buffer[:] = b"7" * len(buffer)
            self.taken += len(buffer)
            return len(buffer)

    endless = Endless()
    with pytest.raises(InputError, match=f"line 1 is longer than {MAX_LINE_BYTES} bytes, so this is no log of sensors"):
        list(SensorLog(io.BufferedReader(endless), "pipe"))
    assert endless.taken <= 2 * BLOCK_BYTES


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["2016-07-02,1", "2016-07-01,2"],
            "line 3 (2016-07-01) goes back from 2016-07-02 00:00:00 of a line before it",
        ),
        (["2016-07-01,1", "2016-07-01,2"], "line 3 (2016-07-01) repeats the time 2016-07-01 00:00:00"),
    ],
)
def test_a_file_to_measure_from_must_be_in_order(lines, message):
    text = "\n".join(["date,T", *lines])
    assert message in refused(text, in_order=True)
    assert len(told(text)[0]) == 2


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    told = r"cannot read .*no\.csv: No such file or directory. Expected CSV: a time and some numbers in each line"
    with pytest.raises(InputError, match=told):
        read_log(tmp_path / "no.csv")


def test_messages_do_not_grow_with_the_columns():
    header = ",".join(["date", *(f"sensor {i} of the plant" for i in range(200))])
    line = refused(f"{header}\n2016-07-01" + ",1" * 200, ["T"])
    assert len(line) < 500
    assert "and 193 more" in line


def test_numbers_with_two_marks_are_text():
    for text in ("1.234,5", "1,234.5", "0x10", "1_000"):
        with pytest.raises(ValueError, match="."):
            csv_layout.number(text)


def test_the_series_at_hand_are_read(real_data):
    log = read_log(real_data / "series/ETT-small/ETTh1.csv", ("OT", "HUFL"))
    assert log.readings.values.shape == (17_420, 2)
    assert log.source.when(log.readings.times_s[-1]) == "2018-06-26 19:00:00"
    assert (np.diff(log.readings.times_s) == 3600).all()
