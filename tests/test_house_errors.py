"""Each message with which the runtime refuses something is in a test, word for word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HOUSE = Path(__file__).parent.parent
ERRORS = ("TinyRnnError", "InputError", "BundleError", "EngineError", "PromiseError")
STRETCH = 16
"""So many characters of a message in a row must be in a test: no other message has them by chance."""


def texts(node: ast.AST) -> list[str]:
    """The strings in a piece of code; the parts of an f-string between its values."""
    constants = (inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant))
    return [value for value in constants if isinstance(value, str)]


def messages() -> Iterator[tuple[str, list[str]]]:
    """Where each of the runtime's errors is made, and what it says."""
    everywhere = (HOUSE / "device_runtime").rglob("*.py")
    for path in sorted(path for path in everywhere if "build" not in path.parts):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS:
                yield f"{path.relative_to(HOUSE)}:{node.lineno}", texts(node)


def strings_of_tests() -> str:
    """All strings of all tests, regular expressions without their backslashes."""
    own = Path(__file__).name
    parsed = [ast.parse(p.read_text(encoding="utf-8")) for p in (HOUSE / "tests").glob("*.py") if p.name != own]
    return re.sub(r"\\(\W)", r"\1", "\n".join(text for tree in parsed for text in texts(tree)))


def stretches(said: list[str]) -> Iterator[str]:
    """Every stretch of the message's parts; the longest part where all are short, as in "{name} must be {kind}"."""
    length = min(STRETCH, max(map(len, said), default=0))
    return (part[at : at + length] for part in said for at in range(len(part) - length + 1))


def test_every_message_of_the_runtime_is_in_a_test():
    found, in_tests = list(messages()), strings_of_tests()
    assert len(found) > 60
    untested = [
        f"{where} says {' … '.join(said)!r}"
        for where, said in found
        if not any(stretch in in_tests for stretch in stretches(said))
    ]
    assert not untested, "\n".join(["no test matches the text of", *untested])


def test_a_part_of_a_message_that_says_something_else_is_no_match():
    assert not any(stretch in "there is no engine 'onyx'" for stretch in stretches(["there is no folder "]))
    assert list(stretches([" must be ", ", got "])) == [" must be "]
