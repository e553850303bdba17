"""The one file of an adventure game that was given away: what it holds, and which line each recording says.

The layout, all big-endian, is that of ScummVM's engine `queen`: the mark QTBL, a version, then for each file a name of
12 bytes, a byte, an offset and a size. A dialogue is an AMOS data bank: a header that tells where Joe's lines and the
other person's are, then records of an id and a text whose parts, each recorded on its own, are split by codes
such as "*02".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from device_runtime.errors import InputError

MARK = b"QTBL"
_COUNT_AT = 13
_ENTRY = struct.Struct(">12sBII")
_BANK = 20
"""Bytes before a dialogue's own header."""

_LEVEL_BYTES = 96
_FIRST_LINE = 32
_CODE = re.compile(r"\*\w\w")


@dataclass(frozen=True)
class Line:
    """One recording of a dialogue."""

    name: str
    """Of its file in the archive, such as 200008J1.SB."""

    text: str
    scene: str
    """The dialogue: a person and a number, such as FAYE4."""

    by_joe: bool
    """Else by the person of the scene."""


def files(archive: bytes, path: Path) -> dict[str, tuple[int, int]]:
    """First byte and byte count of every file in an archive; the path is for complaints."""
    if archive[: len(MARK)] != MARK or len(archive) < _COUNT_AT + 2:
        raise InputError(
            f"{path} does not begin with {MARK.decode()}: expected queen.1c as rebuilt by ScummVM's tools. "
            "Install the package flight-of-the-amazon-queen again."
        )
    (count,) = struct.unpack_from(">H", archive, _COUNT_AT)
    table = archive[_COUNT_AT + 2 : _COUNT_AT + 2 + count * _ENTRY.size]
    if len(table) < count * _ENTRY.size:
        raise InputError(f"{path} ends within its table of {count} files: it is cut off. Get it again.")
    found = {}
    for name, _, first, size in _ENTRY.iter_unpack(table):
        if first + size > len(archive):
            raise InputError(f"{path} has {len(archive):,} bytes but lists one at {first + size:,}. Get it again.")
        found[name.rstrip(b"\0").decode("latin-1")] = first, size
    return found


def lines(archive: bytes, path: Path) -> list[Line]:
    """Every line of a dialogue that was recorded and whose text is known, in the order of names."""
    listed = files(archive, path)
    said: dict[str, Line] = {}
    for name, (first, size) in listed.items():
        scene, _, kind = name.partition(".")
        if kind == "DOG":
            try:
                said |= {line.name: line for line in _dialogue(archive[first + _BANK : first + size], scene)}
            except (struct.error, IndexError) as error:
                raise InputError(f"{path}: the dialogue {name} ends too early. Get the file again.") from error
    return [said[name] for name in sorted(said.keys() & listed.keys())]


def _dialogue(bank: bytes, scene: str) -> Iterator[Line]:
    header = struct.unpack_from(">12h", bank)
    levels, key, by_joe, by_person, person_at = abs(header[0]), header[2], header[3], header[4], header[11]
    for letter, at, count in (("J", _FIRST_LINE + levels * _LEVEL_BYTES, by_joe), ("P", person_at, by_person)):
        for _ in range(count):
            (identity,) = struct.unpack_from(">H", bank, at + 2)
            size = bank[at + 4]
            text = bank[at + 5 : at + 5 + size].decode("latin-1")
            at += 5 + size
            at += -at % 4
            for number, part in enumerate(_CODE.split(text), 1):
                if part.strip():
                    yield Line(f"{key:02d}{identity:04X}{letter}{number:X}.SB", part, scene, letter == "J")
