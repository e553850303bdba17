"""torch's own `GRUCell` and `Linear`, one step a call, on one thread."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from device_runtime.arithmetic import Float32
from scenarios.benchmarks.floats import FloatAffine, FloatDense, FloatGru, FloatModel, own_state

NAME = "torch"

Tensors = tuple[Any, list[Any]]
"""The row that goes up through the layers, and the states of the GRU layers, rotated by one at each of them."""


@dataclass(frozen=True)
class TorchPeer:
    """Modules in order."""

    torch: Any
    layers: tuple[Callable[[Any, list[Any]], Tensors], ...]
    head: Any
    hidden_sizes: tuple[int, ...]
    name: str = NAME

    def step(self, frame: Float32, state: Float32) -> tuple[Float32, Float32]:
        """(feature_size,), (at least hidden,) -> scores (labels,), next state (hidden,)."""
        torch = self.torch
        with torch.inference_mode():
            own = torch.from_numpy(own_state(state, sum(self.hidden_sizes)))[None]
            x, states = torch.from_numpy(frame)[None], list(own.split(self.hidden_sizes, dim=1))
            for layer in self.layers:
                x, states = layer(x, states)
            scores, next_state = self.head(x), torch.cat(states, dim=1)
        return scores[0].numpy(), next_state[0].numpy()


def load(path: Path, hidden: int) -> TorchPeer:
    """Ready to step."""
    import torch

    torch.set_num_threads(1)
    model: FloatModel = pickle.loads(path.read_bytes())  # our own file, a moment old
    layers = tuple(
        _dense(torch, layer) if isinstance(layer, FloatDense) else _gru(torch, layer) for layer in model.layers
    )
    return TorchPeer(torch, layers, _linear(torch, model.head), model.hidden_sizes)


def write(model: FloatModel, path: Path) -> None:
    """Store the weights."""
    path.write_bytes(pickle.dumps(model))


def _dense(torch: Any, layer: FloatDense) -> Callable[[Any, list[Any]], Tensors]:
    linear, columns = _linear(torch, layer.affine), layer.affine.weight.shape[1]
    hop = layer.starts[1] - layer.starts[0] if len(layer.starts) > 1 else 1
    used = layer.starts[-1] + columns

    def run(x: Any, states: list[Any]) -> Tensors:
        windows = x[:, :used].unfold(1, columns, hop)  # (1, windows, columns)
        return torch.relu(linear(windows)).flatten(1), states

    return run


def _gru(torch: Any, layer: FloatGru) -> Callable[[Any, list[Any]], Tensors]:
    cell = torch.nn.GRUCell(layer.input.weight.shape[1], layer.hidden)
    values = (layer.input.weight, layer.state.weight, layer.input.bias, layer.state.bias)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    cell.load_state_dict({name: torch.from_numpy(value) for name, value in zip(names, values, strict=True)})

    def run(x: Any, states: list[Any]) -> Tensors:
        h = cell(x, states[0])
        return h, [*states[1:], h]

    return run


def _linear(torch: Any, affine: FloatAffine) -> Any:
    rows, columns = affine.weight.shape
    linear = torch.nn.Linear(columns, rows)
    linear.load_state_dict({"weight": torch.from_numpy(affine.weight), "bias": torch.from_numpy(affine.bias)})
    return linear
