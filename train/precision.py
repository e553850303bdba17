"""Mixed precision: products in bfloat16 where the machine multiplies it in hardware, all else in float32.

Weights, gradients and optimizer state stay float32 (Micikevicius et al. 2018, arXiv:1710.03740). bfloat16 has float32's
range, so no loss scaling is needed (Kalamkar et al. 2019, arXiv:1905.12322).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def has_bfloat16() -> bool:
    """Does this CPU multiply bfloat16 matrices itself (Intel AMX)? Elsewhere that is slower than float32."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def mixed(wanted: bool) -> AbstractContextManager[object]:
    """The context to compute a loss in; nothing changes where bfloat16 would not pay."""
    return torch.autocast("cpu", torch.bfloat16) if wanted and has_bfloat16() else nullcontext()
