"""Arrays as one without copying them: what NumPy's own concatenation would give."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

from train.features import save_array
from train.rows import Rows

PARTS = [np.arange(12.0).reshape(3, 4), np.arange(8.0).reshape(2, 4) + 50, np.arange(16.0).reshape(4, 4) - 90]
WHOLE = np.concatenate(PARTS)


@pytest.mark.parametrize(
    "which",
    [0, -1, slice(None), slice(2, 7), slice(None, None, 3), slice(8, 2, -1), [0, 8, 3, 3], np.array([-1, 0]), [],
     WHOLE[:, 0] > 3, (slice(None), 0), (slice(1, 6), slice(0, 2)), ([7, 2], 1), (4, 2)],
    ids=str,
)  # fmt: skip
def test_rows_are_those_of_the_concatenation(which):
    if isinstance(which, list):
        which = np.array(which, np.int64)
    np.testing.assert_array_equal(Rows(PARTS)[which], WHOLE[which])


def test_rows_that_are_not_there_are_refused():
    with pytest.raises(IndexError, match="out of bounds"):
        Rows(PARTS)[np.array([9])]


def test_all_rows_are_an_array_when_one_is_needed():
    rows = Rows(PARTS)
    assert (len(rows), rows.shape) == (9, (9, 4))
    np.testing.assert_array_equal(np.asarray(rows), WHOLE)
    assert np.asarray(rows, np.float32).dtype == np.float32


def test_of_mapped_files_only_the_rows_asked_for_are_copied(tmp_path):
    for number, part in enumerate(PARTS):
        save_array(tmp_path / f"{number}.npy", part)
    mapped = [np.load(tmp_path / f"{number}.npy", mmap_mode="c") for number in range(3)]
    rows = Rows(mapped)
    got = rows[np.array([0, 4])]
    got[:] = 7
    np.testing.assert_array_equal(np.asarray(rows), WHOLE)
    assert not any(np.shares_memory(got, part) for part in mapped)
