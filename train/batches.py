"""Feature sets and how an epoch's batches are drawn from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from train.augment import FeatureWarp
from train.loop import Batch, Epochs
from train.rows import Rows
from train.student import stack_frames

CLIP_VECTORS = 100
"""Feature vectors of a one-second clip."""

SHORTEST_PREROLL = 20
"""Vectors; the pre-roll of a warm batch is cut to a random length so that no count of steps becomes a habit."""


@dataclass(frozen=True)
class FeatureSet:
    """Clips heard one way."""

    vectors: npt.NDArray[np.float16] | Rows  # (clips, vectors, bands), mapped into memory where they are in files
    labels: npt.NDArray[np.int64]  # (clips,)
    whole: npt.NDArray[np.bool_]  # (clips,) no word anywhere in it
    tails: npt.NDArray[np.int64]  # (clips,) vectors after the word's end; 0 where it is not looked for
    taught: npt.NDArray[np.float32] | None = None  # (clips, labels) what the teacher says of these vectors
    hints: npt.NDArray[np.float16] | None = None  # (clips, size) what the teacher makes of these vectors inside
    made_by: str = ""
    """Names the teachers and warps behind `taught`."""

    def __len__(self) -> int:
        return len(self.vectors)


def joined(sets: Sequence[FeatureSet]) -> FeatureSet:
    """Several sets of equal length in time as one; vectors that are in files stay there."""
    return FeatureSet(
        Rows([np.asarray(s.vectors) for s in sets]),
        np.concatenate([s.labels for s in sets]),
        np.concatenate([s.whole for s in sets]),
        np.concatenate([s.tails for s in sets]),
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
) -> Epochs:
    """Each epoch is one pass over as many clips as the smallest copy holds, each batch from a random copy.

    A batch is (frames, labels, whole, tails) and, from copies that a teacher has answered for, its log-probabilities
    and, where they were asked for, its embeddings.
    A copy that is smaller than a batch is one.
    """
    smallest = min(len(copy) for copy in copies)
    batch_size = min(batch_size, smallest)
    steps = smallest // batch_size

    def draw(generator: torch.Generator) -> Iterator[Batch]:
        orders = [torch.randperm(len(copy), generator=generator).numpy() for copy in copies]
        used = [0] * len(copies)
        for _ in range(steps):
            which = int(torch.randint(len(copies), (), generator=generator))
            copy = copies[which]
            at = np.sort(np.roll(orders[which], -used[which])[:batch_size])  # sorted: reads forward from the disk
            used[which] += batch_size
            drawn = warp(_cut(torch.from_numpy(copy.vectors[at]).float(), generator), generator)
            answers = (copy.labels, copy.whole, copy.tails, copy.taught, copy.hints)
            yield (view(drawn), *(torch.from_numpy(answer[at]) for answer in answers if answer is not None))

    return Epochs(draw, steps)


def _cut(vectors: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """A warm batch without the first part of its pre-roll."""
    preroll = vectors.shape[1] - CLIP_VECTORS
    if preroll <= SHORTEST_PREROLL:
        return vectors
    return vectors[:, int(torch.randint(preroll - SHORTEST_PREROLL, (), generator=generator)) :]
