"""What the teacher says, written down once: warped copies of the training set with the teacher's answers.

A teacher costs twice what its small student does, and it would be asked again in every epoch of every training:
student, pruning, quantization, each seed. So each copy is warped a few times, the teacher answers for the very vectors
that the students will see, and both are kept on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

from train.augment import FeatureWarp
from train.batches import FeatureSet
from train.features import save_array
from train.teacher import Teacher, embeddings, ensemble

BATCH = 256


def taught_copies(
    copies: Sequence[FeatureSet],
    teachers: Sequence[Teacher],
    warp: FeatureWarp,
    versions: int,
    seed: int,
    cache: Path,
    hints: bool = False,
) -> list[FeatureSet]:
    """Each copy warped in so many ways, with the teachers' mean log-probabilities and, for hints, embeddings."""
    jobs = [(copy, [seed, number, version]) for number, copy in enumerate(copies) for version in range(versions)]
    who = _digest(teachers)
    asked = track(jobs, "asking the teacher", console=Console(stderr=True))
    return [_taught(copy, teachers, warp, draw, cache, who, hints) for copy, draw in asked]


def _taught(
    copy: FeatureSet,
    teachers: Sequence[Teacher],
    warp: FeatureWarp,
    draw: list[int],
    cache: Path,
    who: str,
    hints: bool,
) -> FeatureSet:
    content = hashlib.sha256(copy.vectors[::97].tobytes()).hexdigest()
    key = hashlib.sha256(repr([who, content, copy.vectors.shape, warp, draw]).encode()).hexdigest()[:16]
    warped, answers, inside = (cache / f"taught-{key}-{part}.npy" for part in ("vectors", "answers", "hints"))
    if not (answers.exists() and warped.exists()):  # a cache may have been thinned out by hand
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence(draw).generate_state(1)[0]))
        vectors, said = [], []
        for at in range(0, len(copy), BATCH):
            part = warp(torch.from_numpy(copy.vectors[at : at + BATCH]).float(), generator).half()
            vectors.append(part.numpy())
            said.append(ensemble(teachers, part.float()).numpy())
        save_array(warped, np.concatenate(vectors))
        save_array(answers, np.concatenate(said))  # last: where it is, the vectors are
    taught = replace(copy, vectors=np.load(warped, mmap_mode="r"), taught=np.load(answers), made_by=key)
    if not hints:
        return taught
    if not inside.exists():
        parts = (
            torch.from_numpy(taught.vectors[at : at + BATCH].astype(np.float32)) for at in range(0, len(copy), BATCH)
        )
        save_array(inside, np.concatenate([embeddings(teachers, part).half().numpy() for part in parts]))
    return replace(taught, hints=np.load(inside))


def _digest(teachers: Sequence[Teacher]) -> str:
    digest = hashlib.sha256()
    for teacher in teachers:
        for value in teacher.state_dict().values():
            digest.update(value.numpy().tobytes())
    return digest.hexdigest()
