"""Where the boards are kept between runs: under the project's own cache."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from train.data.cache import cache_folder


def boards_folder() -> Path:
    """`boards` in TINYRNN_CACHE, else in the user's cache."""
    return cache_folder() / "boards"


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made whole or not at all; its name must say what it is made of. Older ones of its kind go.

    `folder.name` is KIND-DIGEST.
    """
    if not folder.exists():
        unfinished = folder.with_name(f".unfinished-{folder.name}")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make(unfinished)
        kind = folder.name.rpartition("-")[0]
        for older in folder.parent.glob(f"{kind}-*"):
            if older.name.rpartition("-")[0] == kind:
                shutil.rmtree(older)
        unfinished.rename(folder)
    return folder
