"""The int8 recurrent arithmetic: the one definition that every engine reproduces bit for bit.

A frame (float32) is quantized to int8 with error feedback, passes through any number of layers, and leaves the linear
head as float32 scores. Between layers everything is int8; products are int8 x int8 summed in int32; each elementwise
line below is one IEEE float32 operation, in the order written, so that any runtime without fused multiply-add and
without `-ffast-math` gives the same bits. The non-linearities are tables, so no runtime's `exp` matters.

Rounding is `floor(v + 0.5)` everywhere: half-to-even and half-away differ between runtimes. Scales are multiplied,
never divided: some runtimes approximate division.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Int8 = npt.NDArray[np.int8]

MAX_COLUMNS = 1024
"""127 * 127 * 1024 < 2**24: up to here a float32 holds every partial sum of a row exactly."""

INT8_MAX = 127
STATE_SCALE = 32768
"""The recurrent state is a Q15 number: float32 on the grid 2**-15, |h| < 1."""

STATE_COPY_SCALE = 128
"""The int8 copy of the state that enters the products: hq = rnd(h * 128)."""

SIGMOID_PER_UNIT, SIGMOID_HALF = 256, 2048
TANH_PER_UNIT, TANH_HALF = 512, 4096


def _constant(value: float) -> Float32:
    """A float32 of no dimensions: half the cost of a Python number in an operation on a short vector."""
    return np.array(value, np.float32)


_HALF = _constant(0.5)
_INT8 = _constant(-INT8_MAX), _constant(INT8_MAX)
_RELU = _constant(0), _constant(INT8_MAX)
_Q15 = _constant(1 - STATE_SCALE), _constant(STATE_SCALE - 1)
_STATE_SCALE, _STATE_UNIT = _constant(STATE_SCALE), _constant(1 / STATE_SCALE)
_STATE_COPY_SCALE = _constant(STATE_COPY_SCALE)


def round_half_up(v: Float32) -> Float32:
    """floor(v + 0.5), the only rounding of this project."""
    rounded: Float32 = np.add(v, _HALF)
    return np.floor(rounded, out=rounded)


def _clip(v: Float32, limits: tuple[Float32, Float32]) -> Float32:
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
        self.values = q15.astype(np.float32) * _STATE_UNIT
        self.per_unit = _constant(per_unit)
        self.half = _constant(half)
        self.limits = _constant(-half), _constant(half - 1)

    def __call__(self, v: Float32) -> Float32:
        """The entry nearest to each value."""
        at = _clip(round_half_up(v * self.per_unit), self.limits)
        at += self.half
        return self.values.take(at.astype(np.intp))


_SIGMOID = _Table(SIGMOID_Q15, SIGMOID_PER_UNIT, SIGMOID_HALF)
_TANH = _Table(TANH_Q15, TANH_PER_UNIT, TANH_HALF)


@dataclass(frozen=True)
class Affine:
    """Rows of int8 weights with one float32 scale and bias each: f32(weight . q) * scale + bias.

    `scale` holds the product of the row's weight scale and the scale of the int8 input.
    """

    weight: Int8  # (rows, columns)
    scale: Float32  # (rows,)
    bias: Float32  # (rows,)

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


@cache
def _window_index(inputs: int, columns: int, hop: int) -> npt.NDArray[np.intp]:
    first = np.arange(0, inputs - columns + 1, hop)
    return first[:, None] + np.arange(columns)


@dataclass(frozen=True)
class Dense:
    """ReLU of an affine map that slides along its input, back to int8.

    The window is `affine.columns` wide and moves by `hop`; outputs are window-major. One window is a plain dense layer;
    several are a convolution along frequency when the frame is laid out band by band. Over frames that the front end
    has stacked, either is a causal convolution in time.
    """

    affine: Affine
    hop: int
    output_gain: np.float32
    """127 / (the largest output seen in calibration): multiplies before rounding to int8."""

    def window_index(self, inputs: int) -> npt.NDArray[np.intp]:
        """Which input stands where in each window, (windows, columns)."""
        return _window_index(inputs, int(self.affine.weight.shape[1]), self.hop)

    def windows(self, inputs: int) -> int:
        """How many windows fit on so many inputs."""
        return 1 + (inputs - int(self.affine.weight.shape[1])) // self.hop

    def outputs(self, inputs: int) -> int:
        """The size of the layer's output for so many inputs."""
        return self.windows(inputs) * int(self.affine.weight.shape[0])


