"""Feature sets and how an epoch's batches are drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from train.augment import FeatureWarp
from train.distill import with_teacher
from train.loop import Batch, Epochs
from train.student import stack_frames

CLIP_VECTORS = 100
"""Feature vectors of a one-second clip."""

SHORTEST_PREROLL = 20
"""Vectors; the pre-roll of a warm batch is cut to a random length so that no count of steps becomes a habit."""


@dataclass(frozen=True)
class FeatureSet:
    """Clips heard one way."""

    vectors: npt.NDArray[np.float16]  # (clips, vectors, bands)
    labels: npt.NDArray[np.int64]  # (clips,)
    whole: npt.NDArray[np.bool_]  # (clips,) no word anywhere in it

    def __len__(self) -> int:
        return len(self.vectors)


def joined(sets: Sequence[FeatureSet]) -> FeatureSet:
    """Several sets of equal length in time as one."""
    return FeatureSet(
        np.concatenate([s.vectors for s in sets]),
        np.concatenate([s.labels for s in sets]),
        np.concatenate([s.whole for s in sets]),
    )


@dataclass(frozen=True)
class FrameView:
    """How a student sees feature vectors; the teacher takes them as they are (`FrameView(0, 0)`)."""

    stack: int
    stride: int

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """Vectors to frames; the last frame ends with the last vector."""
        if not self.stack:
            return vectors
        skip = (vectors.shape[1] - self.stack) % self.stride
        return stack_frames(vectors[:, skip:], self.stack, self.stride)

    def steps(self, vectors: int) -> int:
        """Steps made of so many vectors."""
        return 1 + (vectors - self.stack) // self.stride


def epochs(
    copies: Sequence[FeatureSet],
    view: FrameView,
    warp: FeatureWarp,
    batch_size: int = 128,
    teacher: Callable[[torch.Tensor], torch.Tensor] | None = None,
    passes: int = 1,
) -> Epochs:
    """Each epoch goes `passes` times over as many clips as the smallest copy holds, each batch from a random copy."""
    steps = min(len(copy) for copy in copies) // batch_size * passes
    tensors = [(torch.from_numpy(c.vectors), torch.from_numpy(c.labels), torch.from_numpy(c.whole)) for c in copies]

    def draw(generator: torch.Generator) -> Iterator[Batch]:
        orders = [torch.randperm(len(vectors), generator=generator) for vectors, _, _ in tensors]
        used = [0] * len(tensors)
        for _ in range(steps):
            which = int(torch.randint(len(tensors), (), generator=generator))
            vectors, labels, whole = tensors[which]
            at = orders[which].roll(-used[which])[:batch_size]
            used[which] += batch_size
            drawn = warp(_cut(vectors[at].float(), generator), generator)
            yield with_teacher((view(drawn), labels[at], whole[at]), drawn, teacher)

    return Epochs(draw, steps)


def _cut(vectors: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A warm batch without the first part of its pre-roll."""
    preroll = vectors.shape[1] - CLIP_VECTORS
    if preroll <= SHORTEST_PREROLL:
        return vectors
    return vectors[:, int(torch.randint(preroll - SHORTEST_PREROLL, (), generator=generator)) :]
