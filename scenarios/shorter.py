"""A compress method as a quick build uses it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

from compress.method import Method


def shorter(method: Method) -> Method:
    """One epoch where the method has a number of them."""
    if not is_dataclass(method) or all(field.name != "epochs" for field in fields(method)):
        return method
    return replace(method, epochs=1)