@dataclass(frozen=True)
class Gru:
    """A GRU layer in PyTorch's gate order r, z, n and reset-after form (`linear_before_reset = 1`)."""

    input: Affine  # (3 hidden, inputs)
    state: Affine  # (3 hidden, hidden)

    @property
    def hidden(self) -> int:
        """Units of the recurrent state."""
        return int(self.state.weight.shape[1])


@dataclass(frozen=True)
class Model:
    """All that one step needs: layers in order, then the head."""

    feature_size: int
    input_gain: np.float32
    """127 / (the largest feature): multiplies a frame before it is rounded to int8."""

    layers: tuple[Dense | Gru, ...]
    head: Affine

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Units of each GRU layer, in order."""
        return tuple(layer.hidden for layer in self.layers if isinstance(layer, Gru))

    @property
    def state_size(self) -> int:
        """Length of the state vector: the quantizer's error, then each GRU layer's h."""
        return self.feature_size + sum(self.hidden_sizes)

    def initial_state(self) -> Float32:
        """The state before the first frame: all zeros, (state_size,)."""
        return np.zeros(self.state_size, np.float32)


def quantize_frame(frame: Float32, error: Float32, gain: np.float32) -> tuple[Float32, Float32]:
    """int8 values of a frame (held in float32) and the rounding error to add to the next frame.

    The feedback removes the bias that a static int8 input has under a constant signal (rms 0.058 -> 0.007). The error
    is taken before clipping, so a loud passage cannot wind it up.
    """
    wanted = frame * gain + error
    rounded = round_half_up(wanted)
    error = wanted - rounded
    return _clip(rounded, _INT8), error


def dense(layer: Dense, q: Float32) -> Float32:
    """One dense layer on int8 values (held in float32), (inputs,) -> (outputs,)."""
    v = layer.affine(q.take(layer.window_index(q.size))).reshape(-1)
    v *= layer.output_gain
    return _clip(round_half_up(v), _RELU)


def gru(layer: Gru, q: Float32, h: Float32) -> Float32:
    """The next Q15 state of one GRU layer, from int8 inputs (held in float32) and the present state (hidden,)."""
    hidden = layer.hidden
    gx = layer.input(q)  # (3 hidden,)
    gh = layer.state(quantize_state(h))
    rz = lookup_sigmoid(gx[: 2 * hidden] + gh[: 2 * hidden])
    r, z = rz[:hidden], rz[hidden:]
    n = lookup_tanh(gx[2 * hidden :] + r * gh[2 * hidden :])
    blended = h - n
    blended *= z
    blended += n
    blended *= _STATE_SCALE
    next_h = _clip(round_half_up(blended), _Q15)
    next_h *= _STATE_UNIT
    return next_h


def quantize_state(h: Float32) -> Float32:
    """The int8 copy of a Q15 state (held in float32)."""
    return _clip(round_half_up(h * _STATE_COPY_SCALE), _INT8)


def lookup_sigmoid(v: Float32) -> Float32:
    """Sigmoid from the table, on the Q15 grid."""
    return _SIGMOID(v)


def lookup_tanh(v: Float32) -> Float32:
    """Tanh from the table, on the Q15 grid."""
    return _TANH(v)


def step(model: Model, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
    """One frame through the model: (feature_size,), (state_size,) -> scores (labels,), next state (state_size,)."""
    at = model.feature_size
    q, error = quantize_frame(frame, state[:at], model.input_gain)
    next_state = [error]
    for layer in model.layers:
        if isinstance(layer, Dense):
            q = dense(layer, q)
        else:
            h = gru(layer, q, state[at : at + layer.hidden])
            next_state.append(h)
            at += layer.hidden
            q = quantize_state(h)
    return model.head(q), np.concatenate(next_state)
