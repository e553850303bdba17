"""What is wrong with a user's own log is one line that names it."""

import io

import pytest

from csv_logs import log_of, refused, told
from device_runtime import csv_layout
from device_runtime.csv_lines import BLOCK_BYTES, MAX_LINE_BYTES
from device_runtime.csv_source import SensorLog, read_log
from device_runtime.errors import InputError

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
    "line 2 has 'TS' as TIMESTAMP. Expected times such as 2016-07-01 00:00:00": "TIMESTAMP,T\nTS,Deg\n2016-07-01,1\n",
    "line 3 has 1 columns, expected 2": 'date,T\n"2016-07-01","2\r0"\n',
    "line 3 has 3 columns, expected 2": "date,T\n2016-07-01,1\n2016-07-02,1,2\n",
    "line 3 has '1e39' as T, which is infinite": "date,T,U\n2016-07-01,1,1\n2016-07-02,1e39,-1e39\n",
    "line 3 has '1_000' as T, expected a number": "date,T,U\n2016-07-01,1,1\n2016-07-02,1_000,2\n",
    "line 3 has '\u0663' as T, expected a number": "date,T\n2016-07-01,1\n2016-07-02,\u0663\n",
    "line 2 has 3 columns, but the header has 2. Repair": "date,T\n2016-07-01,1,5\n2016-07-02,2,5\n",
    "line 3 has 'today' as its time, expected one written as before (ISO 8601)": "date,T\n2016-07-01,1\ntoday,1\n",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_wrong_is_named(line):
    channels = ["T"] if "T" in REFUSED[line].split("\n")[0] else None
    assert line in refused(REFUSED[line], channels)


@pytest.mark.parametrize(
    ("first", "wild", "way"),
    [
        ("1700000000", "1700000300000", "seconds since 1970"),
        ("1700000000", "-1700000300000", "seconds since 1970"),
        ("1700000000000", "1700000000000000000", "milliseconds since 1970"),
        ("0", "9" * 400, "seconds"),
        ("0", "1" + "0" * 17, "seconds"),
        ("2024-01-01 00:00:00+14:00", "9999-12-31 23:59:59-23:59", "ISO 8601"),
        ("2024-01-01 00:00:00+14:00", "0001-01-01 00:00:00+23:59", "ISO 8601"),
        ("2024-01-01", "9999-12-31 24:00", "ISO 8601"),
    ],
)
def test_a_time_that_no_calendar_has_is_refused(first, wild, way):
    line = refused(f"time,T\n{first},1\n{wild},2\n")
    assert f"line 3 has {wild[:40]!r} as its time, expected one written as before ({way})" in line
    assert "and of the years 2 to 9998. Repair the line" in line


def test_a_first_time_that_no_calendar_has_is_refused():
    assert "line 2 has '0001-01-01' as its time" in refused("time,T\n0001-01-01,1\n2016-07-01,2\n")


def test_quotes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"a line is no CSV: .* Expected one reading in it, with whole quotes. Repair"):
        csv_layout.cells('"a"\rb,1', ",")


def test_the_line_of_a_byte_that_is_no_text_counts_all_ends():
    assert "line 3 has the byte" in refused(b"date,T\r2016-07-01,1\r\x00\x00")


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
