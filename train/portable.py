"""A student's weights and sizes in one .npz, for engines of training that know no PyTorch (`train.keras_twin`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from train.student import Student


def save(student: Student, path: Path) -> None:
    """Write the parameters under PyTorch's names, and the hop of each dense layer beside its weights."""
    weights = {name: value.detach().numpy() for name, value in student.state_dict().items()}
    hops = {f"dense.{i}.hop": np.array(dense.hop) for i, dense in enumerate(student.dense)}
    np.savez(path, feature_size=np.array(student.feature_size), **weights, **hops)
