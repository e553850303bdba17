"""What the int8 arithmetic has besides weights: its grids, its one rounding, and sigmoid and tanh as tables.

Rounding is `floor(v + 0.5)` everywhere: half-to-even and half-away differ between runtimes. The non-linearities are
tables, so no runtime's `exp` matters.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]

INT8_MAX = 127
STATE_SCALE = 32768
"""The recurrent state is a Q15 number: float32 on the grid 2**-15, |h| < 1."""

STATE_COPY_SCALE = 128
"""The int8 copy of the state that enters the products: hq = rnd(h * 128)."""

SIGMOID_PER_UNIT, SIGMOID_HALF = 256, 2048
TANH_PER_UNIT, TANH_HALF = 512, 4096


def constant(value: float) -> Vector:
    """A float32 of no dimensions: half the cost of a Python number in an operation on a short vector."""
    return np.array(value, np.float32)


_HALF = constant(0.5)


def round_half_up(v: Vector) -> Vector:
    """floor(v + 0.5), the only rounding of this project."""
    rounded: Vector = np.add(v, _HALF)
    return np.floor(rounded, out=rounded)


def clip(v: Vector, limits: tuple[Vector, Vector]) -> Vector:
    """Keep `v` within its limits, in place: several times faster than `np.clip` on vectors of this size."""
    np.maximum(v, limits[0], out=v)
    return np.minimum(v, limits[1], out=v)


def _q15_table(function: str, per_unit: int, half: int) -> npt.NDArray[np.int16]:
    """Entry i is the function at (i - half) / per_unit, rounded to Q15 and kept inside +-32767."""
    at = [(i - half) / per_unit for i in range(2 * half)]
    exact = [1 / (1 + math.exp(-v)) for v in at] if function == "sigmoid" else [math.tanh(v) for v in at]
    q15 = [math.floor(v * STATE_SCALE + 0.5) for v in exact]
    return np.clip(q15, -STATE_SCALE + 1, STATE_SCALE - 1).astype(np.int16)


# Computed in float64, where the nearest entry to a rounding boundary is still a million ulps away from it: every
# libm gives these very integers. A test holds their SHA-256.
SIGMOID_Q15 = _q15_table("sigmoid", SIGMOID_PER_UNIT, SIGMOID_HALF)
TANH_Q15 = _q15_table("tanh", TANH_PER_UNIT, TANH_HALF)


class _Table:
    """A table as the step uses it: float32 values, and the constants that find an entry."""

    def __init__(self, q15: npt.NDArray[np.int16], per_unit: int, half: int) -> None:
        self.values = q15.astype(np.float32) * constant(1 / STATE_SCALE)
        self.per_unit = constant(per_unit)
        self.half = constant(half)
        self.limits = constant(-half), constant(half - 1)

    def __call__(self, v: Vector) -> Vector:
        """The entry nearest to each value."""
        at = clip(round_half_up(v * self.per_unit), self.limits)
        at += self.half
        return self.values.take(at.astype(np.intp))


_SIGMOID = _Table(SIGMOID_Q15, SIGMOID_PER_UNIT, SIGMOID_HALF)
_TANH = _Table(TANH_Q15, TANH_PER_UNIT, TANH_HALF)


def lookup_sigmoid(v: Vector) -> Vector:
    """Sigmoid from the table, on the Q15 grid."""
    return _SIGMOID(v)


def lookup_tanh(v: Vector) -> Vector:
    """Tanh from the table, on the Q15 grid."""
    return _TANH(v)
