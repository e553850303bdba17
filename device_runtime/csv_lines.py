"""Lines of text from a file or a pipe, as they arrive, in bounded memory; what is no text is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BufferedIOBase

from device_runtime.errors import InputError

MAX_LINE_BYTES = 2**16
"""No line of readings is longer: a thousand columns of twenty digits are a third of it."""

BLOCK_BYTES = 2**18
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def line_batches(stream: BufferedIOBase, name: str) -> Iterator[list[str]]:
    """The lines that are there, batch by batch, without their ends; of a live pipe that is often a single one."""
    rest, count = b"", 0
    while block := stream.read1(BLOCK_BYTES):
        if not count and not rest:
            block = _start(block, name)
        # a line ends with \n, \r\n or \r; which of the last two a \r at the end is, the next block tells
        read = rest + block
        held = b"\r" if read.endswith(b"\r") else b""
        read = read.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        _check_text(read, name, count)
        *whole, rest = read.split(b"\n")
        for at, line in enumerate([*whole, rest], count + 1):
            if len(line) > MAX_LINE_BYTES:
                raise InputError(
                    f"{name}: line {at} is longer than {MAX_LINE_BYTES} bytes, so this is no log of sensors. "
                    "Expected CSV: a time and some numbers in each line"
                )
        rest += held
        count += len(whole)
        if whole:
            yield [_decoded(line) for line in whole]
    if rest:
        yield [_decoded(rest)]


def _start(block: bytes, name: str) -> bytes:
    if block.startswith(_UTF16):
        raise InputError(f"{name} is text in UTF-16. Save it as CSV in UTF-8")
    return block.removeprefix(b"\xef\xbb\xbf")


def _check_text(read: bytes, name: str, lines_before: int) -> None:
    found = _BINARY.search(read)
    if found:
        at = lines_before + read.count(b"\n", 0, found.start()) + 1
        raise InputError(
            f"{name} is no text: line {at} has the byte {found[0]!r}. Expected CSV: a time and some numbers in each "
            "line"
        )


def _decoded(line: bytes) -> str:
    line = line.removesuffix(b"\r")
    try:
        return line.decode()
    except UnicodeDecodeError:  # such as the degree sign of an old spreadsheet
        return line.decode("latin-1")
