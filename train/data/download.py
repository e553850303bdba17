"""Finds a data set on this machine, or fetches the official archive once: resumed, verified, unpacked safely.

Looked for in `--data DIR`, in `TINYRNN_DATA`, then in the cache folder; the folder may be the data set itself, or hold
it as NAME, speech/NAME or series/NAME.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import http
import http.client
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from device_runtime.errors import InputError
from train.data.cache import CACHE_VARIABLE, cache_folder

DATA_VARIABLE = "TINYRNN_DATA"
BLOCK_BYTES = 1 << 20
TIMEOUT_S = 30
ATTEMPTS = 3
"""Of one transfer that breaks off; each goes on where the last one stopped."""

_BROKEN = (http.client.HTTPException, TimeoutError, ConnectionError)


@dataclass(frozen=True)
class Archive:
    """A .tar.gz at its official home."""

    url: str
    sha256: str = ""
    """Empty where none can be known: an archive that is packed anew for each release of the site."""

    files: tuple[tuple[str, str], ...] = ()
    """(path in the data set, SHA-256) of what is verified in its place, once it is unpacked."""


def find(
    name: str, holds: Callable[[Path], bool], archive: Archive | None, homepage: str, data: Path | None = None
) -> Path:
    """The folder of the data set `name`, as told by `holds`; fetched into the cache folder if it is nowhere."""
    named = [data] if data is not None else [Path(os.environ[DATA_VARIABLE])] if os.environ.get(DATA_VARIABLE) else []
    for root in named:
        if not root.expanduser().is_dir():
            raise InputError(f"there is no data folder {root}. Correct --data or {DATA_VARIABLE}.")
    for root in [*(root.expanduser() for root in named), cache_folder() / "data"]:
        short = name.rsplit("/", 1)[-1]
        for folder in (root / "speech" / name, root / "series" / name, root / name, root / short, root):
            if folder.is_dir() and holds(folder):
                return folder
        if data is not None:
            raise InputError(
                f"{root} does not hold {name}. Expected {name}, speech/{name} or series/{name} in it: see {homepage}"
            )
    if archive is None:
        raise InputError(
            f"{name} is not on this machine. Get it from {homepage} and name its folder in {DATA_VARIABLE}."
        )
    return fetch(name, holds, archive)


def fetch(name: str, holds: Callable[[Path], bool], archive: Archive) -> Path:
    """Download, verify, unpack, and only then give the data set its name."""
    folder = cache_folder() / "data" / name
    packed = cache_folder() / "downloads" / f"{name.replace('/', '-')}.tar.gz"
    with _room_for(folder):
        packed.parent.mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(packed.with_suffix(".lock")):
            if not holds(folder):  # another process may have fetched it meanwhile
                _download(archive, packed, folder)
                _unpack(archive, packed, folder, holds)
                packed.unlink()
    return folder


def _download(archive: Archive, packed: Path, folder: Path) -> None:
    partial = packed.with_suffix(".partial")
    if not packed.exists():
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _transfer(archive.url, partial)
                break
            except urllib.error.HTTPError as error:
                raise InputError(_do_it_yourself(archive, folder, f"answers {error.code} {error.reason}")) from error
            except (urllib.error.URLError, *_BROKEN) as error:
                if attempt == ATTEMPTS:
                    why = f"cannot be fetched ({getattr(error, 'reason', error)})"
                    raise InputError(_do_it_yourself(archive, folder, why)) from error
        partial.replace(packed)
    if archive.sha256 and (found := _sha256(packed)) != archive.sha256:
        packed.unlink()
        raise InputError(
            f"{archive.url} arrived with SHA-256 {found}, expected {archive.sha256}. "
            "It was damaged or altered on its way, and was removed: run the same command again."
        )


def _transfer(url: str, partial: Path) -> None:
    """Append to what is there already, if the server can; an error leaves what arrived so far."""
    there = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "tinyrnn"})
    if there:
        request.add_header("Range", f"bytes={there}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and there:
            error.close()
            if error.headers.get("Content-Range") == f"bytes */{there}":
                return  # it had all arrived
            partial.unlink()
            raise ConnectionError(f"{url} is shorter than what was kept of it") from error
        raise
    with answer, _progress() as bar:
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        length = answer.headers.get("Content-Length")
        start = there if resumed else 0
        total = start + int(length) if length else None
        task = bar.add_task(url.rsplit("/", 1)[-1], total=total, completed=start)
        with partial.open("ab" if resumed else "wb") as file:
            while block := answer.read(BLOCK_BYTES):
                file.write(block)
                bar.advance(task, len(block))
    arrived = partial.stat().st_size
    if total is not None and arrived != total:
        raise ConnectionError(f"it broke off after {arrived} of {total} bytes")


def _unpack(archive: Archive, packed: Path, folder: Path, holds: Callable[[Path], bool]) -> None:
    """Into a sibling folder first: a data set that has its name is whole."""
    staging = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    try:
        with tarfile.open(packed) as tar:
            tar.extractall(staging, filter="data")  # refuses paths that lead out of the folder
        folders = [staging, *sorted(staging.glob("*/")), *sorted(staging.glob("*/*/"))]
        found = next((path for path in folders if holds(path)), None)
        if found is None:
            raise InputError(
                f"{archive.url} unpacks, but does not hold the data set in its published layout. "
                "It may have moved: look for it at the address, and name its folder in " + DATA_VARIABLE + "."
            )
        _verify(archive, packed, found)
        shutil.rmtree(folder, ignore_errors=True)
        found.replace(folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        packed.unlink()
        raise InputError(
            f"{archive.url} is not an archive that can be unpacked safely: {error}. It was removed: try again."
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _verify(archive: Archive, packed: Path, folder: Path) -> None:
    for name, expected in archive.files:
        path = folder / name
        arrived = _sha256(path) if path.is_file() else "none"
        if arrived != expected:
            packed.unlink()
            raise InputError(
                f"{archive.url} arrived with SHA-256 {arrived} of {name}, expected {expected}. It was altered, "
                f"and was removed: look for the data set elsewhere, and name its folder in {DATA_VARIABLE}."
            )


def _do_it_yourself(archive: Archive, folder: Path, why: str) -> str:
    return (
        f"{archive.url} {why}. Run the same command again to go on where it stopped; or get the archive elsewhere, "
        f"unpack it to {folder}, or name the folder that holds it in {DATA_VARIABLE}."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One process of a parallel training fetches; the others wait, and then find it."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _room_for(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(
            f"there is no space left for {folder.name} in {cache_folder()}. What arrived is kept: make room and run "
            f"the same command again, or choose another folder with {CACHE_VARIABLE}."
        ) from error
