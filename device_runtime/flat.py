"""model.native: the model as one flat piece of bytes that the native engine reads where it lies.

`native/file.c` describes the layout, byte by byte.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from device_runtime import codecs, weights
from device_runtime.arithmetic import Decode, Dense, Gru, Layer, Model, Sru
from device_runtime.bundle import Bundle
from device_runtime.products import Affine, Factored, Product

FILE = "model.native"
MAGIC = b"tinyrnn\0"
PLAIN_FORMAT, FORECAST_FORMAT, FACTORS_FORMAT, FORMAT = 1, 2, 3, 4
"""The second has decode layers and the linear map, the third matrices of two factors, the fourth simple recurrent
units; a file is of the first that has all it needs."""

HEADER_BYTES, LAYER_BYTES, MATRIX_BYTES = 64, 16, 64
ALIGNMENT = 64
"""Of what is read in whole registers: as wide as the widest, and as a line of the cache."""

SLACK_BYTES = 64
"""An engine may read so far past the end of a section: it takes what its registers hold."""

_DENSE, _GRU, _DECODE, _SRU = 1, 2, 3, 4


class _Sections:
    """Pieces of bytes, each at its place behind the records."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._bytes = bytearray()

    def add(self, piece: bytes, alignment: int) -> int:
        """Where in the file the piece begins."""
        self._bytes += bytes(-(self._start + len(self._bytes)) % alignment)
        at = self._start + len(self._bytes)
        self._bytes += piece
        return at

    def finish(self) -> bytes:
        return bytes(self._bytes) + bytes(SLACK_BYTES)


def to_bytes(model: Model, labels: Sequence[str] = (), stride: int = 0) -> bytes:
    """The content of model.native.

    A program without a manifest reads from it what the scores stand for, and of a model that hears speech how many
    vectors of the front end lie from one frame to the next.
    """
    products = weights.matrices(model).values()
    factors = [factor for product in products for factor in product.factors]
    sections = _Sections(HEADER_BYTES + LAYER_BYTES * len(model.layers) + MATRIX_BYTES * len(factors))
    layers = b"".join(_layer(layer, sections) for layer in model.layers)
    matrices = b"".join(_product(product, sections) for product in products)
    texts = b"".join(label.encode() + b"\0" for label in labels)
    labels_at = sections.add(texts, 1) if labels else 0
    body = layers + matrices + sections.finish()
    header = MAGIC + struct.pack(
        "<IIIfIIIIIII12x",
        _format(model, has_factors=len(factors) > len(products)),
        HEADER_BYTES + len(body),
        model.feature_size,
        model.input_gain,
        len(model.layers),
        model.score_size,
        labels_at,
        len(texts),
        stride,
        0 if model.linear is None else model.linear.frames,
        0 if model.linear is None else model.linear.width,
    )
    return header + body


def of_bundle(bundle: Bundle) -> bytes:
    """The content of model.native for a bundle, with what its manifest tells of words and frames."""
    manifest = bundle.manifest
    return to_bytes(bundle.model, manifest.labels, manifest.frontend.get("stride", 0))


def _format(model: Model, has_factors: bool) -> int:
    if any(isinstance(layer, Sru) for layer in model.layers):
        return FORMAT
    if has_factors:
        return FACTORS_FORMAT
    forecasts = model.linear is not None or any(isinstance(layer, Decode) for layer in model.layers)
    return FORECAST_FORMAT if forecasts else PLAIN_FORMAT


def _layer(layer: Layer, sections: _Sections) -> bytes:
    """The record of one layer; what it holds beside its matrices goes to the sections."""
    match layer:
        case Dense():
            return struct.pack("<IIfI", _DENSE, layer.hop, layer.output_gain, 0)
        case Decode():
            at = sections.add(layer.positions.astype("<f4").tobytes(), ALIGNMENT)
            return struct.pack("<IIII", _DECODE, len(layer.positions), at, 0)
        case Sru():
            # an engine's last lanes lie in the zeros behind: numbers that are not normal cost some processors much
            peephole = layer.peephole.astype("<f4").tobytes() + bytes(SLACK_BYTES)
            return struct.pack("<IIII", _SRU, 0, sections.add(peephole, ALIGNMENT), 0)
        case Gru():
            return struct.pack("<IIII", _GRU, 0, 0, 0)


def _product(product: Product, sections: _Sections) -> bytes:
    """The record of one matrix, or those of its factors."""
    if isinstance(product, Factored):
        return _matrix(product.inner, sections, product.gain) + _matrix(product.outer, sections)
    return _matrix(product, sections)


def _matrix(affine: Affine, sections: _Sections, gain: float | np.float32 = 0.0) -> bytes:
    """The record of one matrix; its content goes to the sections. The gain is that of an inner factor."""
    stored = codecs.smallest(affine.weight)
    pieces = (stored.tiles, affine.scale.astype("<f4"), affine.bias.astype("<f4"))
    tiles_at, scale_at, bias_at = (sections.add(piece.tobytes(), ALIGNMENT) for piece in pieces)
    counts_at = indices_at = steps_at = index_bytes = 0
    if stored.tile_counts is not None and stored.indices is not None:
        index_bytes = stored.indices.itemsize
        counts_at = sections.add(stored.tile_counts.astype("<u2").tobytes(), 2)
        indices_at = sections.add(stored.indices.astype(f"<u{index_bytes}").tobytes(), 1)
    if stored.steps is not None:
        steps_at = sections.add(stored.steps.tobytes(), 1)
    codebook = np.zeros(codecs.CODES, np.int8) if stored.codebook is None else stored.codebook
    kind = (stored.sparse_rows, stored.codebook is not None, stored.block_columns, index_bytes)
    places = (tiles_at, counts_at, indices_at, steps_at, scale_at, bias_at)
    sizes = (stored.rows, stored.columns)
    return struct.pack("<II4BI6I16sf4x", *sizes, *kind, stored.tile_count, *places, codebook.tobytes(), gain)
