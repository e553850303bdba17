"""What a training chooses its epochs by."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


@dataclass(frozen=True)
class Measure:
    """The name of a validation value, which way is better, and how it is written."""

    name: str = "accuracy"
    rises: bool = True
    """Whether a higher value is the better one; of an error the lower is."""

    form: Callable[[float], str] = _percent

    def better(self, value: float, best: float) -> bool:
        """Is this value at least as good?"""
        return value >= best if self.rises else value <= best

    @property
    def worst(self) -> float:
        """What any value is better than."""
        return -math.inf if self.rises else math.inf


ACCURACY = Measure()
ERROR = Measure("error", rises=False, form="{:.4f}".format)
