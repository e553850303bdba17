"""A student's weights and sizes in one .npz, for engines of training that know no PyTorch (`train.keras_twin`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from device_runtime.errors import InputError
from train.student import Student


def save(student: Student, path: Path) -> None:
    """Write the parameters under PyTorch's names, and the hop of each dense layer beside its weights.

    InputError for a student of other cells: the twin has GRUs.
    """
    for layer in student.grus:
        if not isinstance(layer, nn.GRU):
            raise InputError(
                f"the Keras twin is of GRUs, and this student's cell is {student.cell!r}. Train one of Gru()."
            )
    arrays: dict[str, Any] = {name: value.detach().numpy() for name, value in student.state_dict().items()}
    arrays |= {f"dense.{i}.hop": np.array(dense.hop) for i, dense in enumerate(student.dense)}
    np.savez(path, feature_size=np.array(student.feature_size), **arrays)
