"""How far a comparison is: each of its tasks is named, then told how much of it is done."""

from __future__ import annotations

from collections.abc import Callable

Told = Callable[[str], Callable[[int, int], None]]
"""Names a task; gives what is told of how much of it is done."""
