"""The int8 recurrent arithmetic: the one definition that every engine reproduces bit for bit.

A frame (float32) is quantized to int8 with error feedback, passes through any number of layers, and leaves the linear
head as float32 scores. Between layers everything is int8; products are int8 x int8 summed in int32; each elementwise
line below is one IEEE float32 operation, in the order written, so that any runtime without fused multiply-add and
without `-ffast-math` gives the same bits. `fixed_point` has the rounding and the tables of the non-linearities. Scales
are multiplied, never divided: some runtimes approximate division.

A matrix may be one, or two of low rank (`products`). A forecaster decodes many positions in one step (`Decode`), slides
its head over them, and may add a linear map of its latest frames (`Linear`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt

from device_runtime.fixed_point import (
    INT8_MAX,
    STATE_COPY_SCALE,
    STATE_SCALE,
    clip,
    constant,
    lookup_sigmoid,
    lookup_tanh,
    round_half_up,
)
from device_runtime.products import INT8, MAX_COLUMNS, Affine, Factored, Float32, Int8, Product

__all__ = ["MAX_COLUMNS", "Affine", "Factored", "Float32", "Int8", "Product"]  # what models are made of, too

_RELU = constant(0), constant(INT8_MAX)
_Q15 = constant(1 - STATE_SCALE), constant(STATE_SCALE - 1)
_STATE_SCALE, _STATE_UNIT = constant(STATE_SCALE), constant(1 / STATE_SCALE)
_STATE_COPY_SCALE = constant(STATE_COPY_SCALE)


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

    affine: Product
    hop: int
    output_gain: np.float32
    """127 / (the largest output seen in calibration): multiplies before rounding to int8."""

    def window_index(self, inputs: int) -> npt.NDArray[np.intp]:
        """Which input stands where in each window, (windows, columns)."""
        return _window_index(inputs, self.affine.columns, self.hop)

    def windows(self, inputs: int) -> int:
        """How many windows fit on so many inputs."""
        return 1 + (inputs - self.affine.columns) // self.hop

    def outputs(self, inputs: int) -> int:
        """The size of the layer's output for so many inputs."""
        return self.windows(inputs) * self.affine.rows


@dataclass(frozen=True)
class Gru:
    """A GRU layer in PyTorch's gate order r, z, n and reset-after form (`linear_before_reset = 1`)."""

    input: Product  # (3 hidden, inputs)
    state: Product  # (3 hidden, hidden)

    @property
    def hidden(self) -> int:
        """Units of the recurrent state."""
        return self.state.columns


@dataclass(frozen=True)
class Sru:
    """A layer of simple recurrent units (Lei et al. 2018, arXiv:1709.02755), each of which hears its own state alone.

    The rows of `input` are the candidates x, the forget gates f, the reset gates r, and p, the inputs that pass by the
    cell. All but the gates are in units of the largest state seen in calibration, so that states are Q15 numbers.
    """

    input: Product  # (4 hidden, inputs)
    peephole: Float32  # (2, hidden), of f and r

    @property
    def hidden(self) -> int:
        """Units of the recurrent state."""
        return self.input.rows // 4


@dataclass(frozen=True)
class Decode:
    """Many positions at once, right after a GRU: from its new state, one step of it for each position.

    The recurrent weights are those of the GRU, `gru.state`; its product with the state is taken once. A row of
    `positions` stands where the GRU adds the input's share of the gates (SegRNN's parallel decoding, Lin et al. 2023,
    arXiv:2308.11200, with embedding, product and bias in one). It has no state of its own.
    """

    positions: Float32  # (positions, 3 hidden)

    @cached_property
    def units_first(self) -> Float32:
        """As the gates take them, (3 hidden, positions)."""
        return np.ascontiguousarray(self.positions.T)


@dataclass(frozen=True)
class Linear:
    """A linear map of the latest quantized frames, beside the layers: what came at the same place of each frame.

    Position p of feature j gets f32(sum over k of weight[p, k] . q[k, j]) * scale[p] + bias[p], where k = 0 is the
    oldest frame. The frames are in the state as whole numbers, `width` of each, frame after frame.
    """

    affine: Affine  # (positions, frames)
    width: int
    """So many features of a frame, from its first; the others are not samples."""

    @property
    def frames(self) -> int:
        """How many frames it sees, the newest among them."""
        return self.affine.columns

    @property
    def history_size(self) -> int:
        """Its share of the state vector."""
        return self.frames * self.width


Layer = Dense | Gru | Sru | Decode


