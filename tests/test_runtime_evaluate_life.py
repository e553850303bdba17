"""Remaining life is measured on the last estimate of each engine, and a damaged folder is refused in a line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from device_runtime import Session, bundle, cli, engine_lives
from device_runtime.errors import InputError
from device_runtime.evaluate_life import LifeEvaluation, evaluate, evaluate_folder, interval, nasa_score, rmse
from device_runtime.events import Estimate
from device_runtime.manifest import Manifest
from models import tiny_model
from sensors import write_forecaster

CHANNELS = ("sensor_2", "sensor_11", "setting_1")
LENGTHS = (40, 31, 55)
LEFT = (112, 98, 7)


def write_life(folder: Path, channels: tuple[str, ...] = CHANNELS, segment: int = 1, card: dict | None = None) -> Path:
    """A bundle that estimates the life of engines, badly."""
    model = tiny_model(3, (("gru", 8),), segment * len(channels), 3)
    manifest = Manifest(
        name="tiny life",
        task="remaining_life",
        labels=("p10", "mean", "p90"),
        frontend={
            "kind": "window",
            "interval_s": 1.0,
            "channels": list(channels),
            "mean": [0.5] * len(channels),
            "std": [1.0] * len(channels),
            "segment": segment,
        },
        decoder={"kind": "estimate", "name": "cycles_left", "scale": 125.0, "cap": 125.0},
        card=card or {},
    )
    bundle.write(folder, manifest, model, lambda temporary: None)
    return folder


def write_engines(folder: Path, lengths: tuple[int, ...] = LENGTHS, left: tuple[float, ...] = LEFT) -> np.ndarray:
    """A folder as C-MAPSS has it; all rows, (cycles of all, 26)."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(5)
    rows = np.concatenate(
        [
            np.column_stack([np.full(n, unit), np.arange(1, n + 1), rng.normal(size=(n, 24)).round(3)])
            for unit, n in enumerate(lengths, 1)
        ]
    )
    lines = (" ".join([f"{row[0]:.0f}", f"{row[1]:.0f}", *map(repr, row[2:].tolist())]) + "  \n" for row in rows)
    (folder / "test_FD001.txt").write_text("".join(lines))
    (folder / "RUL_FD001.txt").write_text("".join(f"{cycles} \n" for cycles in left))
    return rows


def test_the_last_estimate_of_each_engine_is_measured_from_its_first_cycle(tmp_path):
    rows = write_engines(tmp_path / "data")
    opened = write_life(tmp_path / "life.bundle")
    measured = evaluate_folder(opened, tmp_path / "data")
    session = Session.open(opened)
    columns = [2 + 3 + 1, 2 + 3 + 10, 2]
    for unit in (1, 2, 3):
        session.reset()
        own = rows[rows[:, 0] == unit][:, columns].astype(np.float32)
        told = [event for event in session.push(own) if isinstance(event, Estimate)]
        assert len(told) == LENGTHS[unit - 1]
        assert (measured.estimate[unit - 1], measured.low[unit - 1]) == (told[-1].value, told[-1].low)
    assert measured.truth.tolist() == list(LEFT)


