"""How far a long command is, for a person who waits at a terminal; nothing where nobody does."""

from __future__ import annotations

import sys
from collections.abc import Callable

EVERY = 10


def progress(what: str) -> Callable[[int, int], None]:
    """A function that is told how much of how much is done, and shows it on stderr."""

    def show(done: int, total: int) -> None:
        if sys.stderr.isatty() and (done % EVERY == 0 or done == total):
            sys.stderr.write(f"\r{what}: {done} of {total}" + "\n" * (done == total))
            sys.stderr.flush()

    return show
