"""Small model.native files of every kind, where their records lie, and how to change and run them."""

from __future__ import annotations

import struct

import numpy as np

from device_runtime import flat
from factored_models import factored
from models import tiny_model
from sparse_models import on_grid, with_own_steps, with_weights, without_blocks

LAYERS_AT = flat.HEADER_BYTES


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
    from device_runtime.native import _native  # only where it is built: its tests skip elsewhere

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