def test_the_command_tells_the_promised_numbers(tmp_path, capsys):
    write_engines(tmp_path / "data")
    opened = write_life(tmp_path / "life.bundle")
    assert cli.main(["evaluate", str(opened), str(tmp_path / "data"), "--split", "test", "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    promised = {
        "task",
        "engine",
        "split",
        "units",
        "rmse",
        "interval_95",
        "mae",
        "nasa_score",
        "coverage_80",
        "seconds",
    }
    assert promised <= set(numbers)
    assert (numbers["task"], numbers["units"], numbers["split"]) == ("remaining_life", 3, "test")
    assert numbers["interval_95"][0] <= numbers["rmse"] <= numbers["interval_95"][1]
    assert [band["units"] for band in numbers["per_band"]] == [1, 1, 1]
    assert cli.main(["evaluate", str(opened), str(tmp_path / "data")]) == 0
    assert "the last estimate of 3 engines" in capsys.readouterr().out


def test_truth_is_cut_at_the_cap_of_the_bundle(tmp_path):
    write_engines(tmp_path / "data", left=(140, 125, 7))
    measured = evaluate_folder(write_life(tmp_path / "life.bundle"), tmp_path / "data")
    assert measured.truth.tolist() == [125, 125, 7]


def test_errors_are_those_of_published_tables():
    missed = np.array([3.0, -4.0])
    assert rmse(missed) == pytest.approx(np.sqrt(12.5))
    assert nasa_score(missed) == pytest.approx(np.expm1(0.3) + np.expm1(4 / 13))
    perfect = LifeEvaluation({}, np.array([50.0]), np.array([50.0]), np.array([40.0]), np.array([60.0]), 0.0).as_dict()
    assert (perfect["rmse"], perfect["nasa_score"], perfect["coverage_80"]) == (0, 0, 1)


def test_the_interval_of_the_error_shrinks_with_engines_and_repeats_itself():
    missed = np.random.default_rng(0).normal(0, 12, 400)
    few, many = interval(missed[:40]), interval(missed)
    assert few[0] < rmse(missed[:40]) < few[1]
    assert many[1] - many[0] < few[1] - few[0]
    assert interval(missed) == many


def _swapped(folder: Path) -> None:
    lines = (folder / "test_FD001.txt").read_text().splitlines(keepends=True)
    (folder / "test_FD001.txt").write_text("".join([lines[1], lines[0], *lines[2:]]))


def _truth(text: str):
    return lambda folder: (folder / "RUL_FD001.txt").write_text(text)


def _first_line(text: str):
    def change(folder: Path) -> None:
        lines = (folder / "test_FD001.txt").read_text().splitlines(keepends=True)
        (folder / "test_FD001.txt").write_text("".join([text, *lines[1:]]))

    return change


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "RUL_FD001.txt").unlink(), r"there is no .*RUL_FD001.txt. Name the folder"),
        (
            lambda folder: (folder / "RUL_FD001.txt").write_text("1\n2\n"),
            "has 2 rows, but .* has 3 engines. They must be as many",
        ),
        (
            lambda folder: (folder / "RUL_FD001.txt").write_text("1\n-2\n3\n"),
            "has an engine with -2 cycles left; at least 0 were expected",
        ),
        (_truth("\n \n"), "has no rows. It may have broken off"),
        (_swapped, "engine 1 must follow engine 0 and have the cycles 1, 2, 3"),
        (_first_line("1 1 3.5\n"), "line 1 has 3 numbers, expected 26"),
        (_first_line("1 1 " + "x " * 24 + "\n"), "line 1: b'x' is no number"),
        (_first_line("1 1 " + "nan " * 24 + "\n"), "line 1: nan is no reading"),
        (_first_line("1 1 " + "1e39 " * 24 + "\n"), "line 1: 1e[+]39 is no reading"),
    ],
)
def test_a_damaged_folder_is_refused(tmp_path, damage, said):
    write_engines(tmp_path / "data")
    damage(tmp_path / "data")
    with pytest.raises(InputError, match=said):
        evaluate_folder(write_life(tmp_path / "life.bundle"), tmp_path / "data")


def test_a_file_too_large_is_not_read(tmp_path, monkeypatch):
    write_engines(tmp_path / "data")
    monkeypatch.setattr(engine_lives, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="is larger than 1000 bytes, so it is no file of C-MAPSS"):
        evaluate_folder(write_life(tmp_path / "life.bundle"), tmp_path / "data")


def test_what_does_not_fit_the_data_is_refused(tmp_path):
    write_engines(tmp_path / "data")
    with pytest.raises(InputError, match="reads 'oil', which C-MAPSS does not have"):
        evaluate_folder(write_life(tmp_path / "a.bundle", ("oil", "sensor_2")), tmp_path / "data")
    with pytest.raises(InputError, match="measured on the split test, got train"):
        evaluate_folder(write_life(tmp_path / "b.bundle"), tmp_path / "data", "train")
    with pytest.raises(InputError, match="must name a subset like FD001, got '../FD001'"):
        evaluate_folder(write_life(tmp_path / "c.bundle", card={"subset": "../FD001"}), tmp_path / "data")
    with pytest.raises(InputError, match="engine 1 has 40 cycles, too few for one estimate"):
        evaluate_folder(write_life(tmp_path / "d.bundle", segment=50), tmp_path / "data")
    with pytest.raises(InputError, match="estimates nothing: its decoder must be of the kind estimate"):
        evaluate(Session.open(write_forecaster(tmp_path / "e.bundle").folder), [])


def test_the_command_without_a_folder_says_what_is_missing(tmp_path, capsys):
    assert cli.main(["evaluate", str(write_life(tmp_path / "life.bundle"))]) == 2
    assert "nothing to evaluate: name a folder of C-MAPSS" in capsys.readouterr().err