@dataclass(frozen=True)
class Model:
    """All that one step needs: layers in order, then the head, and perhaps a linear map beside them."""

    feature_size: int
    input_gain: np.float32
    """127 / (the largest feature): multiplies a frame before it is rounded to int8."""

    layers: tuple[Layer, ...]
    """A `Decode` follows a `Gru` and is the last one."""

    head: Product
    """Slides over the positions; its rows are levels x `linear.width` where there is a linear map."""

    linear: Linear | None = None

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        """Units of each recurrent layer, in order."""
        return tuple(layer.hidden for layer in self.layers if isinstance(layer, Gru | Sru))

    @property
    def positions(self) -> int:
        """How many positions the head is applied to: 1, unless the last layer decodes more."""
        last = self.layers[-1] if self.layers else None
        return len(last.positions) if isinstance(last, Decode) else 1

    @property
    def score_size(self) -> int:
        """Length of the score vector, which is position-major: the head's rows for the first position, and so on."""
        return self.positions * self.head.rows

    @property
    def state_size(self) -> int:
        """Length of the state vector: the quantizer's error, each recurrent layer's state, the linear map's frames."""
        history = self.linear.history_size if self.linear else 0
        return self.feature_size + sum(self.hidden_sizes) + history

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
    return clip(rounded, INT8), error


def dense(layer: Dense, q: Float32) -> Float32:
    """One dense layer on int8 values (held in float32), (inputs,) -> (outputs,)."""
    v = layer.affine(q.take(layer.window_index(q.size))).reshape(-1)
    v *= layer.output_gain
    return clip(round_half_up(v), _RELU)


def gru(layer: Gru, q: Float32, h: Float32) -> Float32:
    """The next Q15 state of one GRU layer, from int8 inputs (held in float32) and the present state (hidden,)."""
    return gates(layer.input(q), layer.state(quantize_state(h)), h)


def decode(layer: Decode, after: Gru, q: Float32, h: Float32) -> Float32:
    """The int8 copies of each position's state (held in float32), (hidden,) -> (positions, hidden).

    `h` is the new state of the GRU that the layer comes after, `q` its int8 copy.
    """
    return quantize_state(gates(layer.units_first, after.state(q)[:, None], h[:, None])).T


def gates(gx: Float32, gh: Float32, h: Float32) -> Float32:
    """The next Q15 states from the input's and the state's share of the gates, (3 hidden, ..), and h (hidden, ..)."""
    hidden = len(h)
    rz = lookup_sigmoid(gx[: 2 * hidden] + gh[: 2 * hidden])
    r, z = rz[:hidden], rz[hidden:]
    n = lookup_tanh(gx[2 * hidden :] + r * gh[2 * hidden :])
    return _q15(_blend(n, h, z))


def sru(layer: Sru, q: Float32, c: Float32) -> tuple[Float32, Float32]:
    """The int8 outputs (held in float32) and the next Q15 state of one SRU layer, from int8 inputs and its state c.

    f = s(Wf q + vf c), r = s(Wr q + vr c), c' = c f + (1 - f) Wx q, and the outputs are those of r c' + (1 - r) Wp q.
    """
    x, gates, p = np.split(layer.input(q), [layer.hidden, 3 * layer.hidden])
    f, r = lookup_sigmoid(gates.reshape(2, -1) + layer.peephole * c)
    next_c = _q15(_blend(x, c, f))
    return quantize_state(_blend(p, next_c, r)), next_c


def _blend(of: Float32, by: Float32, share: Float32) -> Float32:
    """A blend: all of the first at a share of 0, all of the second at 1."""
    blended = by - of
    blended *= share
    blended += of
    return blended


def _q15(v: Float32) -> Float32:
    v *= _STATE_SCALE
    state = clip(round_half_up(v), _Q15)
    state *= _STATE_UNIT
    return state


def quantize_state(h: Float32) -> Float32:
    """The int8 copy of a Q15 state (held in float32)."""
    return clip(round_half_up(h * _STATE_COPY_SCALE), INT8)


def remember(linear: Linear, q: Float32, history: Float32) -> Float32:
    """The frames that the linear map sees now, (frames * width,): the oldest makes room for `q`."""
    return np.concatenate([history[linear.width :], q[: linear.width]])


def add_linear(linear: Linear, history: Float32, scores: Float32) -> Float32:
    """Add the linear map to every level of every position, (positions, levels * width) -> the same shape."""
    by_feature = history.reshape(linear.frames, linear.width).T
    ahead = linear.affine(by_feature).T  # (positions, width)
    levels = scores.reshape(len(ahead), -1, linear.width)
    return (levels + ahead[:, None]).reshape(scores.shape)


def step(model: Model, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
    """One frame through the model: (feature_size,), (state_size,) -> scores (score_size,), next state (state_size,)."""
    at = model.feature_size
    q, error = quantize_frame(frame, state[:at], model.input_gain)
    next_state, newest = [error], q
    for layer in model.layers:
        if isinstance(layer, Dense):
            q = dense(layer, q)
        elif isinstance(layer, Gru):
            h = gru(layer, q, state[at : at + layer.hidden])
            next_state.append(h)
            at += layer.hidden
            q, recurrent = quantize_state(h), layer
        elif isinstance(layer, Sru):
            q, c = sru(layer, q, state[at : at + layer.hidden])
            next_state.append(c)
            at += layer.hidden
        else:
            q = decode(layer, recurrent, q, h)
    scores = model.head(q)
    if model.linear is not None:
        history = remember(model.linear, newest, state[at:])
        next_state.append(history)
        scores = add_linear(model.linear, history, scores)
    return scores.reshape(-1), np.concatenate(next_state)
