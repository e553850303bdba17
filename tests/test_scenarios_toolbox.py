"""The table of methods: what one contestant costs and gives, and how the rows become a table, a plot and a front."""

import json
from dataclasses import replace

import pytest
import torch

import test_scenarios_forecasting as waves
import tiny_scenario
from compress.prune import Prune
from compress.quantize import Int8
from compress.weight_grids import Linear
from device_runtime.errors import InputError
from scenarios.toolbox import __main__ as toolbox
from scenarios.toolbox import forecast, page, speech
from scenarios.toolbox.contestant import Contestant, Outcome
from scenarios.toolbox.in_torch import rounded
from scenarios.toolbox.speech_contest import sharing
from train.cells import Bidirectional, Lstm, MinGru
from train.sizing import weights
from train.student import Student, StudentConfig


def outcome(group, name, warm, kb, seed=0, **changes):
    measured = {"warm": warm, "cold": warm}
    told = Outcome(group, name, seed, measured, warm, int(1000 * kb), 2000, 900, 500, 1.5, 12.0, 0, "")
    return replace(told, **changes)


OUTCOMES = [
    outcome("dense", "QAT", 0.95, 40),
    outcome("dense", "QAT", 0.93, 40, seed=1),
    outcome("pruned", "8x1", 0.92, 25),
    outcome("pruned", "1x1", 0.90, 30),
]


def test_a_row_is_the_mean_over_the_seeds_with_the_lowest_and_the_highest():
    dense, *_ = page.means(OUTCOMES)
    assert dense.title == "dense: QAT"
    assert (*dense.measured, dense.lowest, dense.highest) == pytest.approx((0.94, 0.94, 0.93, 0.95))
    assert dense.seeds == 2


def test_the_table_tells_differing_bits_of_any_seed():
    broken = [*OUTCOMES[:1], replace(OUTCOMES[1], differing_bits=3), *OUTCOMES[2:]]
    table = page.markdown(broken, speech.SHOWN)
    assert "| dense: QAT | 94.0% | 94.0% | 93.0%-95.0% |" in table
    assert table.splitlines()[2].endswith("| 3 |")
    assert table.splitlines()[3].endswith("| 0 |")


def test_the_front_leaves_out_what_is_larger_and_not_better():
    front = page.front(OUTCOMES, speech.SHOWN)
    assert front.x == pytest.approx((25, 40))
    assert front.y == pytest.approx((92, 94))
    errors = page.front(OUTCOMES, forecast.SHOWN)
    assert errors.x == pytest.approx((25, 30))
    assert errors.y == pytest.approx((0.92, 0.90))


def test_a_training_that_failed_is_in_the_table_and_not_in_the_plot(tmp_path):
    page.write([*OUTCOMES, outcome("cells", "vanilla", 0.2, 10)], speech, tmp_path)
    plot, table = json.loads((tmp_path / "report.json").read_text())["sections"]
    (chart,) = plot["charts"]
    assert [points["name"] for points in chart["points"]] == ["dense", "pruned"]
    assert chart["caption"].endswith("What is worse than 70 is in the table alone.")
    assert min(chart["lines"][0]["x"]) == 25
    assert [row["name"] for row in table["tables"][0]["rows"]][-1] == "cells: vanilla"


def test_the_page_names_every_point(tmp_path):
    text = page.write(OUTCOMES, speech, tmp_path).read_text()
    assert "pruned: 1x1: 90.0%, 30.0 KB" in text
    assert json.loads((tmp_path / "report.json").read_text())["sections"][0]["charts"][0]["x_is_log"]


@pytest.mark.parametrize("task", [speech, forecast], ids=lambda task: task.NAME)
def test_no_two_contestants_have_the_same_file(task):
    slugs = [c.slug for c in task.contestants()]
    assert len(slugs) == len(set(slugs))


