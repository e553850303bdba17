"""Python packages for a board, unpacked by this machine's pip; each folder goes into a guest's PYTHONPATH."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

from device_runtime.native import wheels

from .cache import boards_folder, made_once
from .missing import MissingError
from .roots import PYTHON

HOUSE = Path(__file__).parents[2]
ENGINES = {
    "arm64": ("numpy", "onnxruntime", "ai-edge-litert", "pymicro-features"),
    "armhf": ("tflite-runtime",),  # with Debian's NumPy 1.24: it cannot use NumPy 2
    "armel": (),
}
"""From PyPI, in the versions of constraints.txt."""

PLATFORMS = {
    "arm64": (*(f"manylinux_2_{minor}_aarch64" for minor in (36, 34, 31, 28, 27, 24, 17)), "manylinux2014_aarch64"),
    "armhf": ("manylinux_2_34_armv7l", "manylinux_2_17_armv7l"),
    "armel": ("linux_armv6l",),
}
"""That a board of this architecture takes wheels for, with Debian's glibc 2.36."""


def packages(architecture: str) -> Path:
    """The folder of the engines' packages."""
    pins = _pins(ENGINES[architecture])
    return boards_folder() / f"packages_{architecture}-{_digest(pins + PLATFORMS[architecture])}"


def prepare_packages(architecture: str) -> Path:
    """The same, filled by pip."""
    pins = _pins(ENGINES[architecture])
    only = () if architecture == "arm64" else ("--no-deps",)  # their NumPy is Debian's

    def make(folder: Path) -> None:
        if pins:
            _pip(architecture, folder, *only, "-c", str(HOUSE / "constraints.txt"), *pins)

    return made_once(packages(architecture), make)


def runtime(architecture: str) -> Path:
    """The folder of the runtime as its wheel installs it, of the sources as they are."""
    return boards_folder() / f"runtime_{architecture}-{wheels.digest()[:12]}"


def prepare_runtime(architecture: str) -> Path:
    """The same, installed from the wheel in dist/."""
    if not wheels.is_built():
        raise MissingError(f"{wheels.DIST} has no wheels of these sources. Run: make wheels")

    def make(folder: Path) -> None:
        _pip(architecture, folder, "--no-deps", "--no-index", "--find-links", str(wheels.DIST), "tinyrnn-runtime")
        if architecture == "armel":
            # The wheel's extension passes floats in registers; the only system for ARMv6 that Debian has does not.
            (folder / wheels.EXTENSION).unlink()

    return made_once(runtime(architecture), make)


def _pip(architecture: str, folder: Path, *what: str) -> None:
    tags = [f"--platform={platform}" for platform in PLATFORMS[architecture]]
    tags += ["--implementation=cp", f"--python-version={PYTHON[0]}{PYTHON[1]}", "--only-binary=:all:"]
    tags += [f"--abi={abi}" for abi in (f"cp{PYTHON[0]}{PYTHON[1]}", "abi3", "none")]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), *tags, *what]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        said = (answer.stderr.strip().splitlines() or ["nothing"])[-1]
        raise MissingError(f"pip could not get {' '.join(what)} for {architecture}: {said}")


def _pins(names: tuple[str, ...]) -> tuple[str, ...]:
    text = (HOUSE / "constraints.txt").read_text()
    return tuple(re.search(rf"^{name}==\S+", text, re.MULTILINE)[0] for name in names)  # type: ignore[index]


def _digest(parts: tuple[str, ...]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
