"""One part of a model changed by itself: exactly, and nothing else with it."""

from dataclasses import replace

import numpy as np
import pytest

from compress.weight_grids import Linear
from device_runtime.arithmetic import Decode, Factored, Gru, Sru, step
from device_runtime.weights import arrays, matrices
from factored_models import factored
from models import FORECASTER, SRUS, random_frames, tiny_model
from scenarios.comparing.parts import Part, difference, parts, with_matrices
from scenarios.comparing.parts_page import parts_section
from scenarios.comparing.rounding import GRIDS, rounded
from scenarios.comparing.silence import silenced, units
from scenarios.comparing.transplant import moved, transplant

SHAPE = (("dense", 16, 40, 20), ("dense", 12, 144, 12), ("gru", 10))


def models():
    """Two of one shape, trained apart; every int8 grid but that of the frames is another."""
    first, second = tiny_model(1, SHAPE), tiny_model(2, SHAPE)
    return first, replace(second, input_gain=first.input_gain)


def forecasters():
    first, second = (tiny_model(seed, FORECASTER, 6, 3, linear=(6, 8)) for seed in (1, 2))
    return first, replace(second, input_gain=first.input_gain)


def srus():
    first, second = tiny_model(1, SRUS), tiny_model(2, SRUS)
    return first, replace(second, input_gain=first.input_gain)


def whole(model):
    return [part for part in parts(model) if part.gate is None]


def same(first, second):
    a, b = arrays(first), arrays(second)
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def answers(model, count=30):
    scores, state = [], model.initial_state()
    for frame in random_frames(count, model.feature_size):
        score, state = step(model, frame, state)
        scores.append(score)
    return np.array(scores)


@pytest.mark.parametrize("pair", [models, forecasters, srus])
def test_all_parts_taken_from_the_other_model_make_the_other_model(pair):
    giver, made = pair()
    for part in whole(giver):
        made = transplant(part, giver, made)
    assert np.array_equal(answers(made), answers(giver))
    assert same(made, giver)


def test_gates_taken_one_by_one_make_the_other_recurrent_layer():
    giver, taker = models()
    taker = with_matrices(giver, {name: matrices(taker)[name] for name in ("layers.2.input", "layers.2.state")})
    for part in parts(giver):
        if "gate" in part.name:
            assert not same(taker, giver)
            taker = transplant(part, giver, taker)
    assert same(taker, giver)


def test_gates_of_srus_taken_one_by_one_with_their_peepholes_make_the_other_layer():
    giver, taker = srus()
    taker = replace(taker, layers=(giver.layers[0], *taker.layers[1:]))
    gates = [part for part in parts(taker) if part.name.startswith("layers.1 gate")]
    assert [part.name[-1] for part in gates] == ["x", "f", "r", "p"]
    for part, heard in zip(gates, [[], [0], [1], []], strict=True):
        before, after = arrays(taker), arrays(transplant(part, giver, taker))
        changed = {name for name in before if not np.array_equal(before[name], after[name])}
        assert changed - {"layers.1.peephole"} == {f"layers.1.input.{name}" for name in ("weight", "scale", "bias")}
        rows = np.flatnonzero(before["layers.1.input.bias"] != after["layers.1.input.bias"])
        assert set(rows) == set(range(part.gate * 24, part.gate * 24 + 24))
        different = before["layers.1.peephole"] != after["layers.1.peephole"]
        assert different.any(axis=1).nonzero()[0].tolist() == heard
        taker = transplant(part, giver, taker)
    assert same(replace(taker, layers=(*taker.layers[:2], *giver.layers[2:]), head=giver.head), giver)


def test_an_sru_reads_a_moved_dense_layer_on_its_new_grid():
    model = tiny_model(3, SRUS)
    louder = replace(
        model, layers=(replace(model.layers[0], output_gain=model.layers[0].output_gain * 2), *model.layers[1:])
    )
    reader = matrices(louder)["layers.1.input"]
    louder = with_matrices(louder, {"layers.1.input": replace(reader, scale=reader.scale / np.float32(2))})
    assert same(transplant(Part("layers.0", ("layers.0",)), louder, model), louder)
    assert moved(Part("layers.1.input", ("layers.1.input",)), model, louder) == pytest.approx(0, abs=1e-6)


def test_a_factored_matrix_of_an_sru_is_taken_whole_with_its_peepholes():
    giver, taker = (factored(model, (0, 5, 3, 2)) for model in srus())
    assert [part.name for part in parts(taker)] == ["layers.0", "layers.1.input", "layers.2.input", "head"]
    for part in parts(giver):
        taker = transplant(part, giver, taker)
    assert same(taker, giver)


def test_a_rounded_gate_of_an_sru_leaves_the_other_gates():
    model = tiny_model(5, SRUS)
    part = next(part for part in parts(model) if part.name == "layers.2 gate r")
    old, new = (matrices(m)["layers.2.input"] for m in (model, rounded(part, model, GRIDS["4 bits"])))
    assert np.flatnonzero((old.weight != new.weight).any(axis=1)).tolist() == list(range(18, 27))


def test_a_gate_changes_no_row_of_another_gate_or_matrix():
    giver, taker = models()
    part = next(part for part in parts(taker) if part.name == "layers.2.state.z")
    before, after = arrays(taker), arrays(transplant(part, giver, taker))
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    assert changed == [f"layers.2.state.{field}" for field in ("weight", "scale", "bias")]
    rows = np.flatnonzero((before[changed[0]] != after[changed[0]]).any(axis=1))
    assert rows.min() >= 10
    assert rows.max() < 20


