"""A whole 64-bit board, from its kernel on: QEMU's `virt` machine boots Debian's kernel into `tinyrnn check`.

The slowest and the truest: nothing of this machine's kernel takes part. `make machine`.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import roots, sites
from .board import Board
from .cache import boards_folder, made_once
from .missing import MissingError

HERE = Path(__file__).parent
ASKED_FOR_BY = "TINYRNN_MACHINE"
"""The environment variable without which nobody waits for it."""

META_PACKAGE = "linux-image-arm64"
TIMEOUT_S = 600
UNUSED = ("onnxruntime", "ai_edge_litert", "google", "flatbuffers", "__pycache__")
"""Left out of the memory that the machine boots from."""


def prepare(board: Board, bundle: Path) -> Path:
    """A folder with the kernel and with what it boots into."""
    apt = roots.Apt(board.architecture)
    apt.versions((META_PACKAGE,))
    (kernel,) = (name for name in apt.depends(META_PACKAGE) if name.startswith("linux-image-"))
    files = _tree(board, bundle)
    names = "\n".join([kernel, *(f"{name} {path}" for name, path in files.items()), (HERE / "machine.py").read_text()])

    def make(folder: Path) -> None:
        for package in apt.download((kernel,)):
            subprocess.run(["dpkg-deb", "-x", package, folder / "unpacked"], check=True)
            package.unlink()
        (image,) = (folder / "unpacked/boot").glob("vmlinuz-*")
        image.rename(folder / "kernel")
        shutil.rmtree(folder / "unpacked")
        with gzip.open(folder / "initramfs", "wb", compresslevel=1) as archive:
            for piece in cpio(files):
                archive.write(piece)

    return made_once(boards_folder() / f"machine-{hashlib.sha256(names.encode()).hexdigest()[:12]}", make)


def boot(board: Board, folder: Path) -> str:
    """What the machine says until it turns itself off."""
    options = ["-M", "virt", "-cpu", board.processor.qemu, "-m", f"{board.memory_mb}", "-smp", "1", "-nographic"]
    options += ["-kernel", str(folder / "kernel"), "-initrd", str(folder / "initramfs")]
    options += ["-append", "console=ttyAMA0 quiet panic=-1", "-no-reboot", "-nic", "none"]
    answer = subprocess.run(
        ["qemu-system-aarch64", *options], capture_output=True, stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False
    )
    if answer.returncode:
        said = (answer.stderr.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
        raise MissingError(f"qemu-system-aarch64 could not run: {said}")
    return answer.stdout.decode(errors="replace")


def _tree(board: Board, bundle: Path) -> dict[str, Path]:
    """Where in the machine each file of this one goes."""
    places = {
        "": roots.root(board.architecture),
        "packages": sites.packages(board.architecture),
        "runtime": sites.runtime(board.architecture),
        "demo.bundle": bundle,
    }
    files = {"init": HERE / "guest" / "init.py"}
    for place, folder in places.items():
        if not folder.exists():
            raise MissingError(f"{folder} is not there, or it is of other sources. Run: make boards")
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if inside.parts[0] not in UNUSED:
                files[str(Path(place) / inside)] = path
    return files


def cpio(files: dict[str, Path]) -> Iterator[bytes]:
    """The archive that a kernel unpacks when it boots, in the "newc" format."""
    folders = {str(parent) for name in files for parent in Path(name).parents} | {"dev", "proc"}
    for name in sorted(folders - {"."}):
        if name not in files:
            yield _member(name, 0o040755, b"")
    for name, path in files.items():
        if path.is_symlink():
            yield _member(name, 0o120777, str(path.readlink()).encode())
        elif path.is_dir():
            yield _member(name, 0o040755, b"")
        else:
            executable = name == "init" or path.stat().st_mode & 0o100
            yield _member(name, 0o100755 if executable else 0o100644, path.read_bytes())
    yield _member("TRAILER!!!", 0, b"")


def _member(name: str, mode: int, content: bytes) -> bytes:
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return header + bytes(-len(header) % 4) + content + bytes(-len(content) % 4)
