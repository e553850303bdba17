"""A hint from inside the teacher: clips that it finds alike should leave the student in like states.

Similarity-preserving distillation (Tung & Mori 2019, arXiv:1907.09682): the teacher's embedding and the student's state
may have any sizes, and nothing is learned that does not ship.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def similarity_gap(states: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
    """How differently two views of the same clips see who is like whom, (clips, any) and (clips, any) -> scalar.

    The mean over clips of the squared distance between their rows of similarities, each row of length 1; 0 to 4.
    """
    return (_similarities(states) - _similarities(embeddings)).square().sum(dim=1).mean()


def _similarities(rows: torch.Tensor) -> torch.Tensor:
    return functional.normalize(rows @ rows.T, dim=1)
