"""What the boards are made of: kept by what they are made of, made whole, and what is missing is said in one line."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess

import pytest

pytest.importorskip("torch", reason="the boards are prepared from the workstation")

from boards import __main__ as program
from boards import emulator, profiles, roots, sites
from boards.board import BOARDS
from boards.cache import boards_folder, made_once
from boards.missing import MissingError
from device_runtime.native import wheels

ZERO, PI5 = BOARDS["zero2w"], BOARDS["pi5"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "boards"


def fails(command, **options):
    return subprocess.CompletedProcess(command, 100, "", "E: the last line")


def test_what_is_made_once_is_whole_and_replaces_its_elder(cache):
    made = []

    def make(folder):
        made.append(folder.name)
        (folder / "file").write_text("x")

    for name in ("root-1", "root-1", "root_2-1", "root-2"):
        assert (made_once(boards_folder() / name, make) / "file").exists()
    assert made == [".unfinished-root-1", ".unfinished-root_2-1", ".unfinished-root-2"]
    assert sorted(path.name for path in cache.iterdir()) == ["root-2", "root_2-1"]


def test_what_fails_is_not_there(cache):
    def make(folder):
        raise MissingError("no")

    with pytest.raises(MissingError):
        made_once(boards_folder() / "root-1", make)
    assert not (cache / "root-1").exists()


def test_a_profile_says_what_the_board_is(tmp_path):
    root, folder = tmp_path / "root", tmp_path / "profile"
    for path in (root / "usr", folder):
        path.mkdir(parents=True)
    profiles.write(PI5, root, folder)
    cpuinfo = (folder / "proc/cpuinfo").read_text()
    assert cpuinfo.count("CPU part\t: 0xd0b") == 4
    assert "asimddp" in cpuinfo
    assert "Model\t\t: Raspberry Pi 5" in cpuinfo
    assert "asimddp" not in profiles._proc(ZERO)["proc/cpuinfo"]
    assert "MemTotal:        491520 kB" in profiles._proc(ZERO)["proc/meminfo"]
    assert (folder / "sys/devices/system/cpu/cpu3/cache/index3/size").read_text() == "2048K\n"
    assert (folder / "usr").resolve() == root / "usr"


def test_boards_differ_in_their_keys_only_where_they_should():
    assert {"zero2w", "pi3", "pi4", "pi5", "pi2", "pizero"} == set(BOARDS)
    assert all(board.key == key for key, board in BOARDS.items())
    assert {board.architecture for board in BOARDS.values()} == set(sites.ENGINES) == set(sites.PLATFORMS)


def test_without_a_root_the_command_is_named():
    with pytest.raises(MissingError, match=r"^there is no arm64 root\. Run: make boards$"):
        roots.root("arm64")


@pytest.mark.parametrize("program", ["apt-get", "dpkg-deb"])
def test_without_debian_it_says_so(monkeypatch, program):
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == program else found(name) or name)
    with pytest.raises(MissingError, match=rf"{program} was not found: boards are made of Debian packages, on Debian"):
        roots.Apt("arm64")


def test_without_a_mirror_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(roots, "KEYRING", tmp_path / "none")
    with pytest.raises(MissingError, match="apt names no Debian mirror: boards are made of Debian packages"):
        roots.mirror()


def test_a_mirror_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setattr(roots, "mirror", lambda: "http://mirror.invalid/debian")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(MissingError, match=r"apt-get update failed \(E: the last line\): boards are made of packages"):
        roots.Apt("arm64").versions(("libc6",))


def test_the_last_root_serves_where_debian_cannot_be_asked(monkeypatch, cache):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingError, match="there is no armhf root"):
        roots.prepare("armhf")
    (cache / "root_armhf-0123").mkdir(parents=True)
    assert roots.prepare("armhf") == cache / "root_armhf-0123"


def test_packages_that_pip_cannot_get_are_named(monkeypatch, cache):
    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(MissingError, match=r"pip could not get .*tflite-runtime==\S+ for armhf: E: the last line"):
        sites.prepare_packages("armhf")


def test_stale_wheels_are_not_installed(monkeypatch):
    monkeypatch.setattr(wheels, "is_built", lambda: False)
    with pytest.raises(MissingError, match=r"has no wheels of these sources\. Run: make wheels$"):
        sites.prepare_runtime("arm64")


def test_without_qemu_it_is_installed_or_asked_for(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MissingError, match="only root can install it: sudo apt-get install qemu-user"):
        emulator.install("qemu-aarch64", "qemu-user")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(MissingError, match="qemu-user could not be installed: E: the last line"):
        emulator.install("qemu-aarch64", "qemu-user")
    with pytest.raises(MissingError, match=r"qemu-aarch64 was not found\. Run: make boards, or sudo apt-get install"):
        emulator.emulator(ZERO)


def test_a_board_of_other_sources_is_not_used(monkeypatch, cache):
    monkeypatch.setattr(shutil, "which", lambda name: name)
    (cache / "root_arm64-0123").mkdir(parents=True)
    with pytest.raises(MissingError, match=r"is not there, or it is of other sources\. Run: make boards$"):
        emulator.emulator(ZERO)


def test_make_boards_ends_with_one_line_about_what_is_missing(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert program.main() == 1
    assert capsys.readouterr().err.startswith("boards: qemu-aarch64 was not found")


def test_an_answer_tells_which_signal_ended_it():
    assert emulator.Answer(b"", "", -4).signal == "SIGILL"
    assert dataclasses.replace(emulator.Answer(b"", "", -4), code=0).signal is None
