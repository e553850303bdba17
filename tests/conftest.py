"""What all tests share. Imports nothing but pytest, so that the device's tests run where torch is not installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is there: sums over two threads round otherwise


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real recordings and series; skips where there is none."""
    named = os.environ.get("TINYRNN_DATA")
    if not named:
        pytest.skip("needs real recordings: set TINYRNN_DATA to the folder that holds speech/ and series/")
    return Path(named)


@pytest.fixture(scope="session")
def on_board() -> Any:
    """A function from a board's key to its emulator; skips where the board is not prepared."""
    from boards import emulator, missing  # only tests of boards need the workstation's packages
    from boards.board import BOARDS

    def ready(key: str) -> Any:
        try:
            return emulator.emulator(BOARDS[key])
        except missing.MissingError as error:
            pytest.skip(str(error))

    return ready
