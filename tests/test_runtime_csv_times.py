"""The times of a user's own log, read in any way that people and machines write them."""

import pytest

from csv_logs import MIDNIGHT, log_of, refused, told
from device_runtime.csv_times import time_format
from device_runtime.times import moment, span

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
    for text in ("30.12.2016 24:01", "30.12.2016 25:00", "2016-12-30 24:00:01", "9999-12-31 24:00", "31.12.9999 24:00"):
        assert time_format([text]) is None


@pytest.mark.parametrize(
    ("end", "after"),
    [
        ("2016-06-30 24:00", "2016-07-01 01:00"),
        ("2016-06-30T24:00:00.000", "2016-07-01T01:00:00.000"),
        ("2016-06-30 24:00:00Z", "2016-07-01 01:00:00Z"),
        ("2016-06-30 24:00:00+02:00", "2016-07-01 01:00:00+02:00"),
        ("30.06.2016 24:00", "01.07.2016 01:00"),
        ("30/06/2016 24:00:00", "01/07/2016 01:00:00"),
        ("06/30/2016 24:00", "07/01/2016 01:00"),
    ],
)
def test_a_day_that_ends_at_24_begins_the_next(end, after):
    times = told(f"date,T\n{end},1\n{after},2\n")[0]
    assert times[1] - times[0] == 3600
    assert told(f"date,T\n{after},1\n{end},2\n")[0] == times[::-1]


def test_a_first_hour_that_no_day_has_is_no_time():
    line = refused("time,T\n01/02/2020 25:00,1\n01/03/2020 00:00,2\n02/03/2020 00:05,3\n")
    assert "line 2 has '01/02/2020 25:00' as time. Expected times such as" in line


@pytest.mark.parametrize("seconds", [5, 60, 3661, 90_000, 0.5])
def test_a_span_is_told_in_two_units(seconds):
    wanted = {5: "5 s", 60: "1 min", 3661: "1 h 1 min", 90_000: "1 d 1 h", 0.5: "0.5 s"}
    assert span(seconds) == wanted[seconds]
