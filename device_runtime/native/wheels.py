"""Wheels of tinyrnn-runtime for x86-64 and every Raspberry Pi, built on one machine: `make wheels`.

Setuptools builds each as pyproject.toml says, with Zig (PyPI's `ziglang`) as the compiler: it brings the C library of
each target, so that nothing of a target need be installed. The same sources give the same wheels, byte for byte.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

RUNTIME = Path(__file__).resolve().parent.parent
DIST = RUNTIME.parent / "dist"
STAMP = "SOURCES"
"""In DIST: the digest of what the wheels there were made of."""

GLIBC = (2, 17)
"""Of 2012, the oldest that manylinux wheels are made for; every Raspberry Pi OS has a newer one."""

EXTENSION = "device_runtime/native/_native.abi3.so"
ARM = 40
ARM_HARD_FLOAT = 0x400
"""EF_ARM_ABI_FLOAT_HARD in the flags of an ELF file."""


@dataclass(frozen=True)
class Target:
    """One kind of board, as Zig, pip and ELF name it."""

    zig: str
    processor: str
    platform: str
    elf_machine: int

    @property
    def compiler(self) -> tuple[str, ...]:
        """The command that compiles C for it."""
        return (sys.executable, "-m", "ziglang", "cc", "-target", self.zig, f"-mcpu={self.processor}")


GNU = f"{GLIBC[0]}.{GLIBC[1]}"
TARGETS = (
    Target(f"x86_64-linux-gnu.{GNU}", "x86_64", "manylinux_2_17_x86_64", 62),
    Target(f"aarch64-linux-gnu.{GNU}", "generic", "manylinux_2_17_aarch64", 183),
    # as Debian's armhf: NEON is asked for at run time
    Target(f"arm-linux-gnueabihf.{GNU}", "generic+v7a+vfp3d16", "manylinux_2_17_armv7l", ARM),
    # PyPI takes no manylinux wheel for ARMv6; piwheels and pip on a Pi Zero call it so
    Target(f"arm-linux-gnueabihf.{GNU}", "arm1176jzf_s", "linux_armv6l", ARM),
)

PYCONFIG = """\
/* What the headers of the limited API ask about the target, answered by its own compiler. The host's pyconfig.h would
 * tell the sizes of the host: those of `long` and of pointers are others on 32-bit ARM. */
#ifndef Py_PYCONFIG_H
#define Py_PYCONFIG_H
#define SIZEOF_SHORT __SIZEOF_SHORT__
#define SIZEOF_INT __SIZEOF_INT__
#define SIZEOF_LONG __SIZEOF_LONG__
#define SIZEOF_LONG_LONG __SIZEOF_LONG_LONG__
#define SIZEOF_VOID_P __SIZEOF_POINTER__
#define SIZEOF_SIZE_T __SIZEOF_SIZE_T__
#define SIZEOF_WCHAR_T __SIZEOF_WCHAR_T__
#define SIZEOF_FLOAT __SIZEOF_FLOAT__
#define SIZEOF_DOUBLE __SIZEOF_DOUBLE__
#define HAVE_SSIZE_T 1
#define HAVE_STDDEF_H 1
#define HAVE_STDINT_H 1
#define HAVE_UNISTD_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TIME_H 1
#define WITH_THREAD 1
#endif
"""


def main() -> None:
    """Build all wheels into dist/, unless they are there and of these sources."""
    if is_built():
        print(f"{DIST}: the wheels are those of these sources")
        return
    found = zig_version()
    DIST.mkdir(exist_ok=True)
    for old in (DIST / STAMP, *DIST.glob("tinyrnn_runtime-*.whl")):
        old.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        headers = write_headers(Path(folder) / "include")
        for target in TARGETS:
            wheel = build(target, headers, Path(folder) / target.platform)
            check(wheel, target)
            print(shutil.copy(wheel, DIST))
    (DIST / STAMP).write_text(digest() + "\n")
    print(f"built with Zig {found}")


def is_built(dist: Path = DIST) -> bool:
    """Whether the wheels in the folder were made of the sources as they are."""
    stamp = dist / STAMP
    return stamp.exists() and stamp.read_text().strip() == digest()


def digest() -> str:
    """Of everything in the runtime's folder that a wheel may depend on."""
    with_sources = [RUNTIME, *(RUNTIME / folder for folder in ("engines", "frontends", "native"))]
    kinds = {".py", ".c", ".h", ".toml", ".md", ".typed", ""}
    sha = hashlib.sha256()
    for path in sorted(path for folder in with_sources for path in folder.iterdir()):
        if path.is_file() and path.suffix in kinds:
            content = path.read_bytes()
            sha.update(f"{path.relative_to(RUNTIME)} {len(content)}\n".encode() + content)
    return sha.hexdigest()


