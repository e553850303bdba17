"""What moves the weights, and how many bytes it remembers for each of them.

AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) keeps two float32 numbers a weight. AdamW8bit keeps them as 8-bit
codes of a dynamic map, scaled in blocks (Dettmers et al. 2022, arXiv:2110.02861), by torchao: a quarter of the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from device_runtime.errors import InputError


class Optimizer(Protocol):
    """A rule that a schedule can name."""

    def over(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """The rule at work on these parameters."""


@dataclass(frozen=True)
class AdamW:
    """PyTorch's own, in float32."""

    def over(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """The rule at work on these parameters."""
        return torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay)


@dataclass(frozen=True)
class AdamW8bit:
    """AdamW with 8-bit state for what has at least 4,096 weights in whole blocks; the rest keeps float32.

    For large teachers: in a student most matrices are smaller than that. Needs `pip install 'tinyrnn[light]'`.
    """

    block: int = 256
    """Weights that share a scale."""

    def over(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """The rule at work on these parameters; InputError where torchao is not installed."""
        try:
            from torchao import optim
        except ImportError as error:
            raise InputError(
                f"8-bit optimizer state needs torchao, which cannot be imported ({error}). "
                "Install it with: pip install 'tinyrnn[light]', or train with AdamW()."
            ) from error

        class AsWritten(optim.AdamW8bit):
            """torchao compiles a step for each shape of matrix: over a minute for what takes milliseconds a step."""

            def step(self, closure: Any = None) -> Any:
                with torch.compiler.set_stance("force_eager"):
                    return super().step(closure)

        return AsWritten(parameters, lr=learning_rate, weight_decay=weight_decay, block_size=self.block)


def state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """What the rule remembers, of all parameters together."""
    kept = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, torch.Tensor)]
    return sum(part.nbytes for value in kept for part in _parts(value))


def _parts(tensor: torch.Tensor) -> Iterable[torch.Tensor]:
    """The plain tensors of which a tensor is made: codes, scales and map of an 8-bit one."""
    if type(tensor) is torch.Tensor:
        return [tensor]
    names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]  # the protocol of tensor subclasses
    return [part for name in names for part in _parts(getattr(tensor, name))]
