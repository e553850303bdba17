"""Libraries of C and C++ that write to the terminal and have no setting for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what is written to the standard error stream meanwhile, in any language, off the terminal."""
    with contextlib.ExitStack() as undo:
        with contextlib.suppress(OSError):  # a service may run without a standard error to keep clean
            kept = os.dup(2)
            undo.callback(os.close, kept)
            undo.callback(os.dup2, kept, 2)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            undo.callback(os.close, nowhere)
            os.dup2(nowhere, 2)
        yield
