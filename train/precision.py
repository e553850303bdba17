"""Mixed precision: products in 16 bits where the machine multiplies them in hardware, all else in float32.

Weights, gradients and optimizer state stay float32 (Micikevicius et al. 2018, arXiv:1710.03740). bfloat16 has float32's
range, so no loss scaling is needed (Kalamkar et al. 2019, arXiv:1905.12322). float16 has three more bits of mantissa
and a narrow range: the loss is multiplied by a power of two, as large as gradients allow, and a step whose gradients
overflow is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn


def has_bfloat16() -> bool:
    """Does this CPU multiply bfloat16 matrices itself (Intel AMX)? Elsewhere that is slower than float32."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def has_float16() -> bool:
    """Does this CPU multiply float16 itself (AVX512-FP16, AMX)? Elsewhere that is slower than float32."""
    told = torch.cpu.get_capabilities()
    return bool(told.get("amx_fp16", False) or told.get("avx512_fp16", False))


def mixed(wanted: bool) -> AbstractContextManager[object]:
    """The context to compute answers in; nothing changes where bfloat16 would not pay."""
    return Products.wanted(bfloat16=wanted).mixed()


class Products:
    """In what numbers one training multiplies, and its loss scale; None is float32.

    Its state is a checkpoint's: a resumed training goes on with the scale that it had.
    """

    def __init__(self, dtype: torch.dtype | None = None):
        self._dtype = dtype
        self._scaler = torch.amp.GradScaler("cpu", enabled=dtype is torch.float16)

    @classmethod
    def wanted(cls, bfloat16: bool = False, float16: bool = False) -> Products:
        """In 16 bits where it is wanted and would pay, else in float32."""
        if bfloat16 and has_bfloat16():
            return cls(torch.bfloat16)
        return cls(torch.float16 if float16 and has_float16() else None)

    def mixed(self) -> AbstractContextManager[object]:
        """The context to compute a loss in."""
        return nullcontext() if self._dtype is None else torch.autocast("cpu", self._dtype)

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradients of a loss, scaled until `step`."""
        self._scaler.scale(loss).backward()

    def step(self, optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], clip_norm: float) -> bool:
        """Clip the gradients and take a step; False where they overflowed: then it is left out, the scale halved."""
        before = self._scaler.get_scale()
        self._scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(parameters, clip_norm)
        self._scaler.step(optimizer)
        self._scaler.update()
        return self._scaler.get_scale() >= before

    def state_dict(self) -> dict[str, Any]:
        """The loss scale and since when it holds; empty where there is none."""
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there; from the beginning where the machine before had no float16."""
        if state:
            self._scaler.load_state_dict(state)