def test_only_names_what_there_is():
    with pytest.raises(InputError, match="--only origami names no contestant. There are dense: calibrated"):
        toolbox.choose(list(speech.contestants()), ["origami"])


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The tiny scenario in the place of the real one, with two contestants."""
    scenario = tiny_scenario.recipe(tmp_path / "data")
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))
    tiny_scenario.quicken(monkeypatch)
    monkeypatch.setattr(speech, "BASE", scenario)
    both = (
        Contestant("dense", "calibrated", replace(scenario, compress=(Int8(),))),
        Contestant("pruned", "blocks", replace(scenario, compress=(Prune(sparsity=0.5, epochs=1), Int8()))),
    )
    monkeypatch.setattr(speech, "contestants", lambda: iter(both))
    return tmp_path


def test_each_contestant_is_bundled_proved_and_streamed_and_not_measured_twice(tiny, capsys, monkeypatch):
    arguments = ["arabic_commands", "--seeds", "1", "--runs", str(tiny / "runs")]
    assert toolbox.main(arguments) == 0
    dense, pruned = (
        json.loads((tiny / f"runs/toolbox/arabic_commands/outcomes/{n}-0.json").read_text())
        for n in ("dense-calibrated", "pruned-blocks")
    )
    assert dense["differing_bits"] == pruned["differing_bits"] == 0
    assert pruned["nonzeros"] < dense["nonzeros"]
    assert pruned["device_bytes"] < dense["device_bytes"]
    first = capsys.readouterr().out
    monkeypatch.setattr(speech, "contest", None)
    assert toolbox.main(arguments) == 0
    assert capsys.readouterr().out == first
    assert toolbox.main([*arguments, "--again"]) == 0
    weighed = json.loads((tiny / "runs/toolbox/arabic_commands/outcomes/pruned-blocks-0.json").read_text())
    assert {**weighed, "step_us": 0} == {**pruned, "step_us": 0}


def test_a_recipe_that_was_edited_under_its_name_is_measured_anew(tiny, capsys):
    def typed(hidden):
        text = (
            "from dataclasses import replace\nfrom pathlib import Path\nimport tiny_scenario\n"
            f"made = tiny_scenario.recipe(Path({str(tiny / 'data')!r}))\n"
            f"SCENARIO = replace(made, name='tiny_7', student=replace(made.student, hidden={hidden}))\n"
        )
        (tiny / "candidate_7.py").write_text(text)
        arguments = ["arabic_commands", "--seeds", "1", "--runs", str(tiny / "runs")]
        assert toolbox.main([*arguments, "--recipe", str(tiny / "candidate_7.py")]) == 0
        return json.loads((tiny / "runs/toolbox/arabic_commands/outcomes/found-tiny-7-0.json").read_text())["weights"]

    assert typed(32) > typed(16)


def test_a_training_counts_although_another_row_had_it_done(tiny, capsys):
    arguments = ["arabic_commands", "--seeds", "1", "--runs", str(tiny / "runs")]
    outcome = tiny / "runs/toolbox/arabic_commands/outcomes/pruned-blocks-0.json"
    assert toolbox.main(arguments) == 0
    alone = json.loads(outcome.read_text())["train_s"]
    outcome.unlink()
    assert toolbox.main(arguments) == 0
    assert json.loads(outcome.read_text())["train_s"] > alone / 3, "its checkpoint was there"


def test_a_recipe_that_learns_from_other_data_does_not_compete(tmp_path):
    shared = speech.trainings(tmp_path, tmp_path)
    other = replace(speech.BASE, name="others", mix=replace(speech.BASE.mix, hearings=speech.BASE.mix.hearings[:1]))
    with pytest.raises(InputError, match="others learns from other recordings than .* so they cannot be compared"):
        sharing(shared, other)


@pytest.mark.parametrize("wanted", [["--table"], ["--again"]])
def test_a_table_of_nothing_is_one_clear_line(tmp_path, capsys, wanted):
    assert toolbox.main(["arabic_commands", *wanted, "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"nothing has been measured in {tmp_path}/toolbox/arabic_commands yet.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wrong", [["--seeds", "0"], ["--first", "-1"]])
def test_seeds_that_cannot_be_are_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        toolbox.main(["arabic_commands", *wrong])
    assert "give 1 seed or more, the first from 0" in capsys.readouterr().err


def test_a_recipe_from_a_file_competes_and_stays_in_the_table(tiny, capsys):
    text = (
        "from dataclasses import replace\nfrom pathlib import Path\nimport tiny_scenario\n"
        f"SCENARIO = replace(tiny_scenario.recipe(Path({str(tiny / 'data')!r})), name='tiny_7')\n"
    )
    (tiny / "candidate_7.py").write_text(text)
    arguments = ["arabic_commands", "--seeds", "1", "--runs", str(tiny / "runs")]
    assert toolbox.main([*arguments, "--recipe", str(tiny / "candidate_7.py")]) == 0
    told = json.loads((tiny / "runs/toolbox/arabic_commands/outcomes/found-tiny-7-0.json").read_text())
    assert (told["differing_bits"], set(told["measured"])) == (0, {"warm", "cold"})
    capsys.readouterr()
    assert toolbox.main([*arguments, "--table"]) == 0
    assert "found: tiny_7" in capsys.readouterr().out


def test_a_contestant_is_taught_by_its_own_teachers(tiny, tmp_path):
    shared = speech.trainings(tmp_path, tmp_path)
    pair = (speech.BASE.teacher, replace(speech.BASE.teacher, cell=Bidirectional(Lstm())))
    own = sharing(shared, replace(speech.BASE, teachers=pair))
    assert [type(teacher.gru).__name__ for teacher in own.teachers] == ["GRU", "LSTM"]
    assert own.copies is shared.copies
    assert sharing(shared, speech.BASE).taught is shared.taught


def test_a_cell_that_no_engine_runs_competes_in_torch(tiny, capsys, monkeypatch):
    shape = replace(speech.BASE.student, cell=MinGru())
    entrant = Contestant("cells", "mingru", replace(speech.BASE, student=shape, compress=()))
    monkeypatch.setattr(speech, "contestants", lambda: iter([entrant]))
    assert toolbox.main(["arabic_commands", "--seeds", "1", "--runs", str(tiny / "runs")]) == 0
    assert "| - | " in capsys.readouterr().out
    told = json.loads((tiny / "runs/toolbox/arabic_commands/outcomes/cells-mingru-0.json").read_text())
    assert set(told["measured"]) == {"warm", "cold"}
    assert told["weights"] == weights(shape, labels=4)
    assert told["device_bytes"] - told["weights"] == 8 * (4 + 24 + 64 + 4), "rows: convolution, projection, cell, head"


def test_weights_of_more_codes_than_engines_hold_compete_in_torch(tiny, capsys, monkeypatch):
    wide = Contestant("quantized", "16 bits", replace(speech.BASE, compress=(Int8(weights=Linear(16)),)))
    monkeypatch.setattr(speech, "contestants", lambda: iter([wide]))
    assert toolbox.main(["arabic_commands", "--seeds", "1", "--runs", str(tiny / "runs")]) == 0
    assert "| - | " in capsys.readouterr().out
    told = json.loads((tiny / "runs/toolbox/arabic_commands/outcomes/quantized-16-bits-0.json").read_text())
    assert set(told["measured"]) == {"warm", "cold"}
    assert told["device_bytes"] > 2 * told["weights"] == 2 * weights(speech.BASE.student, labels=4)
    assert told["nonzeros"] > 0.99 * told["weights"]


def test_rounded_matrices_are_codes_times_a_scale_a_row():
    student = Student(StudentConfig(cell=Lstm()), labels=4)
    matrix, exact = rounded(student).grus[0].lstm.weight_hh_l0.detach(), student.grus[0].lstm.weight_hh_l0.detach()
    codes = matrix / (exact.abs().amax(dim=1, keepdim=True) / 127)
    assert torch.allclose(codes, codes.round(), atol=1e-3)
    assert not torch.equal(matrix, exact)
    assert torch.allclose(matrix, exact, atol=float(exact.abs().max()) / 200)


def test_a_forecaster_competes_by_its_errors_on_every_test_window(tmp_path, monkeypatch):
    scenario = replace(waves.SCENARIO, teachers=1, schedule=replace(waves.SCENARIO.schedule, epochs=2))
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))
    tiny_scenario.quicken(monkeypatch)
    monkeypatch.setattr(forecast, "BASE", scenario)
    (tmp_path / "bundles").mkdir()
    entrant = Contestant("dense", "calibrated", replace(scenario, compress=(Int8(),)))
    told = forecast.contest(entrant, 0, forecast.trainings(tmp_path, tmp_path), tmp_path / "bundles")
    assert set(told.measured) == {"MSE", "MAE"}
    assert 0 < told.headline < 2
    assert told.differing_bits == 0