def zig_version() -> str:
    """Of the installed compiler."""
    try:
        return importlib.metadata.version("ziglang")
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit(f"{sys.executable} has no ziglang, the compiler of the wheels. Run: make wheels") from None


def write_headers(folder: Path) -> Path:
    """The headers of this Python's C API, with answers for any target."""
    source = Path(sysconfig.get_path("include"))
    if not (source / "Python.h").exists():
        raise SystemExit(
            f"{source} has no Python.h, which the wheels are built with. On Debian: apt install python3-dev"
        )
    shutil.copytree(source, folder)
    (folder / "pyconfig.h").write_text(PYCONFIG)  # beside Python.h, which takes the one in its own folder
    return folder


def build(target: Target, headers: Path, folder: Path) -> Path:
    """One wheel, from a copy of the sources so that nothing is left among them."""
    left = shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "*.so")
    shutil.copytree(RUNTIME, folder / "source", ignore=left)
    compiler = " ".join(target.compiler)
    env = {
        **os.environ,
        "CC": compiler,
        "CFLAGS": f"-I{headers} -DNDEBUG",
        "LDSHARED": f"{compiler} -O3 -shared -s",  # -O3 is for what Zig adds, which is ten times as large without
        "LDFLAGS": "",
        "SOURCE_DATE_EPOCH": "315532800",  # 1980, the first day of a zip file
    }
    options = ["bdist_wheel", "--plat-name", target.platform, "--dist-dir", str(folder)]
    command = [sys.executable, "-c", "import setuptools; setuptools.setup()", *options]
    answer = subprocess.run(command, cwd=folder / "source", env=env, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if answer.returncode or not wheels:
        raise SystemExit(f"the wheel for {target.platform} was not built:\n{answer.stdout}{answer.stderr}")
    (folder / "log").write_text(answer.stdout + answer.stderr)
    return wheels[0]


def check(wheel: Path, target: Target) -> None:
    """That the wheel has the extension, for this target and no newer C library: an install may go on without it."""
    with zipfile.ZipFile(wheel) as archive:
        elf = archive.read(EXTENSION) if EXTENSION in archive.namelist() else b""
    if not elf:
        log = wheel.with_name("log")
        said = log.read_text() if log.exists() else ""
        raise SystemExit(f"{wheel.name} has no extension: its C did not compile for {target.platform}\n{said}".strip())
    (machine,) = struct.unpack_from("<H", elf, 18)
    (flags,) = struct.unpack_from("<I", elf, 48 if elf[4] == 2 else 36)
    if machine != target.elf_machine or (machine == ARM and not flags & ARM_HARD_FLOAT):
        raise SystemExit(
            f"{wheel.name} holds code for ELF machine {machine} with flags {flags:#x}; {target.platform} is "
            f"{target.elf_machine}" + (" with hard floats" if target.elf_machine == ARM else "")
        )
    wanted = max(((int(a), int(b)) for a, b in re.findall(rb"GLIBC_(\d+)\.(\d+)", elf)), default=GLIBC)
    if wanted > GLIBC:
        raise SystemExit(f"{wheel.name} asks for glibc {wanted[0]}.{wanted[1]}, expected at most {GNU}")


if __name__ == "__main__":
    main()
