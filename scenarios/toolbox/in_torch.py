"""Students that no engine runs compete in torch: their matrices on the int8 grid, all else that they compute in float.

What an exact int8 arithmetic would cost them beyond that is little: a GRU loses 0.3 points at most.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from device_runtime.fixed_point import INT8_MAX
from scenarios import measure
from scenarios.clips_heard import features
from scenarios.toolbox.contestant import Contestant, Outcome
from scenarios.training import Trainings

ROW_BYTES = 8
"""Scale and bias of a row, float32."""


def in_torch(contestant: Contestant, seed: int, trainings: Trainings, student: nn.Module, train_s: float) -> Outcome:
    """What `outcome` tells of a bundle, of a float student that has none: no native file, no speed, no proof."""
    heard = rounded(student)
    cold, warm = features(trainings, "test")
    clips = {"warm": warm, "cold": cold}
    grids = [matrix for matrix in heard.parameters() if matrix.ndim == 2]
    weights = sum(matrix.numel() for matrix in grids)
    return Outcome(
        group=contestant.group,
        name=contestant.name,
        seed=seed,
        measured={name: measure.streamed(trainings, heard, said) / len(said) for name, said in clips.items()},
        validation=trainings.student_value(heard),
        device_bytes=weights + ROW_BYTES * sum(len(matrix) for matrix in grids),
        native_bytes=0,
        weights=weights,
        nonzeros=sum(int(torch.count_nonzero(matrix)) for matrix in grids),
        step_us=math.nan,
        train_s=train_s,
        differing_bits=0,
    )


def rounded(student: nn.Module) -> nn.Module:
    """A copy whose matrices hold what int8 codes and a scale for each row can say."""
    made = copy.deepcopy(student)
    with torch.no_grad():
        for matrix in made.parameters():
            if matrix.ndim == 2:
                scale = matrix.abs().amax(dim=1, keepdim=True).clamp(min=1e-6) / INT8_MAX
                matrix.copy_((matrix / scale).round() * scale)
    return made
