"""What a search takes a step to cost on a board: fitted to counted instructions, and told with its error."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="the boards are prepared from the workstation")
pytest.importorskip("scipy", reason="the costs are fitted by SciPy")

from boards import cost_model, costs, step_costs
from boards.board import BOARDS
from boards.missing import MissingError
from device_runtime import flat
from models import tiny_model
from scenarios.search.boards import FILE, machine
from scenarios.search.work import KERNELS, KINDS, work
from sparse_models import with_weights, without_blocks

KEPT = json.loads(FILE.read_text())["boards"]


@pytest.mark.parametrize("name", step_costs.NAMES)
def test_the_boards_of_the_search_are_those_of_the_tests(name):
    board, kept = BOARDS[step_costs.NAMES[name]], KEPT[name]
    assert kept["clock_mhz"] == board.clock_mhz
    assert kept["instructions_per_cycle"] == board.processor.instructions_per_cycle
    assert kept["kernel"] == board.kernel
    assert tuple(kept["instructions"]) == KINDS
    assert kept["worst_error"] < 0.15


@pytest.mark.parametrize("name", ["pi-zero-2w", "pi-5", "pi-2", "pi-zero-w"])
def test_the_counted_step_of_the_keyword_spotter_is_foretold(name):
    """Of a model that the costs were not fitted to."""
    counted = costs.read()[step_costs.COUNTED[name]]["native_c"].step_instructions
    done = work(cost_model.cost_model(), KERNELS[KEPT[name]["kernel"]])
    foretold = sum(KEPT[name]["instructions"][kind] * count for kind, count in done.items())
    assert foretold == pytest.approx(counted, rel=0.1)


@pytest.mark.parametrize("kind", ["gru", "sru"])
@pytest.mark.parametrize("name", ["pi-zero-2w", "pi-5"])
def test_an_emulated_board_takes_as_many_instructions_as_foretold(on_board, tmp_path, name, kind):
    emulator = on_board(step_costs.COUNTED[name])
    model = with_weights(tiny_model(99, (("dense", 12, 40, 20), (kind, 56)), 200, 8), without_blocks(0.7, (8, 1)))
    try:
        counted = step_costs.count(emulator, model, tmp_path)
    except MissingError as error:
        pytest.skip(str(error))
    done = work(model, KERNELS[KEPT[name]["kernel"]])
    foretold = sum(KEPT[name]["instructions"][kind] * count for kind, count in done.items())
    assert foretold == pytest.approx(counted, rel=0.15)


def test_what_is_fitted_are_the_costs_that_made_the_counts():
    rng = np.random.default_rng(0)
    true = {kind: float(rng.uniform(1, 50)) for kind in KINDS}
    rows = []
    for model in step_costs.models(40):
        done = work(model, KERNELS["neon"])
        rows.append((done, sum(true[kind] * count for kind, count in done.items())))
    found, worst = step_costs.fit(rows)
    assert worst < 0.05
    assert found["dense tiles"] == pytest.approx(true["dense tiles"], rel=0.02)


def test_zeros_are_less_work_where_the_engine_skips_them():
    whole = tiny_model(3, (("gru", 64),), 200, 4)
    dense = work(whole, KERNELS["neon"])
    sparse = work(with_weights(whole, without_blocks(0.8, (8, 1))), KERNELS["neon"])
    assert sparse["low tiles"] + sparse["dense tiles"] < dense["dense tiles"] / 2
    assert sparse["units"] == dense["units"] == 64
    few = work(with_weights(whole, without_blocks(0.05, (8, 1))), KERNELS["neon"])
    assert few["low tiles"] == dense["low tiles"], "so few zeros do not pay, and the engine makes the matrix dense"


def test_simple_recurrent_units_are_a_kind_of_their_own():
    done = work(tiny_model(3, (("sru", 64), ("gru", 32), ("sru", 16)), 200, 4), KERNELS["neon"])
    assert (done["simple units"], done["units"], done["products"]) == (80, 32, 5)
    gru = work(tiny_model(3, (("gru", 64),), 200, 4), KERNELS["neon"])
    assert gru["simple units"] == 0


def test_a_board_says_what_its_microseconds_are():
    how = machine("pi-zero-2w").how
    assert how.startswith("an estimate: instructions of the native engine's work as counted on the emulated board")
    assert "0.6 instructions per cycle (a guess) and 1000 MHz" in how


def test_without_boards_the_counting_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path))
    assert step_costs.main() == 1
    assert capsys.readouterr().err.startswith("step costs: ")


def test_a_guest_that_fails_is_told(on_board, monkeypatch, tmp_path):
    emulator = on_board("zero2w")
    monkeypatch.setattr(flat, "to_bytes", lambda model: b"")
    with pytest.raises(RuntimeError, match=r"hear_aarch64 on zero2w ended with 2: hear: .*model.native: "):
        step_costs.count(emulator, tiny_model(), tmp_path)
