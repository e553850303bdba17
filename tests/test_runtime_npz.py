"""Arrays from anyone: nothing is unpickled, and no file makes the reader take more memory than it may."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from device_runtime import npz
from device_runtime.errors import BundleError


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return file.getvalue()


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version)
    return file.getvalue()


def npy_that_claims(shape: str, descr: str = "<f4") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


def small() -> bytes:
    return archive({"a.npy": npy(np.arange(40, dtype="f4").reshape(5, 8)), "b.npy": npy(np.ones(3, "i1"))})


def test_arrays_come_back_in_either_order(tmp_path: Path):
    by_column = np.zeros((64, 64), np.int8)
    by_column[:, ::4] = np.random.default_rng(0).integers(-127, 128, (64, 16))
    npz.write(tmp_path / "a.npz", {"x": by_column, "y": np.arange(3, dtype="f4"), "z": np.zeros((0, 5), "f4")})
    arrays = npz.read((tmp_path / "a.npz").read_bytes(), "a.npz")
    assert np.array_equal(arrays["x"], by_column)
    assert arrays["x"].flags.c_contiguous
    assert arrays["y"].tolist() == [0, 1, 2]
    assert arrays["z"].shape == (0, 5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"a\.npz is not an \.npz file, or it was cut short"),
        (b"not a zip file, but some text that is long enough", r"is not an \.npz file"),
        (small()[:-1], r"is not an \.npz file, or it was cut short"),
        (archive({"a.npy": b"text"}), r"a\.npz: a\.npy is not a plain array"),
        (
            archive({"a.npy": npy(np.array([{}], object))}),
            r"holds values of type \|O; only int8 .* nothing is unpickled",
        ),
        (archive({"a.npy": npy(np.zeros(3, "f8"))}), r"a\.npy holds values of type <f8"),
        (archive({"a.npy": npy(np.zeros(3, ">f4"))}), r"a\.npy holds values of type >f4"),
        (archive({"a.npy": npy(np.zeros(3, "i1,i1"))}), r"a\.npy is not a plain array in version 1\.0"),
        (
            archive({"a.npy": npy(np.zeros(3, "f4"), (2, 0))}),
            r"a\.npy is not a plain array in version 1\.0",
        ),
        (archive({"a.npy": npy(np.zeros((2, 2, 2), "f4"))}), r"a\.npy has the shape \(2, 2, 2\), but only"),
        (archive({"a.npy": npy_that_claims("(1000000, 1000000)")}), r"shape \(1000000, 1000000\), but only 128 bytes"),
        (archive({"a.npy": npy_that_claims("(-1, -40)")}), r"is not a plain array"),
        (archive({"a.npy": npy_that_claims("(0, 9999999999999999999999)")}), r"is damaged"),
        (archive({"a.npy": npy_that_claims("(3,)") + b"123"}), r"is damaged"),
        (archive({"a.npy": npy_that_claims("(" * 60)}), r"is not a plain array"),
        (archive({"a.npy": npy_that_claims("(3,)", "<f4\x1b[31m")}), r"is not a plain array"),
        (archive({"a.npy": npy(np.zeros(3, "f4"))}, zipfile.ZIP_BZIP2), r"a\.npy must be stored or deflated"),
        (archive({f"{i}.npy": b"" for i in range(2000)}), r"lists more arrays than any model has"),
    ],
)
def test_what_is_no_plain_array_is_one_line(data, message):
    with pytest.raises(BundleError, match=message) as error:
        npz.read(data, "a.npz")
    assert "\n" not in str(error.value)


def test_a_zip_bomb_is_refused_before_it_unpacks():
    bomb = archive({"a.npy": npy(np.zeros(npz.MAX_BYTES // 4 + 1, "f4"))})
    assert len(bomb) < 100_000
    tracemalloc.start()
    with pytest.raises(BundleError, match=r"a\.npz unpacks to 671\d+ bytes; this runtime takes at most 67108864"):
        npz.read(bomb, "a.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_member_that_lies_about_its_size_is_not_believed():
    honest = archive({"a.npy": npy(np.zeros(4_000_000, "f4"))})
    at = honest.rindex(b"PK\1\2") + 24  # the unpacked size in the directory
    lying = honest[:at] + struct.pack("<I", 140) + honest[at + 4 :]
    tracemalloc.start()
    with pytest.raises(BundleError, match=r"a\.npz is damaged \(Bad CRC-32 for file 'a\.npy'\)"):
        npz.read(lying, "a.npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_damaged_bytes_never_raise_anything_else():
    rng, good = np.random.default_rng(0), small()
    refused = 0
    for _ in range(3000):
        data = bytearray(good)
        for at in rng.integers(0, len(data), rng.integers(1, 4)):
            data[at] = rng.integers(0, 256)
        try:
            npz.read(bytes(data), "a.npz")
        except BundleError:
            refused += 1
    assert refused > 1500
