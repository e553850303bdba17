"""Arrays come back as they were, take few bytes, and no file makes the reader take more memory than it may."""

from __future__ import annotations

import io
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest

from device_runtime import bundle, npz, squeeze, weights
from device_runtime.errors import BundleError
from models import tiny_manifest, tiny_model, write_tiny_bundle
from sparse_models import powers_of_two, with_weights, without_blocks
from streams import FORECASTERS, MODELS


def stored(arrays, folder):
    path = folder / "model.npz"
    npz.write(path, arrays)
    return path


def restored(arrays):
    return squeeze.restore(squeeze.squeeze(arrays), "model.npz")


def packed(index: bytes, *streams: bytes):
    def deflate(data):
        deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflater.compress(data) + deflater.flush()

    data = len(index).to_bytes(2, "little") + deflate(index) + b"".join(map(deflate, streams))
    return {squeeze.NAME: np.frombuffer(data, np.int8)}


@pytest.mark.parametrize("name", MODELS | FORECASTERS)
def test_the_arrays_of_a_model_come_back_bit_for_bit(name):
    arrays = weights.arrays((MODELS | FORECASTERS)[name])
    again = restored(arrays)
    assert list(again) == list(arrays)
    for key, array in arrays.items():
        assert again[key].dtype == array.dtype
        assert again[key].shape == array.shape
        assert again[key].tobytes() == np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize("block", [(8, 1), (8, 2), (16, 4), (3, 5)])
def test_pruned_matrices_of_any_shape_come_back(block):
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (7, 3), (17, 9), (96, 64), (130, 31)]:
        weight = without_blocks(0.7, block)(rng.integers(-127, 128, shape).astype(np.int8))
        assert np.array_equal(restored({"w": weight})["w"], weight)
    assert not restored({"w": np.zeros((40, 40), np.int8)})["w"].any()


def test_floats_on_and_off_the_grid_come_back():
    grid = np.arange(-500, 500, dtype=np.float32) / 4096
    for values in (grid, grid * np.float32(100), grid * np.float32(1.1), np.float32([-8, 7.999, 1e6, 1e-30])):
        again = restored({"a.bias": values, "b.scale": np.ones((2, 3), np.float32)})
        assert np.array_equal(again["a.bias"].view(np.uint32), values.view(np.uint32))
        assert again["b.scale"].shape == (2, 3)


def test_a_model_takes_fewer_bytes_than_array_by_array_and_a_pruned_one_on_16_levels_hardly_any(tmp_path: Path):
    model = tiny_model(0, (("dense", 16, 40, 20), ("gru", 80)), 200, 40)
    pruned = with_weights(model, without_blocks(0.63, (8, 1)))
    both = with_weights(pruned, powers_of_two)
    for made, most in ((model, 0.97), (pruned, 0.85), (both, 0.75)):
        arrays = weights.arrays(made)
        sizes = [stored(arrays, tmp_path).stat().st_size]
        sizes.append(stored(squeeze.squeeze(arrays), tmp_path).stat().st_size)
        assert sizes[1] < most * sizes[0]
    assert sizes[1] < 0.4 * sum(array.size for array in arrays.values())


def test_the_same_arrays_give_the_same_bytes():
    arrays = weights.arrays(tiny_model(3))
    assert squeeze.squeeze(arrays)[squeeze.NAME].tobytes() == squeeze.squeeze(arrays)[squeeze.NAME].tobytes()


