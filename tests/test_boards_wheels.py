"""`make wheels`: the runtime for x86-64 and every Raspberry Pi, each with an extension for just that processor."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import struct
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from device_runtime.native import wheels

BUNDLE = Path(__file__).parent.parent / "scenarios" / "bundles" / "demo.bundle"
BY_PLATFORM = {target.platform: target for target in wheels.TARGETS}


@pytest.fixture
def built():
    if not wheels.is_built():
        pytest.skip("dist/ has no wheels of these sources. Run: make wheels")
    return {path.stem.rpartition("-")[2]: path for path in wheels.DIST.glob("tinyrnn_runtime-*.whl")}


def elf(machine, flags=0, is_64_bit=True, said=b""):
    header = bytearray(64)
    header[:5] = b"\x7fELF" + bytes([2 if is_64_bit else 1])
    struct.pack_into("<H", header, 18, machine)
    struct.pack_into("<I", header, 48 if is_64_bit else 36, flags)
    return bytes(header) + said


def write_wheel(folder, extension=None):
    path = folder / "tinyrnn_runtime-0.1.0-cp311-abi3-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("device_runtime/__init__.py", "")
        if extension is not None:
            archive.writestr(wheels.EXTENSION, extension)
    return path


def refusal(wheel, platform):
    with pytest.raises(SystemExit) as refused:
        wheels.check(wheel, BY_PLATFORM[platform])
    return str(refused.value)


def test_each_target_has_its_wheel_for_any_python_from_3_11(built):
    assert set(built) == {
        "manylinux_2_17_x86_64",
        "manylinux_2_17_aarch64",
        "manylinux_2_17_armv7l",
        "linux_armv6l",
    }
    for platform, path in built.items():
        assert path.name.endswith(f"-cp311-abi3-{platform}.whl")
        wheels.check(path, BY_PLATFORM[platform])
        # Boards have little room; of x86-64 the kernel for AVX-512 is unrolled for speed.
        assert path.stat().st_size < (300_000 if platform.endswith("x86_64") else 260_000)


def test_the_wheel_of_this_machine_installs_and_runs(built, tmp_path):
    name = f"manylinux_2_17_{os.uname().machine}"
    if name not in built or importlib.util.find_spec("pip") is None:
        pytest.skip(f"needs pip and a wheel for {os.uname().machine}")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(tmp_path)]
    subprocess.run([*install, str(built[name])], check=True)
    program = "import device_runtime.cli; print(device_runtime.__file__); device_runtime.cli.main()"
    command = [sys.executable, "-P", "-c", program, "check", str(BUNDLE), "--engine", "native", "--json"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    answer = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    where, _, said = answer.stdout.partition("\n")
    assert where.startswith(str(tmp_path))
    assert [(row["engine"], row["differing_values"]) for row in json.loads(said)["engines"]] == [("native", 0)]


def test_another_source_makes_the_wheels_stale(tmp_path, monkeypatch):
    sources = tmp_path / "device_runtime"
    shutil.copytree(wheels.RUNTIME, sources, ignore=shutil.ignore_patterns("build", "__pycache__", "*.so"))
    monkeypatch.setattr(wheels, "RUNTIME", sources)
    assert not wheels.is_built(tmp_path)
    (tmp_path / wheels.STAMP).write_text(wheels.digest())
    (sources / "build").mkdir()
    (sources / "build" / "left.py").write_text("")
    assert wheels.is_built(tmp_path)
    (sources / "native" / "step.c").write_text("/* other */")
    assert not wheels.is_built(tmp_path)


def test_a_wheel_without_its_extension_is_refused(tmp_path):
    said = refusal(write_wheel(tmp_path), "linux_armv6l")
    assert said.endswith("has no extension: its C did not compile for linux_armv6l")


@pytest.mark.parametrize(
    ("extension", "platform", "expected"),
    [
        (
            elf(62),
            "manylinux_2_17_aarch64",
            "holds code for ELF machine 62 with flags 0x0; manylinux_2_17_aarch64 is 183",
        ),
        (elf(40, 0x200, False), "linux_armv6l", "machine 40 with flags 0x200; linux_armv6l is 40 with hard floats"),
        (elf(62, said=b"\0GLIBC_2.34\0"), "manylinux_2_17_x86_64", "asks for glibc 2.34, expected at most 2.17"),
    ],
    ids=["another processor", "soft floats", "a newer C library"],
)
def test_a_wheel_for_something_else_is_refused(tmp_path, extension, platform, expected):
    assert expected in refusal(write_wheel(tmp_path, extension), platform)


def test_what_the_wheels_cannot_be_built_without_is_named(tmp_path, monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(SystemExit, match=r"has no ziglang, the compiler of the wheels\. Run: make wheels$"):
        wheels.zig_version()
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(SystemExit, match=r"has no Python\.h, which the wheels are built with\. On Debian: apt install"):
        wheels.write_headers(tmp_path / "include")


def test_a_build_that_fails_shows_what_was_said(tmp_path, monkeypatch):
    failed = subprocess.CompletedProcess([], 1, "", "no such compiler")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: failed)
    with pytest.raises(SystemExit, match=r"(?s)the wheel for linux_armv6l was not built:\n.*no such compiler"):
        wheels.build(BY_PLATFORM["linux_armv6l"], tmp_path, tmp_path / "build")
