"""Folders that results go to: whether they can be there is known before anything takes long."""

from __future__ import annotations

import os
from pathlib import Path

from device_runtime.errors import InputError


def check(folder: Path, what: str, option: str) -> None:
    """InputError, which names the option that says where a folder goes, if it cannot be made; nothing is written."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not nearest.is_dir():
        why = f"{nearest} is a file"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        why = f"{nearest} cannot be written to"
    else:
        return
    raise InputError(
        f"{what} {folder} cannot be made: {why}. Expected a folder that can be written to, correct {option}"
    )
