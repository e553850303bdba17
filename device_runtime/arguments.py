"""Arguments of the command line: errors in one line, near names suggested, examples below each help."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, NoReturn

from device_runtime.errors import InputError

MAX_SEED = 2**32 - 1


class Parser(argparse.ArgumentParser):
    """Argument errors in one line, like all others; an epilog is printed as it is written."""

    def __init__(self, **settings: Any):
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, **settings})

    def error(self, message: str) -> NoReturn:
        """Raise what the command line prints."""
        raise InputError(f"{message}. See: {self.prog} --help")


def examples(*commands: str) -> str:
    """The end of a verb's help.

    >>> examples("info demo.bundle", "arecord -r 16000 | run demo.bundle -").splitlines()
    ['examples:', '  tinyrnn info demo.bundle', '  arecord -r 16000 | tinyrnn run demo.bundle -']
    """
    return "\n".join(["examples:", *(f"  {_command(command)}" for command in commands)])


def _command(command: str) -> str:
    first, pipe, then = command.rpartition("| ")
    return f"{first}{pipe}tinyrnn {then}"


def threshold(text: str) -> tuple[str, float]:
    """A word and its threshold.

    >>> threshold("zoom in=0.7")
    ('zoom in', 0.7)
    """
    word, _, value = text.rpartition("=")
    try:
        if word:
            return word, float(value)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected WORD=0.7, got {text!r}")


def given(text: str) -> str:
    """What is not empty: an empty text is a variable of the shell that was never set.

    >>> given("sensor.csv")
    'sensor.csv'
    """
    if text.strip():
        return text
    raise argparse.ArgumentTypeError("got an empty text. Is a variable of your shell not set?")


def given_path(text: str) -> Path:
    """The same as a path."""
    return Path(given(text))


def seed(text: str) -> int:
    """A number that all generators of random numbers take.

    >>> seed("7")
    7
    """
    if re.fullmatch(r"[0-9]{1,10}", text) and int(text) <= MAX_SEED:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {MAX_SEED}, got {text[:40]!r}")
