"""Frozen dataclasses to plain JSON values and back, by their type hints."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any, TypeVar

import numpy as np

from device_runtime.errors import InputError

T = TypeVar("T")


def to_plain(value: Any) -> Any:
    """Dataclasses become dicts, sequences and arrays lists, NumPy numbers Python's; NaN and infinity become None."""
    if dataclasses.is_dataclass(value):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return to_plain(value.tolist())
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def from_plain(kind: type[T], value: Any) -> T:
    """An object of the dataclass `kind` from plain values; InputError names the value that does not fit."""
    made: T = _read(kind, value, "report")
    return made


def _read(kind: Any, value: Any, path: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, path)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):  # only X | None is used
        return None if value is None else _read(arguments[0], value, path)
    if origin is dict:
        _expect(dict, value, path)
        return {key: _read(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    if origin is tuple:
        _expect(list, value, path)
        if arguments[-1] is Ellipsis:
            arguments = arguments[:1] * len(value)
        if len(value) != len(arguments):
            raise InputError(f"{path} has {len(value)} values, expected {len(arguments)}. Write it with Report.as_dict")
        return tuple(_read(arguments[i], item, f"{path}[{i}]") for i, item in enumerate(value))
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    _expect(kind, value, path)
    return value


def _read_dataclass(kind: Any, value: Any, path: str) -> Any:
    _expect(dict, value, path)
    hints = typing.get_type_hints(kind)
    if unknown := sorted(set(value) - set(hints)):
        raise InputError(f"{path} has no field {unknown[0]!r}, expected some of {', '.join(hints)}. Remove it")
    needed = [f.name for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING]
    if missing := [name for name in needed if name not in value]:
        raise InputError(f"{path} lacks {missing[0]!r}, expected {', '.join(needed)}. Write it with Report.as_dict")
    return kind(**{name: _read(hints[name], item, f"{path}.{name}") for name, item in value.items()})


def _expect(kind: type, value: Any, path: str) -> None:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        shown = repr(value) if len(repr(value)) < 60 else f"a {type(value).__name__}"
        raise InputError(
            f"{path} is {shown}, expected a {kind.__name__}. A number that could not be measured must be left out"
        )
