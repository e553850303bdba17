"""The scoring of the Numenta Anomaly Benchmark, held to the scores published for three detectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from device_runtime.errors import InputError
from device_runtime.nab import is_nab, read_nab
from device_runtime.nab_score import LOW_FALSE_ALARMS, LOW_MISSES, PROFILES, STANDARD, Corpus, Labelled, probation_rows


def alarms(rows: int, *at: int) -> np.ndarray:
    scores = np.zeros(rows)
    scores[list(at)] = 1.0
    return scores


CORPUS = Corpus([Labelled(1000, [(400, 499)]), Labelled(600, [(200, 249), (500, 549)])])


@pytest.mark.parametrize("detector", ["numenta", "randomCutForest", "windowedGaussian"])
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_the_published_detectors_come_out_at_their_published_scores(real_data, detector, profile):
    folder = real_data / "series" / "NAB"
    files = read_nab(folder)
    corpus = Corpus([file.labelled for file in files])
    with np.load(folder / "results" / f"{detector}.npz") as results:
        scores = [results[file.name] for file in files]
    threshold = json.loads((folder / "config" / "thresholds.json").read_text())[detector][profile.name]["threshold"]
    published = json.loads((folder / "results" / "final_results.json").read_text())[detector][profile.name]
    assert corpus.score(scores, profile, threshold).value == pytest.approx(published, abs=0.005)
    assert corpus.best(scores, profile).value >= published - 0.005


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_no_alarm_scores_0_and_one_at_the_start_of_each_window_100(profile):
    assert CORPUS.score([np.zeros(1000), np.zeros(600)], profile, 0.5).value == pytest.approx(0)
    assert CORPUS.score([alarms(1000, 400), alarms(600, 200, 500)], profile, 0.5).value == pytest.approx(100)


def test_only_the_earliest_alarm_of_a_window_counts_and_a_later_one_earns_less():
    early = CORPUS.score([alarms(1000, 410), np.zeros(600)], STANDARD, 0.5)
    again = CORPUS.score([alarms(1000, 410, 420, 490), np.zeros(600)], STANDARD, 0.5)
    late = CORPUS.score([alarms(1000, 490), np.zeros(600)], STANDARD, 0.5)
    assert early == again
    assert early.value > late.value > 0
    assert (early.found, early.missed, early.false_alarms) == (1, 2, 0)


def test_a_false_alarm_costs_its_weight_and_less_shortly_behind_a_window():
    far = CORPUS.score([alarms(1000, 300), np.zeros(600)], STANDARD, 0.5).value
    near = CORPUS.score([alarms(1000, 501), np.zeros(600)], STANDARD, 0.5).value
    assert far == pytest.approx(100 * -0.11 / 6)
    assert CORPUS.score([alarms(1000, 300), np.zeros(600)], LOW_FALSE_ALARMS, 0.5).value == pytest.approx(2 * far)
    assert far < near < 0


def test_a_miss_costs_twice_as_much_where_misses_are_weighed_more():
    found = [alarms(1000, 400), np.zeros(600)]
    assert CORPUS.score(found, STANDARD, 0.5).value == pytest.approx(100 * 2 / 6)
    assert CORPUS.score(found, LOW_MISSES, 0.5).value == pytest.approx(100 * 3 / 9)


def test_probation_counts_for_nothing():
    assert probation_rows(1000) == 150
    assert probation_rows(20_000) == 750
    assert CORPUS.score([alarms(1000, 149), np.zeros(600)], STANDARD, 0.5).value == pytest.approx(0)
    assert CORPUS.score([alarms(1000, 150), np.zeros(600)], STANDARD, 0.5).value < 0


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_the_best_threshold_is_the_one_that_trying_all_finds(profile):
    random = np.random.default_rng(1)
    for _ in range(10):
        scores = [np.round(random.random(1000) ** 9, 2), np.round(random.random(600) ** 9, 2)]  # many are equal
        best = CORPUS.best(scores, profile)
        tried = max(CORPUS.score(scores, profile, threshold).value for threshold in [2.0, *np.arange(101) / 100])
        assert best.value == pytest.approx(max(tried, 0))


def test_a_detector_that_is_worse_than_none_is_best_left_silent():
    best = CORPUS.best([alarms(1000, *range(150, 400)), np.zeros(600)], STANDARD)
    assert (best.value, best.threshold) == (0.0, np.inf)


def test_scores_for_another_number_of_rows_are_refused():
    with pytest.raises(InputError, match=r"each file needs one score a row: \[1000, 600\].*got \[1000, 500\]"):
        CORPUS.score([np.zeros(1000), np.zeros(500)], STANDARD, 0.5)


def test_files_without_a_window_cannot_be_scored():
    with pytest.raises(InputError, match="no file has a labelled window"):
        Corpus([Labelled(100, [])])


def write_nab(folder: Path, rows: str = "timestamp,value\n2014-01-01 00:00:00,1.5\n2014-01-01 00:05:00,2\n") -> Path:
    (folder / "labels").mkdir(parents=True)
    (folder / "data" / "real").mkdir(parents=True)
    windows = {"real/a.csv": [["2014-01-01 00:05:00.000000", "2014-01-01 00:05:00.000000"]]}
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    (folder / "data" / "real" / "a.csv").write_text(rows)
    return folder


def test_a_copy_of_the_benchmark_is_read_with_its_windows_as_rows(tmp_path):
    assert not is_nab(tmp_path)
    (file,) = read_nab(write_nab(tmp_path / "nab"))
    assert is_nab(tmp_path / "nab")
    assert (file.name, file.category) == ("real/a.csv", "real")
    assert file.values.tolist() == [1.5, 2.0]
    assert np.diff(file.times) == np.timedelta64(300, "s")
    assert file.labelled == Labelled(2, [(1, 1)])


def test_a_folder_that_is_no_copy_says_so(tmp_path):
    with pytest.raises(InputError, match=r"is not a copy of the Numenta Anomaly Benchmark: it has no labels/combined"):
        read_nab(tmp_path)


def test_a_missing_or_odd_file_says_so(tmp_path):
    folder = write_nab(tmp_path / "odd", "timestamp,value\nyesterday,1\n")
    with pytest.raises(InputError, match=r"a.csv must have the columns timestamp and value, a time and a number"):
        read_nab(folder)
    (folder / "data" / "real" / "a.csv").unlink()
    with pytest.raises(InputError, match=r"a.csv is missing, though it has labels"):
        read_nab(folder)
