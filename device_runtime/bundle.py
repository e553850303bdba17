"""A bundle: one folder with all that a device needs, verified when it is read and never half-written.

manifest.json (labels, settings, hashes, model card), model.npz (int8 weights), model.onnx, model.tflite, golden.npz
(frames with the exact answers). The manifest is written last and the folder renamed into place, so a folder that has a
manifest is complete.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_runtime import npz, squeeze, weights
from device_runtime.arithmetic import Model
from device_runtime.errors import BundleError
from device_runtime.manifest import MANIFEST, MAX_MANIFEST_BYTES, Manifest, from_json, to_json

MODEL = "model.npz"


@dataclass(frozen=True)
class Bundle:
    """A folder whose every file has been verified."""

    folder: Path
    manifest: Manifest
    model: Model

    @property
    def manifest_bytes(self) -> int:
        """Of manifest.json, which cannot tell its own size."""
        return (self.folder / MANIFEST).stat().st_size

    @property
    def size_bytes(self) -> int:
        """Of the whole folder."""
        return self.manifest_bytes + sum(int(entry["bytes"]) for entry in self.manifest.files.values())

    @property
    def device_bytes(self) -> int:
        """Of what `tinyrnn pack` writes for the reference engine, to the byte: the size that a budget limits."""
        file = {key: self.manifest.files[MODEL][key] for key in ("sha256", "bytes")}
        packed = _complete(self.manifest.for_device(), self.model, {MODEL: file})
        return len(to_json(packed, compact=True)) + int(file["bytes"])


def read(folder: Path | str) -> Bundle:
    """Open a bundle that may come from anyone; sizes, hashes and shapes are checked before memory is taken."""
    folder = Path(folder)
    manifest = read_manifest(folder)
    if MODEL not in manifest.files:
        raise BundleError(f"{folder / MANIFEST} lists no {MODEL}, which holds the weights. Get the bundle again")
    contents = {name: _verified(folder / name, entry) for name, entry in manifest.files.items()}
    where = str(folder / MODEL)
    arrays = squeeze.restore(npz.read(contents[MODEL], where), where)
    model = weights.build(manifest.model, arrays, len(manifest.labels), where)
    return Bundle(folder, manifest, model)


def read_manifest(folder: Path) -> Manifest:
    """The checked manifest alone."""
    path = folder / MANIFEST
    data = _read_start(path, MAX_MANIFEST_BYTES + 1)
    if data is None and not folder.exists():
        raise BundleError(f"there is no folder {folder}. Check the path, or make a bundle with: tinyrnn build SCENARIO")
    if data is None and not folder.is_dir():
        raise BundleError(
            f"{folder} is a file, a bundle is a folder. Unpack it if it is an archive; the bundle comes first: "
            "tinyrnn run BUNDLE SOURCE"
        )
    if data is None:
        raise BundleError(
            f"{folder} is not a bundle: it has no {MANIFEST}. Make one with: tinyrnn build SCENARIO, or check the path"
        )
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleError(f"{path} is larger than {MAX_MANIFEST_BYTES} bytes, so it is no manifest")
    return from_json(data, str(path))


def _verified(path: Path, entry: dict[str, Any]) -> bytes:
    data = _read_start(path, entry["bytes"] + 1)
    if data is None:
        raise BundleError(f"{path} is missing, but the manifest lists it. Get the bundle again")
    if len(data) != entry["bytes"]:
        has = f"{len(data)} bytes" if len(data) < entry["bytes"] else "more bytes"
        raise BundleError(f"{path} has {has}, but the manifest says {entry['bytes']}. Get the bundle again")
    if hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise BundleError(f"{path} was altered: its SHA-256 is not the manifest's. Get the bundle again")
    return data


def _read_start(path: Path, count: int) -> bytes | None:
    """At most so many bytes of a file, None if there is none."""
    try:
        if not path.is_file():  # also true of pipes and devices, which would never end
            return None
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}. Check the path and its permissions") from None


def write(
    folder: Path | str,
    manifest: Manifest,
    model: Model,
    write_files: Callable[[Path], None],
    *,
    compact: bool = False,
) -> Manifest:
    """Make a bundle in one stroke: it is complete at `folder`, or nothing has changed.

    `write_files` puts the other files (model.onnx, model.tflite, golden.npz) into the folder that it is given. The
    manifest's `model` and `files` are filled in here. A bundle that is already there is replaced.
    `compact` makes manifest.json as short as it can be.
    """
    folder = Path(folder).resolve()
    _check_replaceable(folder)
    with _temporary_sibling(folder) as temporary:
        arrays = weights.arrays(model)
        npz.write(temporary / MODEL, squeeze.squeeze(arrays) if manifest.format > 1 else arrays)
        write_files(temporary)
        files = {path.name: _describe_file(path) for path in sorted(temporary.iterdir())}
        complete = _complete(manifest, model, files)
        (temporary / MANIFEST).write_bytes(to_json(complete, compact))
        read(temporary)  # what could not be opened again must not replace anything
        _rename_into_place(temporary, folder)
    return complete


def _complete(manifest: Manifest, model: Model, files: dict[str, dict[str, Any]]) -> Manifest:
    return dataclasses.replace(manifest, model=weights.describe(model), files=files)


def _check_replaceable(folder: Path) -> None:
    """Refuse to delete what this module did not write."""
    if not folder.exists():
        return
    if folder.is_dir():
        names = {path.name for path in folder.iterdir()}
        with contextlib.suppress(BundleError):
            if names <= {MANIFEST, *(read_manifest(folder).files if names else ())}:
                return
    raise BundleError(f"{folder} exists and is not a bundle, or holds other files. Give another folder or move it away")


@contextlib.contextmanager
def _temporary_sibling(folder: Path) -> Iterator[Path]:
    """A folder beside `folder`, on the same disk; gone afterwards, whatever happened."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        temporary.mkdir(parents=True)
        yield temporary
    except OSError as error:
        reason = error.strerror or str(error)
        raise BundleError(
            f"{folder} was not written: {reason}. Make room or give another folder; nothing has changed there"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _describe_file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = file.read()
        os.fsync(file.fileno())  # some disks report that they are full only here
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _rename_into_place(temporary: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    try:
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)  # the new one did not get there
        shutil.rmtree(old, ignore_errors=True)
