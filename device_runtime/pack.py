"""A bundle with nothing but what one engine needs: what goes on a small board, or over the air."""

from __future__ import annotations

import shutil
from pathlib import Path

from device_runtime import bundle, engines
from device_runtime.errors import BundleError, EngineError, InputError
from device_runtime.manifest import Manifest
from device_runtime.meant import meant


def pack(source: Path | str, target: Path | str, engine: str = engines.REFERENCE) -> Manifest:
    """Copy a verified bundle, leaving out the other engines' files and the golden frames; return its manifest.

    A pack for the native engine also holds model.native, which a program without Python reads. model.npz is in every
    pack, byte for byte: the reference engine can always take over. The model card keeps its data and licences; how each
    stage was measured stays in the whole bundle.
    """
    opened = bundle.read(source)
    if Path(target).resolve() == Path(source).resolve():
        raise InputError(f"{target} is the bundle itself, which packing would cut down. Name another folder")
    if Path(source).resolve() in Path(target).resolve().parents:
        raise InputError(f"{target} lies in the bundle itself, which holds its own files alone. Name another folder")
    if engine not in engines.ENGINES:
        near = meant(engine, engines.ENGINES)
        raise EngineError(f"there is no engine {engine!r}{near}. Choose one of: {', '.join(engines.ENGINES)}")
    choice = engines.ENGINES[engine]
    needed = choice.file
    if needed not in opened.manifest.files:
        raise BundleError(f"{source} has no {needed}, which the engine {engine} reads. Choose another engine")

    def write_files(folder: Path) -> None:
        for name in {bundle.MODEL, needed}:
            shutil.copyfile(opened.folder / name, folder / name)
        for name, make in choice.packed.items():
            (folder / name).write_bytes(make(opened))

    return bundle.write(target, opened.manifest.for_device(), opened.model, write_files, compact=True)
