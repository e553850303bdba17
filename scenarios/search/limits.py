"""What a board may spend on a model: `--budget size_kb=20,step_us=50,memory_mb=30`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from device_runtime.errors import InputError
from device_runtime.meant import meant

EXAMPLE = "size_kb=20,step_us=50,memory_mb=30"


@dataclass(frozen=True)
class Limits:
    """What must not be exceeded; infinite where nothing is said.

    >>> Limits.parse("size_kb=20").excess({"size_kb": 25.0, "step_us": 3.0, "memory_mb": 28.0})["size_kb"]
    0.25
    """

    size_kb: float = math.inf
    """Of manifest and model.npz, as `Budget.size_kb` counts; 1 KB is 1,000 bytes."""

    step_us: float = math.inf
    """Of one step of the native engine."""

    memory_mb: float = math.inf
    """The most that the process holds above a bare Python."""

    @classmethod
    def parse(cls, text: str) -> Limits:
        """The limits that were typed; InputError says what is wrong with them."""
        known, given = [field.name for field in fields(cls)], {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, equals, value = (word.strip() for word in part.partition("="))
            if not equals:
                raise InputError(f"--budget got {part!r}, expected a limit and its number. For example: {EXAMPLE}")
            if name not in known:
                raise InputError(f"--budget does not know {name!r}{meant(name, known)}. It takes: {', '.join(known)}.")
            if name in given:
                raise InputError(f"--budget has {name} twice. Give each limit once, for example: {EXAMPLE}")
            given[name] = _positive(name, value)
        if not given:
            raise InputError(f"--budget got {text!r}, expected one limit or more. For example: {EXAMPLE}")
        return cls(**given)

    @property
    def given(self) -> dict[str, float]:
        """Those that limit anything."""
        return {name: limit for name, limit in asdict(self).items() if math.isfinite(limit)}

    def excess(self, costs: Mapping[str, float]) -> dict[str, float]:
        """By which share each limit is exceeded; 0 or less where it is kept."""
        return {name: costs[name] / limit - 1 for name, limit in self.given.items()}

    def total_excess(self, costs: Mapping[str, float]) -> float:
        """0 where all limits are kept."""
        return sum(max(0.0, share) for share in self.excess(costs).values())

    def __str__(self) -> str:
        return ",".join(f"{name}={limit:g}" for name, limit in self.given.items()) or "nothing"


def _positive(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise InputError(f"--budget got {name}={text}, expected a number above 0. For example: {EXAMPLE}")
    return value
