"""Prepares all boards, where they are not there yet: `make boards`."""

from __future__ import annotations

import sys
import time

from . import emulator, roots, sites
from .board import BOARDS
from .cache import boards_folder
from .missing import MissingError


def main() -> int:
    """One line for each thing; 1 where something is missing."""
    start = time.monotonic()
    try:
        emulator.prepare_qemu()
        for architecture in dict.fromkeys(board.architecture for board in BOARDS.values()):
            for prepare in (roots.prepare, sites.prepare_packages, sites.prepare_runtime):
                print(f"{time.monotonic() - start:5.0f} s  {prepare(architecture).name}", flush=True)
        for board in BOARDS.values():
            print(f"{time.monotonic() - start:5.0f} s  {emulator.prepare(board).prefix.name}", flush=True)
    except MissingError as missing:
        print(f"boards: {missing}", file=sys.stderr)
        return 1
    print(f"The boards are in {boards_folder()}. Their tests: pytest tests/test_boards_*.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
