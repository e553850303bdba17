"""One part of a model rounded to a coarser grid: how much precision that part needs."""

from __future__ import annotations

import numpy as np
import torch

from compress.ranges import LeastError, nearest
from compress.weight_grids import Linear, PowersOfTwo, WeightGrid
from device_runtime.arithmetic import Affine, Model
from device_runtime.weights import matrices
from scenarios.comparing.parts import Part, each_factor, with_matrices

GRIDS: dict[str, WeightGrid] = {"4 bits": Linear(4, range=LeastError()), "powers of two": PowersOfTwo()}
"""Row by row, with the least error and without any training."""


def rounded(part: Part, model: Model, grid: WeightGrid) -> Model:
    """The model with the weights of that part on the grid; scales and biases of other rows stay."""
    held = matrices(model)
    return with_matrices(
        model, {name: each_factor(held[name], lambda affine: _rounded(affine, part, grid)) for name in part.matrices}
    )


def _rounded(affine: Affine, part: Part, grid: WeightGrid) -> Affine:
    rows = part.rows(affine.rows)
    weight, scale = np.array(affine.weight), np.array(affine.scale)
    values = torch.from_numpy(weight[rows].astype(np.float32))
    levels = grid.fit(values)
    units = levels.units[:, None]
    weight[rows] = nearest(values / units, levels.codes).numpy().astype(np.int8)
    scale[rows] *= levels.units.numpy()
    return Affine(weight, scale, affine.bias)
