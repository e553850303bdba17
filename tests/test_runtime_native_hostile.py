"""A model.native may come from anyone: one line says what is wrong with it."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from device_runtime import flat
from factored_models import factored
from models import tiny_model
from native_files import (
    DECODE_AT,
    FILES,
    INNER_AT,
    LAYERS_AT,
    LINEAR_AT,
    MATRICES_AT,
    OUTER_AT,
    STATE_AT,
    put,
    run,
    sparse_coded,
)
from sparse_models import on_grid, with_weights, without_blocks

_native = pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")

TOO_MANY_MATRICES = flat.to_bytes(factored(tiny_model(0, (("gru", 1),) * 32, 1, 1), (1,)))
TOO_MANY_LAYERS = flat.to_bytes(tiny_model(0, (("gru", 1),) * 33, 1, 1))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("dense", [(0, "<I", 7)], "it is no model.native, or it was cut short"),
        ("dense", [(8, "<I", 0)], "it has the format 0, but this engine reads 1 to 4"),
        ("dense", [(8, "<I", 5)], "it has the format 5, but this engine reads 1 to 4"),
        ("dense", [(12, "<I", 99)], r"it has \d+ bytes, but should have 99"),
        ("dense", [(16, "<I", 0)], "feature_size is 0 and input_gain "),
        ("dense", [(16, "<I", 2**16 + 1)], "feature_size is 65537 and input_gain "),
        ("dense", [(20, "<f", float("nan"))], "feature_size is 12 and input_gain -?nan"),
        ("dense", [(24, "<I", 33)], "it has 33 layers; this engine takes 32"),
        ("dense", [(40, "<I", 65537)], "its frames are 65537 vectors of speech apart; this engine takes up to 65536"),
        ("dense", [(28, "<I", 0)], "a step has 0 scores; it takes 1 to 65536"),
        ("dense", [(28, "<I", 2**17)], "a step has 131072 scores; it takes 1 to 65536"),
        ("dense", [(28, "<I", 5)], "a matrix has 3 rows and 20 columns; its layer needs 5 and 20"),
        ("dense", [(LAYERS_AT, "<I", 3)], "a layer has the kind 3, hop 3 and output_gain "),
        ("forecaster", [(8, "<I", 1)], "a layer has the kind 3, hop 5 and output_gain "),
        ("dense", [(LAYERS_AT + 4, "<I", 0)], "a layer has the kind 1, hop 0 and output_gain "),
        ("dense", [(LAYERS_AT + 8, "<f", -1)], "a layer has the kind 1, hop 3 and output_gain -1"),
        (
            "dense",
            [(16, "<I", 65536), (LAYERS_AT + 4, "<I", 1)],
            "a layer would make 524248 values a step; at most 6553",
        ),
        ("dense", [(16, "<I", 5)], "a matrix has 8 rows and 6 columns; its layer needs 8 and 5"),
        ("dense", [(16, "<I", 40)], "a matrix has 60 rows and 24 columns; its layer needs 60 and 96"),
        ("dense", [(32, "<I", 2**31)], r"labels begin at 2147483648 and take 6 bytes of \d+, on a multiple of 1"),
        ("dense", [(36, "<I", 4)], "2 labels are named, but a step has 3 scores"),
        ("dense", [(36, "<I", 0)], "0 labels are named, but a step has 3 scores"),
        ("forecaster", [(36, "<I", 0)], "0 labels are named, but a step has 150 scores"),
        ("dense", [(STATE_AT, "<I", 0)], "a matrix has 0 rows and 20 columns; it takes 1 to 65536 and 1 to 1024"),
        ("dense", [(STATE_AT + 4, "<I", 1025)], "a matrix has 60 rows and 1025 columns; it takes 1 to 65536 and"),
        ("dense", [(STATE_AT + 8, "<B", 2)], "a matrix is stored as 2.0.0.0, which this engine does not know"),
        ("dense", [(STATE_AT + 9, "<B", 2)], "a matrix is stored as 0.2.0.0, which this engine does not know"),
        ("sparse", [(STATE_AT + 10, "<B", 3)], "a matrix is stored as 8.0.3.1, which this engine does not know"),
        ("sparse", [(STATE_AT + 11, "<B", 4)], "a matrix is stored as 8.0.2.4, which this engine does not know"),
        ("dense", [(STATE_AT + 12, "<I", 3)], "tile_count is 3, but 60 x 20 weights take 20"),
        ("dense", [(STATE_AT + 16, "<I", 2**32 - 1)], "tiles begin at 4294967295 and take 1280 bytes of "),
        (
            "dense",
            [(STATE_AT + 32, "<I", 2**20)],
            r"scales begin at 1048576 and take 304 bytes of \d+, on a multiple of 4",
        ),
        ("dense", [(STATE_AT + 36, "<I", 130)], "biases begin at 130 and take 304 bytes"),
        ("sparse", [(STATE_AT + 12, "<I", 2**30)], r"indices begin at \d+ and take 4294967360 bytes"),
        ("sparse", [(STATE_AT + 12, "<I", 1)], r"tile_counts adds up to \d+, but tile_count is 1"),
        (
            "sparse",
            [(STATE_AT + 20, "<I", 131)],
            r"tile_counts begin at 131 and take 16 bytes of \d+, on a multiple of 2",
        ),
        ("sparse", [(STATE_AT + 20, "<I", 64)], "tile_counts holds [1-9][0-9]+, but 8 rows have at most 3 tiles"),
        ("sparse", [(STATE_AT + 24, "<I", 0)], "indices holds 116, but there are 10 blocks of columns"),
        ("sparse 4 bits", [(STATE_AT + 28, "<I", 2**31)], "steps begin at 2147483648 and take 60 bytes"),
        (
            "4 bits",
            [(STATE_AT + 40, "<b", -128), (STATE_AT + 28, "<I", 16)],
            "codebook and steps make weights up to [0-9]+",
        ),
        ("forecaster", [(28, "<I", 151)], "a step has 151 scores, but not equally many at each of 5 positions"),
        ("forecaster", [(28, "<I", 155)], "a matrix has 30 rows and 20 columns; its layer needs 31 and 20"),
        ("forecaster", [(DECODE_AT + 4, "<I", 0)], "a decode layer has 0 positions of 20 units; at most 65536 values"),
        ("forecaster", [(DECODE_AT + 4, "<I", 2**32 - 1)], "a decode layer has 4294967295 positions of 20 units"),
        ("forecaster", [(DECODE_AT + 4, "<I", 3277)], "a decode layer has 3277 positions of 20 units; at most 65536"),
        (
            "forecaster",
            [(DECODE_AT + 4, "<I", 3000)],
            r"positions begin at \d+ and take 720064 bytes of \d+, on",
        ),
        ("forecaster", [(DECODE_AT + 8, "<I", 2**32 - 4)], "positions begin at 4294967292 and take 1264 bytes of "),
        (
            "forecaster",
            [(DECODE_AT + 8, "<I", 130)],
            r"positions begin at 130 and take 1264 bytes of \d+, on a",
        ),
        ("forecaster", [(DECODE_AT + 4, "<I", 3)], "a matrix has 30 rows and 20 columns; its layer needs 50 and 20"),
        ("forecaster", [(48, "<I", 0)], "the linear map is 0 wide, with 12 features and 30 scores at a position"),
        ("forecaster", [(48, "<I", 7)], "the linear map is 7 wide, with 12 features and 30 scores at a position"),
        ("forecaster", [(48, "<I", 15)], "the linear map is 15 wide, with 12 features and 30 scores at a position"),
        ("forecaster", [(44, "<I", 6554)], "the linear map keeps 6554 frames of 10 values; at most 65536 values are "),
        ("forecaster", [(44, "<I", 8)], "a matrix has 5 rows and 7 columns; its layer needs 5 and 8"),
        ("forecaster", [(LINEAR_AT, "<I", 6)], "a matrix has 6 rows and 7 columns; its layer needs 5 and 7"),
        ("own units", [(8, "<I", 3)], "a layer has the kind 4, hop 0 and output_gain "),
        ("own units", [(LAYERS_AT, "<I", 5)], "a layer has the kind 5, hop 0 and output_gain "),
        ("own units", [(16, "<I", 11)], "a matrix has 80 rows and 12 columns; its layer needs 80 and 11"),
        ("own units", [(MATRICES_AT, "<I", 79)], "a matrix has 79 rows; simple recurrent units take 4 each"),
        ("own units", [(MATRICES_AT, "<I", 3), (MATRICES_AT + 12, "<I", 3)], "a matrix has 3 rows; simple recurrent "),
        ("own units", [(MATRICES_AT, "<I", 76)], "a matrix has 27 rows and 20 columns; its layer needs 27 and 19"),
        ("own units", [(MATRICES_AT, "<I", 2**32 - 4)], "a matrix has 4294967292 rows and 12 columns; it takes 1 to"),
        (
            "own units",
            [(LAYERS_AT + 8, "<I", 2**32 - 4)],
            r"peephole weights begin at 4294967292 and take 224 bytes of \d+, on a multiple of 4",
        ),
        ("own units", [(LAYERS_AT + 8, "<I", 130)], r"peephole weights begin at 130 and take 224 bytes of \d+, on a"),
        ("low rank", [(INNER_AT + 56, "<f", float("nan"))], "the gain between two factors is -?nan"),
        ("low rank", [(INNER_AT + 56, "<f", -1)], "the gain between two factors is -1"),
        ("low rank", [(INNER_AT + 56, "<f", 2e9)], r"the gain between two factors is 2e\+09"),
        ("low rank", [(INNER_AT + 56, "<f", 0)], "a matrix has 6 rows and 20 columns; its layer needs 60 and "),
        ("low rank", [(8, "<I", 2)], "a matrix has 6 rows and 20 columns; its layer needs 60 and "),
        ("low rank", [(INNER_AT, "<I", 5)], "a factor has 5 rows, but the one behind it 6 columns"),
        ("low rank", [(INNER_AT, "<I", 2**31)], "a matrix has 2147483648 rows and 20 columns; it takes 1 to 65536"),
        ("low rank", [(OUTER_AT, "<I", 61)], "a matrix has 61 rows and 20 columns; its layer needs 60 and 20"),
        (
            "low rank",
            [(MATRICES_AT + 56, "<f", 1)],
            "a factor has 60 rows, but the one behind it 20 columns",
        ),
    ],
)
def test_each_refusal_says_what_is_wrong(name, changes, message):
    with pytest.raises(ValueError, match=message) as refused:
        _native.Model(put(FILES[name], *changes))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("change", [np.array, on_grid(18), without_blocks(0.6), sparse_coded])
def test_weights_that_would_meet_no_input_must_be_zeros(change):
    """Else each kernel would multiply them by what it happens to have there."""
    data = flat.to_bytes(with_weights(tiny_model(0, (("gru", 30),), 8, 1), change))
    columns_at = LAYERS_AT + flat.LAYER_BYTES + 4
    narrower = put(data, (16, "<I", 7), (columns_at, "<I", 7))
    assert run(data, None) == ""
    assert run(narrower, None) == "a weight is in column 8 of a matrix of 7 columns"


def test_a_column_that_comes_twice_in_the_same_rows_is_refused():
    data = FILES["sparse"]
    (indices_at,) = struct.unpack_from("<I", data, STATE_AT + 24)
    with pytest.raises(ValueError, match="indices names a column twice in the same 8 rows"):
        _native.Model(put(data, (indices_at, "<B", data[indices_at + 1])))


def test_a_scale_that_is_no_number_is_refused():
    data = FILES["dense"]
    for place, what in ((32, "scales"), (36, "biases")):
        (at,) = struct.unpack_from("<I", data, STATE_AT + place)
        for bad in (float("nan"), float("inf"), 2e6):
            with pytest.raises(ValueError, match=f"{what} must hold finite numbers up to 1e6"):
                _native.Model(put(data, (at, "<f", bad)))


def test_a_position_that_is_no_number_is_refused():
    data = FILES["forecaster"]
    (at,) = struct.unpack_from("<I", data, DECODE_AT + 8)
    for bad in (float("nan"), float("-inf"), -2e6):
        for place in (0, 5 * 60 - 1):
            with pytest.raises(ValueError, match="positions must hold finite numbers up to 1e6"):
                _native.Model(put(data, (at + 4 * place, "<f", bad)))


def test_a_peephole_weight_that_is_no_number_is_refused():
    data = FILES["own units"]
    (at,) = struct.unpack_from("<I", data, LAYERS_AT + 8)
    for bad in (float("nan"), float("inf"), -2e6):
        for place in (0, 2 * 20 - 1):
            with pytest.raises(ValueError, match="peephole weights must hold finite numbers up to 1e6"):
                _native.Model(put(data, (at + 4 * place, "<f", bad)))


def test_peephole_weights_without_room_behind_them_are_refused():
    data = FILES["own units"]
    last = (len(data) - 4 * 2 * 20 - flat.SLACK_BYTES) // 4 * 4
    for at, is_beyond in ((last, False), (last + 4, True)):
        line = run(put(data, (LAYERS_AT + 8, "<I", at)), None)
        assert line.startswith(f"peephole weights begin at {at} and take 224 bytes") == is_beyond


@pytest.mark.parametrize(
    "layers",
    [
        (("decode", 5), ("gru", 20)),
        (("sru", 20), ("decode", 5)),
        (("gru", 20), ("decode", 5), ("decode", 5)),
        (("gru", 20), ("decode", 5), ("gru", 20)),
        (("gru", 20), ("dense", 8, 6, 3), ("decode", 5)),
    ],
)
def test_decoding_anywhere_but_at_the_end_after_a_gru_is_refused(layers):
    data = flat.to_bytes(tiny_model(0, layers, 20, 3))
    with pytest.raises(ValueError, match="a decode layer is not the last one, right after a GRU"):
        _native.Model(data)


def test_a_file_that_ends_within_its_records_is_refused():
    for size, what in ((80, "layers"), (200, "matrices")):
        with pytest.raises(ValueError, match=f"it ends within its {what}"):
            _native.Model(put(FILES["dense"][:size], (12, "<I", size)))


def test_more_layers_than_the_engine_takes_are_refused():
    with pytest.raises(ValueError, match="it has 33 layers; this engine takes 32"):
        _native.Model(TOO_MANY_LAYERS)


def test_more_factors_than_the_engine_takes_are_refused():
    with pytest.raises(ValueError, match="it has more than 66 matrices"):
        _native.Model(TOO_MANY_MATRICES)


def test_a_file_has_the_oldest_format_that_has_all_it_needs():
    formats = {name: struct.unpack_from("<I", data, 8)[0] for name, data in FILES.items()}
    assert formats == dict.fromkeys(FILES, 1) | {
        "forecaster": 2,
        "low rank": 3,
        "low rank, sparse": 3,
        "own units": 4,
        "own units, sparse": 4,
    }
