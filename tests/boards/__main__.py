"""Prepares all boards, where they are not there yet: `make boards`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from . import emulator, programs, roots, sites
from .board import BOARDS
from .cache import boards_folder
from .missing import MissingError


def main() -> int:
    """One line for each thing; 1 where something is missing."""
    start = time.monotonic()

    def tell(made: Path) -> None:
        print(f"{time.monotonic() - start:5.0f} s  {made.name}", flush=True)

    try:
        emulator.install("qemu-aarch64", "qemu-user")
        tell(programs.prepare())
        for architecture in dict.fromkeys(board.architecture for board in BOARDS.values()):
            tell(roots.prepare(architecture))
            tell(sites.prepare_packages(architecture))
            tell(sites.prepare_runtime(architecture))
        for board in BOARDS.values():
            tell(emulator.prepare(board).prefix)
    except MissingError as missing:
        print(f"boards: {missing}", file=sys.stderr)
        return 1
    print(f"The boards are in {boards_folder()}. Their tests: pytest tests/test_boards_*.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
