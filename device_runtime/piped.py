"""What `-` stands for: standard input, where something is piped into it."""

from __future__ import annotations

import sys
from io import BufferedIOBase
from typing import cast

from device_runtime.errors import InputError


def standard_input(what: str, use: str) -> BufferedIOBase:
    """The bytes of the pipe; InputError with an example of its use where there is none."""
    why = None
    if sys.stdin is None:  # `<&-`, or a service that was given none
        why = "is closed"
    elif sys.stdin.isatty():
        why = "is the terminal"
    if why is not None:
        raise InputError(f"- reads {what} from a pipe, but standard input {why}. Use: {use}")
    return cast(BufferedIOBase, sys.stdin.buffer)
