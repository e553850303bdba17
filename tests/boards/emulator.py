"""Runs a program on an emulated board: its processor, its memory, its files."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from . import profiles, roots, sites
from .board import Board, Processor
from .cache import boards_folder, made_once
from .missing import MissingError

HERE = Path(__file__).parent
GUEST = HERE / "guest"
TIMEOUT_S = 600


@dataclass(frozen=True)
class Answer:
    """What a program left behind."""

    out: bytes
    err: str
    code: int

    @property
    def signal(self) -> str | None:
        """What ended it, such as SIGILL for an instruction that the board does not have."""
        return signal.Signals(-self.code).name if self.code < 0 else None


@dataclass(frozen=True)
class Emulator:
    """One board, ready to run."""

    board: Board
    prefix: Path
    paths: tuple[Path, ...]
    """Where its Python finds packages."""

    def on(self, processor: Processor) -> Emulator:
        """The same system on another processor."""
        return replace(self, board=replace(self.board, processor=processor))

    def python(self, *arguments: str | Path, stdin: bytes = b"", plugin: str | None = None) -> Answer:
        """Run the board's Python."""
        return self.run(self.prefix / "usr/bin/python3.11", *arguments, stdin=stdin, plugin=plugin)

    def run(self, program: Path, *arguments: str | Path, stdin: bytes = b"", plugin: str | None = None) -> Answer:
        """Run a program of the board's; `plugin` is QEMU's option of that name."""
        options = ["-L", str(self.prefix), "-cpu", self.board.processor.qemu]
        if self.board.is_64_bit and self.board.memory_mb <= 1024:
            options += ["-R", hex(self.board.memory_mb << 20)]  # the most that the guest can map
        if plugin is not None:
            options += ["-plugin", plugin]
        answer = subprocess.run(
            [self.board.emulator, *options, program, *arguments],
            input=stdin,
            capture_output=True,
            env=self._environment(),
            cwd=self.prefix,  # not the checkout, whose packages `python -m` would find before those of the wheel
            timeout=TIMEOUT_S,
            preexec_fn=_without_core_files,
            check=False,
        )
        return Answer(answer.stdout, answer.stderr.decode(errors="replace"), answer.returncode)

    def _environment(self) -> dict[str, str]:
        """The same everywhere: its size alone shifts what a program counts."""
        return {
            "PYTHONPATH": os.pathsep.join(map(str, self.paths)),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "LANG": "C.UTF-8",
            "HOME": "/nonexistent",
        }


def _without_core_files() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def emulator(board: Board) -> Emulator:
    """The board as `make boards` left it; MissingError says what is not there."""
    if shutil.which(board.emulator) is None:
        raise MissingError(f"{board.emulator} was not found. Run: make boards, or sudo apt-get install qemu-user")
    paths = (sites.runtime(board.architecture), sites.packages(board.architecture))
    prefix = _profile(board, roots.root(board.architecture))
    for path in (prefix, *paths):
        if not path.exists():
            raise MissingError(f"{path} is not there, or it is of other sources. Run: make boards")
    return Emulator(board, prefix, paths)


def prepare(board: Board) -> Emulator:
    """The board, made where it is not there."""
    root = roots.root(board.architecture)
    made_once(_profile(board, root), lambda folder: profiles.write(board, root, folder))
    return emulator(board)


def _profile(board: Board, root: Path) -> Path:
    made_of = f"{root} {board} {(HERE / 'profiles.py').read_text()}"
    return boards_folder() / f"profile_{board.key}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"


def install(program: str, package: str) -> None:
    """Debian's package of a program, where it is not there and may be installed."""
    if shutil.which(program):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingError(f"{program} was not found, and only root can install it: sudo apt-get install {package}")
    for arguments in (("update",), ("install", "-y", "--no-install-recommends", package)):
        answer = subprocess.run(["apt-get", "-qq", *arguments], capture_output=True, text=True, check=False)
        if answer.returncode:
            said = (answer.stderr.strip().splitlines() or ["nothing"])[-1]
            raise MissingError(f"{package} could not be installed: {said}")
