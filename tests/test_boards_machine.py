"""A whole emulated board boots Debian's kernel and checks a bundle by the wheel. Asked for by TINYRNN_MACHINE=1."""

from __future__ import annotations

import json
import os
import re

import pytest

pytest.importorskip("torch", reason="the boards are prepared from the workstation")

from boards import emulator, machine
from boards.board import BOARDS
from boards.missing import MissingError
from boards.recordings import BUNDLES


@pytest.mark.skipif(not os.environ.get(machine.ASKED_FOR_BY), reason="takes a minute: make machine asks for it")
def test_a_whole_zero_2_w_boots_and_every_bit_is_equal():
    board = BOARDS["zero2w"]
    emulator.install("qemu-system-aarch64", "qemu-system-arm")
    said = machine.boot(board, machine.prepare(board, BUNDLES / "demo.bundle"))
    assert re.search(r"machine aarch64, Linux \d", said), said[-2000:]
    code, answer = re.search(r"check ended with (\d+): (.*)", said).groups()
    assert code == "0", said[-2000:]
    differing = {row["engine"]: row["differing_values"] for row in json.loads(answer)["engines"]}
    assert differing == {"reference": 0, "native": 0, "onnx": None, "litert": None}


def test_the_archive_holds_files_folders_and_links(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    archive = b"".join(machine.cpio({"init": tmp_path / "file", "usr/bin/link": tmp_path / "link"}))
    names = re.findall(rb"070701[0-9A-F]{104}([^\0]+)\0", archive)
    assert names == [b"dev", b"proc", b"usr", b"usr/bin", b"init", b"usr/bin/link", b"TRAILER!!!"]
    assert len(archive) % 4 == 0
    assert archive.count(b"12345\0\0\0") == 1


def test_what_a_machine_lacks_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYRNN_CACHE", str(tmp_path))
    with pytest.raises(MissingError, match="there is no arm64 root"):
        machine._tree(BOARDS["zero2w"], BUNDLES / "demo.bundle")
    (tmp_path / "boards/root_arm64-0123").mkdir(parents=True)
    with pytest.raises(MissingError, match=r"packages_arm64-\w+ is not there, or it is of other sources\. Run: make"):
        machine._tree(BOARDS["zero2w"], BUNDLES / "demo.bundle")


def test_a_machine_that_does_not_start_is_told(monkeypatch, tmp_path):
    program = tmp_path / "qemu-system-aarch64"
    program.write_text("#!/bin/sh\necho first >&2\necho no such machine >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(MissingError, match=r"^qemu-system-aarch64 could not run: no such machine$"):
        machine.boot(BOARDS["zero2w"], tmp_path)
