"""What is compiled for the boards' tests, by the compiler of the wheels: hear.c for each kind of ARM, and icount.c."""

from __future__ import annotations

import hashlib
import subprocess
import tomllib
from pathlib import Path

from device_runtime.native import wheels

from .cache import boards_folder, made_once
from .missing import MissingError

HERE = Path(__file__).parent
NATIVE = wheels.RUNTIME / "native"
PYTHON = wheels.RUNTIME.parent / ".venv-wheels" / "bin" / "python"
TARGETS = {
    # static, with musl: Debian has no C library with hard floats for ARMv6
    "hear_armv6": ("-target", "arm-linux-musleabihf", "-mcpu=arm1176jzf_s", "-static"),
    "hear_armv7": ("-target", f"arm-linux-gnueabihf.{wheels.GNU}", "-mcpu=generic+v7a+vfp3d16"),
    "hear_aarch64": ("-target", f"aarch64-linux-gnu.{wheels.GNU}", "-mcpu=generic"),
}

PLUGIN = "libicount.so"


def program(name: str) -> Path:
    """A program that `prepare` made, of the sources as they are."""
    path = _folder() / name
    if not path.exists():
        raise MissingError(f"{path} is not there, or it is of other sources. Run: make boards")
    return path


def prepare() -> Path:
    """All of them, compiled where their sources have changed."""
    return made_once(_folder(), _compile)


def sources() -> list[Path]:
    """The C of the engine: all that needs no Python and is no program of its own."""
    texts = {path: path.read_text() for path in sorted(NATIVE.glob("*.c"))}
    return [path for path, text in texts.items() if not _is_of_python(path, text) and "int main(" not in text]


def _is_of_python(path: Path, text: str) -> bool:
    return path.name.startswith("binding") or "Python.h" in text


def _folder() -> Path:
    own = [HERE / name for name in ("programs.py", "hear.c", "icount.c")]
    made_of = b"".join(path.read_bytes() for path in own) + wheels.digest().encode()
    return boards_folder() / f"programs-{hashlib.sha256(made_of).hexdigest()[:12]}"


def _compile(folder: Path) -> None:
    settings = tomllib.loads((wheels.RUNTIME / "pyproject.toml").read_text())
    (extension,) = settings["tool"]["setuptools"]["ext-modules"]
    flags = [flag for flag in extension["extra-compile-args"] if flag != "-fvisibility=hidden"]
    for name, machine in TARGETS.items():
        # open files and aligned memory are POSIX, which -std=c99 alone leaves out
        files = ["-D_GNU_SOURCE", f"-I{NATIVE}", str(HERE / "hear.c"), *map(str, sources()), "-lm"]
        _zig(*machine, "-s", *flags, *files, "-o", str(folder / name))
    _zig("-O2", "-shared", "-fPIC", "-s", str(HERE / "icount.c"), "-o", str(folder / PLUGIN))


def _zig(*arguments: str) -> None:
    if not PYTHON.exists():
        raise MissingError(f"{PYTHON} is not there, which has the compiler of the wheels. Run: make wheels")
    answer = subprocess.run([PYTHON, "-m", "ziglang", "cc", *arguments], capture_output=True, text=True, check=False)
    if answer.returncode:
        said = next((line for line in answer.stderr.splitlines() if "error" in line), answer.stderr.strip())
        raise MissingError(f"{Path(arguments[-1]).name} cannot be compiled: {said}")
