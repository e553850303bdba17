"""Students of different cells weigh the same, so that what they recognize can be compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="training needs torch")

from device_runtime.errors import InputError
from train.cells import FastGrnn, Gru, Lstm, MinGru, Sru, Vanilla
from train.sizing import sized, weights
from train.student import Student, StudentConfig

SMALL = StudentConfig(channels=16, projection=40, hidden=80)
SHAPES = [
    SMALL,
    replace(SMALL, gru_layers=2),
    replace(SMALL, projection=0),
    replace(SMALL, channels=0),
    replace(SMALL, channels=0, projection=0),
    replace(SMALL, stack=3, stride=2, window_bands=10, hop_bands=5, channels=4),
]
CELLS = [Vanilla(), Gru(), Lstm(), Sru(), MinGru(), FastGrnn(state_rank=16)]


@pytest.mark.parametrize("config", SHAPES, ids=range(len(SHAPES)))
@pytest.mark.parametrize("cell", [Gru(), Sru()], ids=repr)
def test_the_weights_are_those_of_the_student(config, cell):
    config = replace(config, cell=cell)
    named = Student(config, labels=41).named_parameters()
    assert weights(config, 41) == sum(p.numel() for name, p in named if "bias" not in name)


@pytest.mark.parametrize("cell", CELLS, ids=repr)
@pytest.mark.parametrize("wanted", [5_000, 10_000, 25_000, 50_000])
@pytest.mark.parametrize("layers", [1, 2])
def test_any_cell_comes_within_two_percent_of_the_bytes(cell, wanted, layers):
    made = sized(replace(SMALL, gru_layers=layers), cell, wanted, labels=41)
    assert abs(weights(made, 41) - wanted) <= 0.02 * wanted
    assert made.cell == cell
    assert made.channels == SMALL.channels
    assert made.projection == pytest.approx(made.hidden / 2, rel=0.5), "near the proportion that was given"


def test_a_student_without_a_projection_gets_none():
    made = sized(replace(SMALL, projection=0), Gru(), 25_000, labels=41)
    assert made.projection == 0


def test_bytes_that_no_student_has_are_refused():
    told = r"no student with cells of gru has 100 int8 weights: the nearest has \d+\. Ask for as many"
    with pytest.raises(InputError, match=told):
        sized(SMALL, Gru(), 100, labels=41)
