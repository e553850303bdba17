"""The state of a session that watches sensors outlives a break, and a damaged one changes nothing."""

import os

import numpy as np
import pytest

from device_runtime import Session, npz
from device_runtime.errors import InputError
from sensors import EAGER, HOUR_S, readings, times, write_estimator, write_forecaster


@pytest.fixture
def folder(tmp_path):
    return write_forecaster(tmp_path / "f.bundle", forecast=EAGER).folder


@pytest.fixture
def estimator(tmp_path):
    return write_estimator(tmp_path / "e.bundle").folder


@pytest.mark.parametrize("cut", [0, 1, 47, 48, 50, 101, 130, 199])
@pytest.mark.parametrize("which", ["folder", "estimator"])
def test_a_run_cut_in_two_by_a_saved_state_gives_the_events_of_one(request, tmp_path, which, cut):
    bundle, when, samples = request.getfixturevalue(which), times(200), readings(200, gaps=0.1)
    when[60:] += 70 * HOUR_S
    when[120] = when[119]
    when[131] = when[128]
    rng = np.random.default_rng(0)
    when += np.round(rng.uniform(-500, 500, 200))
    whole = Session.open(bundle).measure(when, samples)
    first, second = Session.open(bundle), Session.open(bundle)
    events = first.measure(when[:cut], samples[:cut])
    first.save(tmp_path / "kept.state")
    second.restore(tmp_path / "kept.state")
    assert events + second.measure(when[cut:], samples[cut:]) == whole
    assert whole


@pytest.mark.parametrize("wrong", ["cut", "bytes", "other", "nothing", "settings", "changed"])
def test_a_damaged_or_foreign_state_is_one_line_and_changes_nothing(tmp_path, folder, wrong):
    session, path = Session.open(folder), tmp_path / "kept.state"
    session.push(readings(60))
    session.save(path)
    kept = path.read_bytes()
    if wrong == "cut":
        path.write_bytes(kept[: len(kept) // 2])
    if wrong == "bytes":
        path.write_bytes(kept[:200] + bytes(20) + kept[220:])
    if wrong == "nothing":
        path.write_bytes(b"")
    if wrong == "other":
        write_forecaster(tmp_path / "other.bundle", seed=1)
        other = Session.open(tmp_path / "other.bundle")
        other.push(readings(60))
        other.save(path)
    if wrong == "settings":
        session_of_other_settings = Session.open(folder, every=1)
        session_of_other_settings.save(path)
    if wrong == "changed":
        arrays = npz.read(kept, "kept", {**npz.DTYPES, b"<f8": np.dtype("<f8"), b"<i8": np.dtype("<i8")})
        npz.write(path, {**arrays, "counts": np.array([3, 9])})
    with pytest.raises(InputError, match="damaged|state of another bundle, or of other settings") as error:
        session.restore(path)
    assert "\n" not in str(error.value)
    unbroken = Session.open(folder)
    unbroken.push(readings(60))
    assert session.push(readings(60, seed=2)) == unbroken.push(readings(60, seed=2))


def test_states_that_are_not_there_or_cannot_be_written_are_said_so(tmp_path, folder):
    session = Session.open(folder)
    with pytest.raises(
        InputError, match=r"the state .*no\.state cannot be read: No such file or directory. Check the path"
    ):
        session.restore(tmp_path / "no.state")
    with pytest.raises(InputError, match=r"the state .*state was not written: .*Make room or name another file"):
        session.save(tmp_path / "no" / "such.state")
    (tmp_path / "huge.state").touch()
    os.truncate(tmp_path / "huge.state", npz.MAX_BYTES + 1)
    with pytest.raises(InputError, match="is larger than any saved state. Name another file"):
        session.restore(tmp_path / "huge.state")


def test_a_state_is_there_whole_or_not_at_all(tmp_path, folder, monkeypatch):
    session, path = Session.open(folder), tmp_path / "kept.state"
    session.save(path)
    before = path.read_bytes()
    session.push(readings(60))
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="was not written: No space left on device"):
        session.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if "state" in p.name] == ["kept.state"]


def test_states_of_damaged_parts_are_refused(estimator, tmp_path):
    session = Session.open(estimator)
    session.push(readings(61, gaps=0.1))
    session.save(tmp_path / "kept.state")
    arrays = npz.read(
        (tmp_path / "kept.state").read_bytes(), "", {**npz.DTYPES, b"<f8": np.dtype("<f8"), b"<i8": np.dtype("<i8")}
    )
    damages = {
        "the saved state of the model is damaged": ("reader.state", np.full_like(arrays["reader.state"], np.nan)),
        "the saved state of the window is damaged": ("reader.known", np.full(2, np.inf, np.float32)),
        "the saved state of the gaps is damaged": ("absences.missing", np.array([-1, 0])),
        "the clock of the saved state is damaged": ("clock", np.array([np.nan])),
    }
    for message, (name, array) in damages.items():
        npz.write(tmp_path / "kept.state", {**arrays, name: array})
        with pytest.raises(InputError, match=message):
            session.restore(tmp_path / "kept.state")