def test_a_part_means_the_same_on_the_int8_grid_of_its_new_place():
    model = tiny_model(3, SHAPE)
    louder = replace(
        model, layers=(replace(model.layers[0], output_gain=model.layers[0].output_gain * 2), *model.layers[1:])
    )
    reader = matrices(louder)["layers.1"]
    louder = with_matrices(louder, {"layers.1": replace(reader, scale=reader.scale / np.float32(2))})
    for name in ("layers.0", "layers.1"):
        part = Part(name, (name,))
        assert same(transplant(part, louder, model), louder if name == "layers.0" else model)
        assert moved(part, model, louder) == pytest.approx(0, abs=1e-6)


def test_a_factored_matrix_is_taken_whole_and_its_gates_are_no_parts():
    model = tiny_model(4, SHAPE)
    low = factored(model, (5, 3, 4, 6, 2))
    names = [part.name for part in parts(low)]
    assert "layers.2.input" in names
    assert not [name for name in names if "gate" in name or name.endswith((".r", ".z", ".n"))]
    made = transplant(Part("layers.2.state", ("layers.2.state",)), low, model)
    assert isinstance(matrices(made)["layers.2.state"], Factored)
    assert moved(Part("head", ("head",)), model, low) < 2
    assert rounded(Part("head", ("head",)), low, GRIDS["4 bits"]).head.rows == model.head.rows


@pytest.mark.parametrize("how", GRIDS)
def test_a_rounded_part_has_few_levels_and_the_others_all_of_theirs(how):
    model = tiny_model(5, SHAPE)
    part = next(part for part in parts(model) if part.name == "layers.2 gate r")
    made = matrices(rounded(part, model, GRIDS[how]))
    for name in part.matrices:
        old, new = matrices(model)[name], made[name]
        assert len(np.unique(new.weight[:10])) <= 16
        real = new.weight[:10] * new.scale[:10, None]
        assert np.abs(real - old.weight[:10] * old.scale[:10, None]).max() < 0.25 * np.abs(real).max()
        assert np.array_equal(new.weight[10:], old.weight[10:])
        assert np.array_equal(new.scale[10:], old.scale[10:])
    assert same(rounded(part, model, Linear(8)), rounded(part, rounded(part, model, Linear(8)), Linear(8)))


@pytest.mark.parametrize("shape", [SHAPE, FORECASTER, (("gru", 8), ("gru", 6))])
def test_the_state_of_a_silenced_unit_stays_zero_and_the_others_do_not_hear_it(shape):
    model = tiny_model(6, shape, 200 if shape is SHAPE else 6, 3)
    unit = units(model)[4]
    quiet = silenced(unit, model)
    state = model.initial_state()
    for frame in random_frames(20, model.feature_size):
        _, state = step(quiet, frame, state)
        assert state[model.feature_size + 4] == 0
    assert not np.array_equal(answers(quiet), answers(model))
    if shape is SHAPE:  # the same as if nobody read its column
        gru = model.layers[2]
        deaf = []
        for product in (gru.state, model.head):
            weight = product.weight.copy()
            weight[:, 4] = 0
            deaf.append(replace(product, weight=weight))
        unread = replace(model, layers=(*model.layers[:2], Gru(gru.input, deaf[0])), head=deaf[1])
        assert np.array_equal(answers(unread), answers(quiet))
    assert not any(isinstance(layer, Decode) and layer.positions[:, 2 * 12 + 4].any() for layer in quiet.layers)


@pytest.mark.parametrize("ranks", [(0,), (4,)])
def test_the_state_and_the_outputs_of_a_silenced_sru_unit_stay_zero(ranks):
    model = factored(tiny_model(6, SRUS), ranks)
    assert [unit.name for unit in units(model)][23:25] == ["layers.1 unit 23", "layers.2 unit 0"]
    for at in (4, 24 + 4):  # in the first SRU, in the second
        quiet = silenced(units(model)[at], model)
        state = model.initial_state()
        for frame in random_frames(20, model.feature_size):
            _, state = step(quiet, frame, state)
            assert state[model.feature_size + at] == 0
        assert not np.array_equal(answers(quiet), answers(model))
    if ranks == (0,):  # the same as if nobody read its column
        unread = []
        for product in (model.layers[2].input, model.head):
            weight = product.weight.copy()
            weight[:, 4] = 0
            unread.append(replace(product, weight=weight))
        deaf = replace(model, layers=(*model.layers[:2], Sru(unread[0], model.layers[2].peephole)))
        assert np.array_equal(answers(deaf), answers(silenced(units(model)[4], model)))
        assert np.array_equal(answers(replace(model, head=unread[1])), answers(quiet))


def test_the_page_says_what_a_part_of_an_sru_is_relative_to():
    of = "replaced by the other model's, relative to the largest state of its SRU, and the rest left as it is"
    assert of in parts_section("", {}, {}, "%", tiny_model(0, SRUS)).text
    assert "the other model's, exactly, and the rest" in parts_section("", {}, {}, "%", tiny_model(0, SHAPE)).text


def test_models_say_what_keeps_their_parts_apart():
    model = tiny_model(0, SHAPE)
    assert not difference(model, tiny_model(1, SHAPE))
    assert difference(model, tiny_model(0, SHAPE, labels=3)) == "head of 4x10 and 3x10"
    assert difference(model, tiny_model(0, (("gru", 10),))).startswith("layers dense by 20, dense by 12, GRU of 10 and")
    assert difference(model, tiny_model(0, (("gru", 4),), 20)) == "frames of 200 and 20 features"
    assert difference(tiny_model(0, SRUS), tiny_model(0, (*SRUS[:2], ("sru", 8)))).endswith("SRU of 24, SRU of 8")
    linear = tiny_model(0, FORECASTER, 6, 3, linear=(6, 8))
    assert difference(linear, replace(linear, linear=None)) == "linear of 4x8 and none"
