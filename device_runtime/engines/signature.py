"""What every graph in a bundle takes and gives: checked when it is loaded, so that no step meets a surprise."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from device_runtime.arithmetic import Model
from device_runtime.errors import BundleError

INPUTS = ("frame", "state")
OUTPUTS = ("scores", "next_state")


def check(path: Path, model: Model, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Refuse a graph whose inputs or outputs are not those of the weights beside it.

    Both map a name to what it holds, such as "float32 (200,)"; see `tensor`.
    """
    state = tensor("float32", (model.state_size,))
    _check(path, "takes", inputs, {"frame": tensor("float32", (model.feature_size,)), "state": state})
    _check(path, "gives", outputs, {"scores": tensor("float32", (model.score_size,)), "next_state": state})


def tensor(dtype: str, shape: tuple[int | str | None, ...]) -> str:
    """A tensor in words.

    >>> tensor("float32", (200,))
    'float32 (200,)'
    """
    return f"{dtype} {shape}"


def _check(path: Path, verb: str, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    if dict(found) != dict(expected):
        raise BundleError(
            f"{path} {verb} {_words(found)}, but the model beside it {verb} {_words(expected)}. Get the bundle again"
        )


def _words(tensors: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {what}" for name, what in tensors.items()) or "nothing"
