"""A JSON object whose values are asked for by type; a wrong one is a BundleError that names it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from device_runtime.errors import BundleError

MAX_ITEMS = 1_000
MAX_DEPTH = 8
"""Of lists and objects in one another."""


class Fields:
    """Typed access to parsed JSON that may come from anyone.

    >>> Fields("manifest.json", "", {"hop_ms": 10}).integer("hop_ms", 1, 1000)
    10
    """

    def __init__(self, where: str, path: str, values: Any) -> None:
        self.where = where
        self.path = path
        if not isinstance(values, dict) or len(values) > MAX_ITEMS:
            what = path or "the whole file"
            raise BundleError(f"{where}: {what} must be an object of at most {MAX_ITEMS} fields, got {_short(values)}")
        self.values: Mapping[str, Any] = values

    def object(self, key: str) -> Fields:
        """The object at `key`."""
        return Fields(self.where, self._name(key), self._value(key))

    def objects(self, key: str) -> list[Fields]:
        """The list of objects at `key`."""
        return [Fields(self.where, f"{self._name(key)}[{i}]", item) for i, item in enumerate(self._list(key))]

    def text(self, key: str) -> str:
        """The printable, not empty text at `key`."""
        return self._text(self._name(key), self._value(key))

    def texts(self, key: str) -> list[str]:
        """The list of texts at `key`, at least one."""
        items = self._list(key)
        if not items:
            raise BundleError(f"{self.where}: {self._name(key)} must not be empty")
        return [self._text(f"{self._name(key)}[{i}]", item) for i, item in enumerate(items)]

    def choice(self, key: str, known: Sequence[str]) -> str:
        """The text at `key`, one of those known."""
        value = self._value(key)
        if value not in known:
            raise self._wrong(self._name(key), f"one of {', '.join(known)}", value)
        return str(value)

    def integer(self, key: str, low: int, high: int) -> int:
        """The whole number at `key`, low..high."""
        value = self._value(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._wrong(self._name(key), f"a whole number from {low} to {high}", value)
        return value

    def truth(self, key: str) -> bool:
        """The true or false at `key`."""
        value = self._value(key)
        if not isinstance(value, bool):
            raise self._wrong(self._name(key), "true or false", value)
        return value

    def number(self, key: str, low: float, high: float) -> float:
        """The number at `key`, low..high."""
        return self._number(self._name(key), self._value(key), low, high)

    def numbers(self, key: str, low: float, high: float) -> list[float]:
        """The list of numbers at `key`, each low..high."""
        return [self._number(f"{self._name(key)}[{i}]", item, low, high) for i, item in enumerate(self._list(key))]

    def check_depth_and_texts(self) -> None:
        """Whatever else is in here can be shown to a person: it is not nested too deeply, and all texts are printable.

        What a terminal takes as a command, such as an escape sequence, is not printable.
        """
        level: list[tuple[str, Any]] = [(self._name(key), value) for key, value in self.values.items()]
        texts = [(self.path, key) for key in self.values]
        for _ in range(MAX_DEPTH):
            texts += [(name, value) for name, value in level if isinstance(value, str)]
            texts += [(name, key) for name, value in level if isinstance(value, dict) for key in value]
            level = [(name, inner) for name, value in level for inner in _inside(value)]
        for name, text in texts:
            if not _is_printable(text):
                raise self._wrong(name, "printable text without control characters", text)
        if level:
            raise BundleError(
                f"{self.where}: {level[0][0]} is nested more than {MAX_DEPTH} levels deep. Get the bundle again"
            )

    def _value(self, key: str) -> Any:
        if key not in self.values:
            raise BundleError(f"{self.where} has no {self._name(key)}. Get the bundle again")
        return self.values[key]

    def _list(self, key: str) -> list[Any]:
        value = self._value(key)
        if not isinstance(value, list) or len(value) > MAX_ITEMS:
            raise self._wrong(self._name(key), f"a list of at most {MAX_ITEMS} items", value)
        return value

    def _text(self, name: str, value: Any) -> str:
        if not isinstance(value, str) or not _is_printable(value) or not 0 < len(value) <= 200:
            raise self._wrong(name, "1 to 200 printable characters", value)
        return value

    def _number(self, name: str, value: Any, low: float, high: float) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise self._wrong(name, f"a number from {low:g} to {high:g}", value)
        return value

    def _name(self, key: str) -> str:
        return f"{self.path}.{_plain(key)}" if self.path else _plain(key)

    def _wrong(self, name: str, expected: str, value: Any) -> BundleError:
        return BundleError(f"{self.where}: {name} must be {expected}, got {_short(value)}")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _is_printable(text: str) -> bool:
    return re.sub("[\u200c\u200d]", "", text).isprintable()  # joiners, which words in Persian or Hindi need


def _plain(key: str) -> str:
    return key if key.isprintable() and len(key) <= 40 else repr(key[:40])


def _short(value: Any) -> str:
    """A value in a message: never longer than a line."""
    text = repr(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    return text if len(text) <= 40 else f"{text[:37]}..."
