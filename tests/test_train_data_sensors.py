"""Each sensor data set in its official layout, generated small, and clear words where a file is not as published."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rich", reason="data sets need the workstation's packages")

from device_runtime.errors import InputError
from train.data.cmapss import Cmapss
from train.data.ett import CHANNELS, FILES, Ett
from train.data.nab import HASHES, Nab
from train.data.own_csv import OwnCsv
from train.data.series import Splits
from train.data.table import read_table
from train.data.water_flow import WaterFlow, packaged

HEADER = ",".join(("date", *CHANNELS))


@pytest.fixture(autouse=True)
def elsewhere(request, tmp_path, monkeypatch):
    if "real_data" not in request.fixturenames:
        monkeypatch.delenv("TINYRNN_DATA", raising=False)
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def real_data() -> None:
    if not os.environ.get("TINYRNN_DATA"):
        pytest.skip("needs the real recordings: set TINYRNN_DATA")


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def ett(folder: Path, rows: int = 20 * 30 * 24, step: str = "h") -> Path:
    times = np.datetime64("2016-07-01T00:00:00") + np.arange(rows) * np.timedelta64(1, step)
    lines = [
        f"{str(time).replace('T', ' ')},{','.join(str(k + at % 24) for k in range(7))}" for at, time in enumerate(times)
    ]
    return write(folder / "series" / "ETT-small" / "ETTh1.csv", [HEADER, *lines])


def test_ett_has_seven_channels_and_the_standard_months(tmp_path):
    ett(tmp_path, 14410)
    series = Ett("ETTh1", tmp_path).series()
    assert series.channels == CHANNELS
    assert series.values.shape == (14410, 7)
    assert series.splits == Splits(8640, 11520, 14400)
    assert [len(series.windows(split, 720, 96)) for split in ("train", "validation", "test")] == [7825, 2785, 2785]


def test_ett_says_which_series_it_holds(tmp_path):
    with pytest.raises(InputError, match=r"no series 'ETTh3' in ETT \(did you mean ETTh2\?\)|no series 'ETTh3' in ETT"):
        Ett("ETTh3")
    with pytest.raises(
        InputError, match="does not hold ETT-small. Expected .* series/ETT-small in it: see https://github"
    ):
        Ett("ETTh1", tmp_path).series()


def test_an_ett_file_that_broke_off_or_lost_a_row_is_refused(tmp_path):
    ett(tmp_path, 100)
    with pytest.raises(InputError, match=r"ETTh1\.csv has 100 rows, expected at least 14400"):
        Ett("ETTh1", tmp_path).series()
    path = ett(tmp_path, 50)
    write(path, path.read_text().splitlines()[:20] + path.read_text().splitlines()[22:])
    with pytest.raises(InputError, match=r"ETTh1\.csv: its clock is not regular"):
        Ett("ETTh1", tmp_path).series()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["t,w", "2016-07-01 00:00:00,1"], "has no column 'v'"),
        ([], "a.csv is empty"),
        (["time,v"], "holds a header and no readings"),
        (["time,v", "2016-07-01 00:00:00,1", "2016-07-01 01:00:00"], "line 3 has 1 columns, expected 2"),
        (["time,v", "2016-07-01 00:00:00,1", "2016-07-01 01:00:00,warm"], "line 3 has 'warm' as v, expected a number"),
        (["time,v", "2016-07-01 00:00:00,1", "2016-07-01 01:00:00,inf"], "line 3 .* which is infinite"),
        (["time,v", "2016-07-01 00:00:00,1", "2016-07-01 00:00:00,2"], "line 3 .* repeats the time"),
    ],
)
def test_a_table_that_is_not_as_published_names_the_line(lines, message, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=message):
        read_table(path, ("v",))


def test_a_table_of_blank_lines_holds_no_readings(tmp_path, monkeypatch):
    monkeypatch.setattr("train.data.table.SensorLog", lambda *_: [])
    with pytest.raises(InputError, match="holds no readings. It may have broken off"):
        read_table(write(tmp_path / "a.csv", []), ("v",))


def test_empty_cells_are_missing_readings_and_zones_become_utc(tmp_path):
    path = write(tmp_path / "a.csv", ["time,v", "2022-03-27T01:00:00+01:00,", "", "2022-03-27T02:00:00.5+01:00,nan"])
    names, times, values = read_table(path, ("v",))
    assert names == ("v",)
    assert times.tolist() == np.array(["2022-03-27T00:00", "2022-03-27T01:00:00.500"], "datetime64[ms]").tolist()
    assert np.isnan(values).all()


def test_a_log_of_ones_own_is_put_on_a_grid_and_split_as_evaluate_splits_it(tmp_path):
    hours = [(day, hour) for day in range(1, 11) for hour in range(24)]
    rows = [f"{day:02}.03.2024 {hour:02}:00;{20 + hour // 10},{hour % 10};{hour}" for day, hour in hours]
    del rows[100:103]
    path = write(tmp_path / "greenhouse.csv", ["Zeit;Temperatur;Feuchte", *rows])
    data = OwnCsv(path)
    series = data.series()
    assert (data.name, data.source) == ("greenhouse", "greenhouse.csv")
    assert series.channels == ("Temperatur", "Feuchte")
    assert series.values.shape == (240, 2)
    assert series.interval_s == 3600
    assert np.isnan(series.values[100:103]).all()
    assert series.splits == Splits(144, 192, 240)
    assert OwnCsv(path, ("Feuchte",)).series().values[:3].tolist() == [[0], [1], [2]]
    with pytest.raises(InputError, match="cannot read .*absent.csv"):
        OwnCsv(tmp_path / "absent.csv").series()


def test_a_log_that_comes_at_any_time_is_put_on_the_grid_asked_for(tmp_path):
    minutes = [0, 1, 9, 10, 31, 33, 50, 58, 100]
    rows = [f"2024-03-01 {at // 60:02}:{at % 60:02},{at}" for at in minutes]
    series = OwnCsv(write(tmp_path / "door.csv", ["time,v", *rows]), interval_s=1200.0).series()
    # as a session answers: at once after a pause of half an interval, without waiting for what may still come
    np.testing.assert_array_equal(series.values[:, 0], np.array([10 / 3, 10, 31, 50, np.nan, 100], np.float32))


@pytest.fixture
def nab(tmp_path) -> Path:
    folder = tmp_path / "NAB"
    rows = ["2014-01-01 00:00:00,1.5", "2014-01-01 00:05:00,2", "2014-01-01 00:10:00,3", "2014-01-01 00:10:00,4"]
    write(folder / "data" / "realTraffic" / "speed.csv", ["timestamp,value", *rows])
    windows = {"realTraffic/speed.csv": [["2014-01-01 00:05:00.000000", "2014-01-01 00:10:00.000000"]]}
    write(folder / "labels" / "combined_windows.json", [json.dumps(windows)])
    weights = {"tpWeight": 1.0, "fnWeight": 1.0, "fpWeight": 0.11, "tnWeight": 1.0}
    write(folder / "config" / "profiles.json", [json.dumps({"standard": {"CostMatrix": weights}})])
    return folder


def test_nab_keeps_every_row_and_its_windows(nab):
    data = Nab(nab)
    assert data.files == ("realTraffic/speed.csv",)
    series = data.series("realTraffic/speed.csv")
    assert series.values[:, 0].tolist() == [1.5, 2, 3, 4]
    assert series.interval_s == 300
    assert data.anomalies("realTraffic/speed.csv") == ((series.times[1], series.times[3]),)
    assert data.profiles()["standard"]["fpWeight"] == 0.11


def test_nab_tables_that_are_damaged_are_named(nab):
    with pytest.raises(
        InputError, match=r"no series 'realTraffic/sped.csv' in NAB \(did you mean realTraffic/speed.csv"
    ):
        Nab(nab).series("realTraffic/sped.csv")
    write(nab / "config" / "profiles.json", ['{"standard": {}}'])
    with pytest.raises(InputError, match="a profile has no CostMatrix"):
        Nab(nab).profiles()
    write(nab / "labels" / "combined_windows.json", ['{"realTraffic/speed.csv": [["soon", "later"]]}'])
    with pytest.raises(InputError, match=r"the windows of realTraffic/speed.csv are not pairs of times"):
        Nab(nab).anomalies("realTraffic/speed.csv")
    write(nab / "labels" / "combined_windows.json", ["[]"])
    with pytest.raises(InputError, match=r"combined_windows.json holds a list, expected an object"):
        Nab(nab).anomalies("realTraffic/speed.csv")
    write(nab / "labels" / "combined_windows.json", ["{"])
    with pytest.raises(InputError, match=r"combined_windows.json is not JSON"):
        assert not Nab(nab).files


def test_the_hashes_of_nab_are_those_of_58_series_and_two_tables():
    listed = [line.split(maxsplit=1) for line in HASHES.read_text().splitlines()]
    assert len(listed) == 60
    assert sum(name.startswith("data/") for _, name in listed) == 58
    assert all(len(digest) == 64 for digest, _ in listed)


def engine_rows(number: int, cycles: int) -> list[str]:
    return [f"{number} {cycle} {' '.join(str(0.5 * k + cycle) for k in range(24))}  " for cycle in range(1, cycles + 1)]


@pytest.fixture
def cmapss(tmp_path) -> Path:
    folder = tmp_path / "series" / "CMAPSS"
    write(folder / "train_FD001.txt", engine_rows(1, 5) + engine_rows(2, 3))
    write(folder / "test_FD001.txt", engine_rows(1, 2) + engine_rows(2, 4))
    write(folder / "RUL_FD001.txt", ["112 ", "98 "])
    return tmp_path


def test_engines_know_how_many_cycles_are_left(cmapss):
    data = Cmapss(cmapss)
    assert [engine.remaining().tolist() for engine in data.train()] == [[4, 3, 2, 1, 0], [2, 1, 0]]
    assert [engine.remaining().tolist() for engine in data.test()] == [[113, 112], [101, 100, 99, 98]]
    assert data.train()[0].values.shape == (5, 24)
    assert data.train()[0].values[0].tolist() == [0.5 * k + 1 for k in range(24)]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("RUL_FD001.txt", ["112"], r"RUL_FD001.txt has 1 rows, expected 2: one for each engine"),
        ("test_FD001.txt", engine_rows(1, 2)[1:], "the cycles of engine 1 are not 1, 2, 3"),
        ("test_FD001.txt", ["1 1 2 3"], "has 4 columns in row 1, expected 26 numbers a row"),
        ("test_FD001.txt", [""], "has no rows, expected 26 numbers a row"),
        ("test_FD001.txt", ["1 1 warm"], "does not hold numbers alone"),
        ("test_FD001.txt", ["1 1 nan" + " 0" * 23], "has values that are no finite numbers"),
    ],
)
def test_engine_tables_that_are_not_as_published_are_named(name, lines, message, cmapss):
    write(cmapss / "series" / "CMAPSS" / name, lines)
    with pytest.raises(InputError, match=message):
        Cmapss(cmapss).test()


def test_cmapss_says_where_to_get_it_and_what_to_unpack():
    with pytest.raises(InputError, match=r"CMAPSS is not on this machine.*unpack train_FD001.txt, test_FD001.txt, RUL"):
        Cmapss().train()


@pytest.mark.skipif(not importlib.util.find_spec("river"), reason="river's wheel carries the series")
def test_water_flow_has_its_gaps():
    series = WaterFlow().series()
    assert series.values.shape == (1379, 1)
    assert np.isnan(series.values).sum() == 111
    assert len(series.windows("test", 48, 24)) == series.splits.end - series.splits.test - 23


def test_a_package_or_a_file_in_it_that_is_not_there_is_named():
    with pytest.raises(InputError, match=r"riverbed is not installed.*pip install riverbed"):
        packaged("riverbed", "a.csv")
    with pytest.raises(InputError, match="the installed numpy does not hold a.csv"):
        packaged("numpy", "a.csv")


@pytest.mark.parametrize("which", ["ETTh1", "ETTh2", "ETTm1"])
def test_the_real_ett_is_the_published_file(which, real_data):
    import hashlib

    assert hashlib.sha256(Ett(which).path().read_bytes()).hexdigest() == FILES[which]


def test_the_real_nab_and_cmapss_have_the_published_sizes(real_data):
    nab = Nab()
    assert len(nab.files) == 58
    assert sum(len(nab.series(file)) for file in nab.files) == 365558
    assert [len(Cmapss().train()), len(Cmapss().test())] == [100, 100]
