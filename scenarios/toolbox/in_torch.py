"""Students that no engine runs compete in torch.

Those of other cells have their matrices on the int8 grid and compute all else in float: what an exact int8 arithmetic
would cost them beyond that is little, a GRU loses 0.3 points at most. Those whose weights have more codes than int8
compute as the device would if it could hold them.
"""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from compress.rows import ONE, Rows
from compress.weight_grids import deployable
from device_runtime.fixed_point import INT8_MAX
from scenarios import measure
from scenarios.clips_heard import features
from scenarios.toolbox.contestant import Contestant, Outcome
from scenarios.training import Trainings

ROW_BYTES = 8
"""Scale and bias of a row, float32."""


def in_torch(contestant: Contestant, seed: int, trainings: Trainings, student: nn.Module, train_s: float) -> Outcome:
    """What `outcome` tells of a bundle, of a student that has none: no native file, no speed, no proof."""
    coded = _rows(student)
    heard = student if coded else rounded(student)
    cold, warm = features(trainings, "test")
    clips = {"warm": warm, "cold": cold}
    with torch.no_grad():
        matrices = [each.parts(ONE)[0] for each in coded] or [one for one in heard.parameters() if one.ndim == 2]
    bits = max((math.ceil(math.log2(len(each.levels().codes))) for each in coded), default=8)
    weights = sum(matrix.numel() for matrix in matrices)
    return Outcome(
        group=contestant.group,
        name=contestant.name,
        seed=seed,
        measured={name: measure.streamed(trainings, heard, said) / len(said) for name, said in clips.items()},
        validation=trainings.student_value(heard),
        device_bytes=weights * bits // 8 + ROW_BYTES * sum(len(matrix) for matrix in matrices),
        native_bytes=0,
        weights=weights,
        nonzeros=sum(int(torch.count_nonzero(matrix)) for matrix in matrices),
        step_us=math.nan,
        train_s=train_s,
        differing_bits=0,
        recipe=contestant.digest,
    )


def beyond_engines(student: nn.Module) -> bool:
    """Whether a quantized student has codes that no engine could hold."""
    return not all(deployable(each.levels()) for each in _rows(student))


def _rows(student: nn.Module) -> list[Rows]:
    """The matrices of a quantized student; none of a float one."""
    return [module for module in student.modules() if isinstance(module, Rows)]


def rounded(student: nn.Module) -> nn.Module:
    """A copy whose matrices hold what int8 codes and a scale for each row can say."""
    made = copy.deepcopy(student)
    with torch.no_grad():
        for matrix in made.parameters():
            if matrix.ndim == 2:
                scale = matrix.abs().amax(dim=1, keepdim=True).clamp(min=1e-6) / INT8_MAX
                matrix.copy_((matrix / scale).round() * scale)
    return made
