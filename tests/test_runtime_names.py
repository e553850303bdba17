"""What a program may import from device_runtime."""

from __future__ import annotations

import pytest

import device_runtime


def test_every_public_name_is_there():
    assert all(getattr(device_runtime, name) for name in device_runtime.__all__)
    assert device_runtime.Session.__module__ == "device_runtime.session"


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'device_runtime' has no attribute 'Sesion'"):
        _ = device_runtime.Sesion
