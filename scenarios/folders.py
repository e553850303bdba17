"""Folders that results go to, made before anything takes long."""

from __future__ import annotations

from pathlib import Path

from device_runtime.errors import InputError


def make(folder: Path, what: str, option: str) -> None:
    """Make a folder, and those above it; InputError names the option that says where it goes."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{what} {folder} cannot be made: {error.strerror}. Expected a folder that can be written to, "
            f"correct {option}"
        ) from error
