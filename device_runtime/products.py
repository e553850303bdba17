"""What turns int8 values into float32 ones: a matrix with a scale and a bias for each row, or two of them.

`Factored` is a matrix of low rank, W = U V^T: int8 values pass through V^T, are rounded to int8 again, and through U.
It costs rank x (rows + columns) products instead of rows x columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from device_runtime.fixed_point import INT8_MAX, clip, constant, round_half_up

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]

MAX_COLUMNS = 1024
"""127 * 127 * 1024 < 2**24: up to here a float32 holds every partial sum of a row exactly."""

MAX_GAIN = 1e9
"""Of what is multiplied before rounding to int8; at least 1 / MAX_GAIN."""

INT8 = constant(-INT8_MAX), constant(INT8_MAX)


@dataclass(frozen=True)
class Affine:
    """Rows of int8 weights with one float32 scale and bias each: f32(weight . q) * scale + bias.

    `scale` holds the product of the row's weight scale and the scale of the int8 input.
    """

    weight: Int8  # (rows, columns)
    scale: Float32  # (rows,)
    bias: Float32  # (rows,)

    @property
    def rows(self) -> int:
        """Outputs."""
        return int(self.weight.shape[0])

    @property
    def columns(self) -> int:
        """Inputs."""
        return int(self.weight.shape[1])

    @property
    def factors(self) -> tuple[Affine, ...]:
        """The matrices that it is made of, in the order in which inputs meet them."""
        return (self,)

    @cached_property
    def _columns_first(self) -> Float32:
        # float32 products of int8 values are exact below 2**24 and far faster than NumPy's integer ones
        return np.ascontiguousarray(self.weight.T.astype(np.float32))

    def __call__(self, q: Float32) -> Float32:
        """Apply to int8 values held in float32, (..., columns) -> (..., rows)."""
        v: Float32 = q @ self._columns_first
        v *= self.scale
        v += self.bias
        return v


@dataclass(frozen=True)
class Factored:
    """A matrix of low rank as two, with int8 values between them: outer(clip(rnd(inner(q) * gain)))."""

    inner: Affine  # (rank, columns)
    gain: np.float32
    """127 / (the largest value between the two in calibration): multiplies before rounding to int8."""

    outer: Affine  # (rows, rank)

    @property
    def rows(self) -> int:
        """Outputs."""
        return self.outer.rows

    @property
    def columns(self) -> int:
        """Inputs."""
        return self.inner.columns

    @property
    def factors(self) -> tuple[Affine, ...]:
        """The matrices that it is made of, in the order in which inputs meet them."""
        return (self.inner, self.outer)

    def __call__(self, q: Float32) -> Float32:
        """Apply to int8 values held in float32, (..., columns) -> (..., rows)."""
        v = self.inner(q)
        v *= self.gain
        return self.outer(clip(round_half_up(v), INT8))


Product = Affine | Factored
