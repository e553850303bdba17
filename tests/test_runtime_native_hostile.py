"""A model.native may come from anyone: it runs, or one line says what is wrong with it; it never does harm."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from device_runtime import flat
from factored_models import factored
from models import tiny_model
from sparse_models import on_grid, with_own_steps, with_weights, without_blocks

_native = pytest.importorskip("device_runtime.native._native", reason="the native engine is not built here")

LAYERS_AT = flat.HEADER_BYTES
MUTATIONS = 3_000


def sparse_coded(weight):
    return without_blocks(0.6)(with_own_steps(weight))


MODEL = tiny_model(0, (("dense", 8, 6, 3), ("gru", 20)), 12, 3)
FORECASTER = tiny_model(0, (("gru", 20), ("decode", 5)), 12, 3, linear=(10, 7))
OWN_UNITS = tiny_model(0, (("sru", 20), ("gru", 9)), 12, 3)
LOW_RANK = factored(tiny_model(0, (("gru", 20), ("decode", 5)), 12, 3), (0, 6, 0))
FILES = {
    "dense": flat.to_bytes(MODEL, ("a", "b", "c")),
    "sparse": flat.to_bytes(with_weights(MODEL, without_blocks(0.6))),
    "4 bits": flat.to_bytes(with_weights(MODEL, on_grid(18))),
    "sparse 4 bits": flat.to_bytes(with_weights(MODEL, sparse_coded), ("a", "b", "c")),
    "forecaster": flat.to_bytes(FORECASTER, ("a", "b", "c")),  # as many layers and matrices
    "own units": flat.to_bytes(OWN_UNITS, ("a", "b", "c")),
    "own units, sparse": flat.to_bytes(with_weights(OWN_UNITS, without_blocks(0.6))),
    "low rank": flat.to_bytes(LOW_RANK, ("a", "b", "c")),  # as many, too
    "low rank, sparse": flat.to_bytes(with_weights(LOW_RANK, without_blocks(0.5))),
}
RECORDS_END = LAYERS_AT + 2 * flat.LAYER_BYTES + 4 * flat.MATRIX_BYTES
MATRICES_AT = LAYERS_AT + 2 * flat.LAYER_BYTES
STATE_AT = MATRICES_AT + 2 * flat.MATRIX_BYTES  # the record of the GRU's state matrix
INNER_AT, OUTER_AT = MATRICES_AT + flat.MATRIX_BYTES, STATE_AT  # of the state matrix of low rank, (6, 20) and (60, 6)
DECODE_AT, LINEAR_AT = LAYERS_AT + flat.LAYER_BYTES, MATRICES_AT + 3 * flat.MATRIX_BYTES  # of the forecaster


def put(data, *changes):
    """The file with other values at some places: (place, format, value)."""
    changed = bytearray(data)
    for at, form, value in changes:
        struct.pack_into(form, changed, at, value)
    return bytes(changed)


def run(data, kernel):
    """Open and step, if it can be opened; otherwise the one line."""
    try:
        model = _native.Model(data, kernel)
    except ValueError as error:
        return str(error)
    frames = np.ones((3, model.feature_size), np.float32)
    scores, state = np.empty((3, model.score_count), np.float32), np.zeros(model.state_size, np.float32)
    model.windows(frames, state, scores[:1])
    last = scores[0].copy()
    model.steps(frames, state, scores, state)
    assert scores[2].tobytes() == last.tobytes()
    assert len(model.labels) == model.score_count
    return ""


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_in_its_records_is_refused(name):
    for size in range(RECORDS_END):
        short = FILES[name][:size]
        assert run(short, None)
        if size >= 16:  # and one that owns up to its size
            assert run(put(short, (12, "<I", size)), None)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_behind_is_refused_or_runs(name):
    for size in range(RECORDS_END, len(FILES[name])):
        run(put(FILES[name][:size], (12, "<I", size)), None)


@pytest.mark.parametrize("kernel", _native.kernels())
@pytest.mark.parametrize("name", FILES)
def test_damaged_files_are_refused_or_run(name, kernel):
    rng = np.random.default_rng(len(name))
    data = FILES[name]
    refused = 0
    for _ in range(MUTATIONS):
        changed = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            within = RECORDS_END if rng.random() < 0.7 else len(data)
            at = int(rng.integers(8, within))
            changed[at] = int(rng.integers(256)) if rng.random() < 0.5 else changed[at] ^ 1 << int(rng.integers(8))
        line = run(bytes(changed), kernel)
        assert "\n" not in line
        refused += bool(line)
    assert 0 < refused < MUTATIONS


def test_random_bytes_are_refused():
    rng = np.random.default_rng(0)
    for size in (0, 1, 63, 64, 200, 4096):
        assert run(rng.bytes(size), None)
        assert run(flat.MAGIC + struct.pack("<II", 1, size + 16) + rng.bytes(size), None)


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


def test_a_kernel_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="there is no kernel mmx for this processor"):
        _native.Model(FILES["dense"], "mmx")


def test_wrong_arguments_are_told_in_one_line():
    model = _native.Model(FILES["dense"])
    frame, state, scores = (np.zeros(n, np.float32) for n in (model.feature_size, model.state_size, model.score_count))
    with pytest.raises(TypeError, match="it takes a frame, a state, scores and the next state, got 3 arguments"):
        model.step(frame, state, scores)
    wrong = [
        ((frame[:5], state, scores, state), "frames must have 12 values, got 20 bytes"),
        (
            (frame.astype(np.float64)[:6], state, scores, state),
            "frames must hold float32 values or bytes, got the .* 'd'",
        ),
        ((np.zeros(24, np.float32)[::2], state, scores, state), "frames must be a contiguous buffer, such as"),
        ((7, state, scores, state), "frames must be a contiguous buffer, such as a NumPy array or a bytearray"),
        ((frame, state, bytes(12), state), "scores must be a contiguous buffer that can be written to"),
        ((frame, state, scores, state[1:]), r"next_state must have \d+ values, got \d+ bytes"),
        ((memoryview(bytes(49))[1:], state, scores, state), "frames must begin at an address that is a multiple of 4"),
    ]
    for arguments, message in wrong:
        with pytest.raises(ValueError, match=message):
            model.step(*arguments)
    with pytest.raises(ValueError, match="frames must have 12 values a step, got 44 bytes"):
        model.steps(frame[:11], state, scores, state)
    with pytest.raises(ValueError, match=r"states must have \d+ values, got"):
        model.streams(np.zeros((2, 12), np.float32), state, scores, state)


def test_labels_come_out_of_the_file():
    assert _native.Model(FILES["dense"]).labels == ("a", "b", "c")
    assert _native.Model(FILES["sparse"]).labels == ("", "", "")