def test_bundles_of_the_first_format_are_read_and_stay_what_they_are(tmp_path: Path):
    model = tiny_model()
    for number in (1, 2):
        manifest = tiny_manifest()
        object.__setattr__(manifest, "format", number)
        bundle.write(tmp_path / f"{number}", manifest, model, lambda folder: None)
    old, new = (bundle.read(tmp_path / number) for number in "12")
    assert (old.manifest.format, new.manifest.format) == (1, 2)
    assert set(np.load(old.folder / bundle.MODEL)) == set(weights.arrays(model))
    assert set(np.load(new.folder / bundle.MODEL)) == {squeeze.NAME}
    ours, theirs = weights.arrays(new.model), weights.arrays(old.model)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    assert new.manifest.files[bundle.MODEL]["bytes"] < old.manifest.files[bundle.MODEL]["bytes"]
    assert write_tiny_bundle(tmp_path / "now").manifest.format == 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (packed(b"w 2x2 8x1"), r"m\.npz is damaged: w must unpack to 1 bytes\. Get the bundle again"),
        (packed(b"w 2x2 8x1", b"\xff\xff"), r"damaged: w must unpack to 1 bytes"),
        (packed(b"w 2x2 8x1", b"\xc0", b"1" * 15), r"damaged: w must unpack to 16 bytes"),
        (packed(b"w 2x2 8x1", b"\xc0", b"1" * 17), r"damaged: w must unpack to 16 bytes"),
        (packed(b"w 2x2 8x1", b"\xc0", b"1" * 16, b"more"), r"m\.npz has \d+ bytes behind its arrays"),
        (packed(b"b 3 grid", b"123"), r"damaged: its floats must unpack to 3 bytes"),
        (packed(b""), r"its index has a line that makes no array: ''"),
        (packed(b"w 2x2 5x5"), r"a line that makes no array: 'w 2x2 5x5'\. Get the bundle again"),
        (packed(b"w 4 8x1"), r"makes no array: 'w 4 8x1'"),
        (packed(b"w 2x2x2 8x1"), r"makes no array"),
        (packed(b"w 0x2 8x1"), r"makes no array"),
        (packed(b"w 2x2 float\nw 2 float"), r"makes no array: 'w 2 float'"),
        (packed(b"w\x1b[31m 2 float"), r"makes no array: 'w\\x1b"),
        (packed(b"w 9999999x9999999 8x1"), r"its arrays would take \d+ bytes; this runtime takes at most 67108864"),
        (packed(b"w 9999999 float\nv 9999999 grid"), r"its arrays would take \d+ bytes"),
        (packed(b"w 9999999x1 16x4\nv 9999999x1 16x4"), r"its arrays would take"),
        ({squeeze.NAME: np.zeros(0, np.int8)}, r"makes no array"),
        ({squeeze.NAME: np.full(40, 7, np.int8)}, r"damaged: its index must unpack to 1799 bytes"),
    ],
)
def test_what_does_not_fit_is_one_line(arrays, message):
    with pytest.raises(BundleError, match=message) as raised:
        squeeze.restore(arrays, "m.npz")
    assert "\n" not in str(raised.value)
    assert "\x1b" not in str(raised.value)


def test_a_stream_that_would_unpack_to_gigabytes_is_cut_at_its_size():
    bomb = packed(b"w 8x1000 8x1", b"\0" * 200_000_000)
    tracemalloc.start()
    with pytest.raises(BundleError, match=r"w must unpack to 125 bytes"):
        squeeze.restore(bomb, "m.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_damaged_bytes_never_raise_anything_else():
    rng = np.random.default_rng(0)
    good = squeeze.squeeze(weights.arrays(tiny_model(0, (("gru", 9),), 12, 3)))[squeeze.NAME]
    refused = 0
    for _ in range(2000):
        data = good.copy()
        data[rng.integers(0, data.size, rng.integers(1, 4))] = rng.integers(-128, 128)
        try:
            squeeze.restore({squeeze.NAME: data[: rng.integers(1, data.size + 1)]}, "m.npz")
        except BundleError:
            refused += 1
    assert refused > 1000


def test_numpy_opens_the_file_too(tmp_path: Path):
    path = stored(squeeze.squeeze(weights.arrays(tiny_model())), tmp_path)
    with np.load(io.BytesIO(path.read_bytes())) as opened:
        assert opened[squeeze.NAME].dtype == np.int8
