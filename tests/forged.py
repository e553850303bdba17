"""Bundles changed as an attacker would: the manifest says what is there, and it is not what was written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def change_manifest(folder: Path, **fields: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def forge(folder: Path, name: str, data: bytes) -> None:
    """Replace a file and its hash, as an attacker would."""
    (folder / name).write_bytes(data)
    files = json.loads((folder / "manifest.json").read_text())["files"]
    change_manifest(folder, files={**files, name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}})
