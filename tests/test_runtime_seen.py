"""What of a log was seen before: exactly what was, however it was cut, and never more for a clock that went astray."""

import numpy as np
import pytest

from device_runtime import seen
from device_runtime.errors import InputError
from device_runtime.seen import Seen


def log(count, start=0.0, seed=0):
    return start + np.arange(count) * 60.0, np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)


def after(*logs):
    """What a run remembers that has taken in these logs, one after the other, each in a run of its own."""
    before = Seen()
    for times_s, values in logs:
        at = before.skip(times_s, values)
        before.add(times_s[at:], values[at:])
        following = Seen(times_s[-1])
        following.restore(before.snapshot())
        before = following
    return before


def skipped(past, times_s, values, chunk):
    return sum(past.skip(times_s[at : at + chunk], values[at : at + chunk]) for at in range(0, len(times_s), chunk))


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("kept", [4, 64, 4096])
@pytest.mark.parametrize("count", [1, 2, 3, 64, 65, 100])
def test_a_log_that_has_grown_is_left_out_up_to_where_it_was_left(monkeypatch, count, kept, chunk):
    monkeypatch.setattr(seen, "KEPT", kept)
    times_s, values = log(200)
    times_s[40] += 1e9
    times_s[50:] -= 1800
    past = after((times_s[: count // 2 + 1], values[: count // 2 + 1]), (times_s[:count], values[:count]))
    assert skipped(past, times_s, values, chunk) == max(count, count // 2 + 1)


def test_a_log_that_begins_within_what_was_seen_is_known():
    times_s, values = log(200)
    past = after((times_s[:120], values[:120]))
    assert past.skip(times_s[100:], values[100:]) == 20
    assert past.skip(times_s[:120], values[:120]) == 0  # nothing that comes after new readings is old


def test_the_next_log_is_new_whatever_its_times_are():
    times_s, values = log(100)
    for start in (6000.0, 3000.0, 0.0, -1e9):
        assert after((times_s, values)).skip(*log(50, start, seed=1)) == 0


def test_another_log_that_begins_with_the_same_readings_is_soon_told_apart(monkeypatch):
    monkeypatch.setattr(seen, "KEPT", 16)
    times_s, values = log(1000)
    other = values.copy()
    other[3:] += 1
    assert after((times_s, values)).skip(times_s, other) == 3
    other[:3] = values[:3]
    past = after((times_s, values), (times_s, other))
    assert past.skip(times_s, other) == 1000


def test_a_last_line_that_was_half_written_was_seen():
    times_s, values = log(100)
    cut = values[:50].copy()
    cut[49, 1] = 3
    assert after((times_s[:50], cut)).skip(times_s, values) == 50


def test_where_only_a_time_is_known_readings_are_left_out_until_the_time_goes_back():
    times_s, values = log(100)
    assert Seen().skip(times_s, values) == 0
    assert Seen(times_s[49]).skip(times_s, values) == 50
    times_s[30:] -= 1800
    past = Seen(1e9)
    assert past.skip(times_s, values) == 30
    past.add(times_s[30:], values[30:])
    again = Seen(1e9)
    again.restore(past.snapshot())
    assert again.skip(times_s, values) == 100


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(seen, "KEPT", 16)
    past = Seen()
    for start in range(100):
        past.add(*log(10, start * 600.0))
    assert len(past.snapshot()["recent"]) == 16
    assert sum(array.size for array in past.snapshot().values()) < 40


@pytest.mark.parametrize(
    ("name", "array"), [("last", [np.nan]), ("recent", np.zeros(0, int)), ("count", [-1]), ("marks", [1, 2, 3])]
)
def test_a_damaged_memory_is_refused(name, array):
    past = Seen()
    past.add(*log(10))
    with pytest.raises(InputError, match="what the saved state knows of the readings before it is damaged. Start with"):
        Seen().restore({**past.snapshot(), name: np.array(array)})
