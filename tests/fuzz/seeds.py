"""The first files of the corpus, one for each thing that a model.native may hold.

PYTHONPATH=.:tests python tests/fuzz/seeds.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from device_runtime import flat
from factored_models import factored
from models import tiny_model
from sparse_models import Change, on_grid, powers_of_two, with_own_steps, with_weights, without_blocks

CHANGES: dict[str, Change] = {
    "dense": lambda weight: weight,
    "4_bits": on_grid(18),
    "own_steps": with_own_steps,
    "powers": powers_of_two,
    "sparse_1": without_blocks(0.8, (8, 1)),
    "sparse_2": without_blocks(0.8, (8, 2)),
    "sparse_4": without_blocks(0.8, (8, 4)),
    "high_1": without_blocks(0.8, (16, 1)),
    "high_2": without_blocks(0.8, (16, 2)),
    "high_4_bits": lambda weight: on_grid(18)(without_blocks(0.7, (16, 4))(weight)),
    "sparse_4_bits": lambda weight: on_grid(18)(without_blocks(0.7)(weight)),
    "sparse_own_steps": lambda weight: without_blocks(0.7)(with_own_steps(weight)),
    "no_weights": np.zeros_like,
}
SHAPES = {
    "gru": tiny_model(0, (("gru", 9),), 7, 2),
    "sliding": tiny_model(1, (("dense", 4, 6, 3), ("gru", 8), ("gru", 3)), 15, 3),
    "speech": tiny_model(2, (("dense", 3, 20, 20), ("gru", 6)), 40, 3),
    "wide": tiny_model(3, (("dense", 1, 300, 1),), 300, 1),
    "head": tiny_model(4, (), 5, 1),
    "decoding": tiny_model(5, (("gru", 7), ("decode", 3)), 4, 3),
    "forecaster": tiny_model(6, (("dense", 4, 5, 2), ("gru", 9), ("decode", 2)), 9, 3, linear=(6, 5)),
    "linear": tiny_model(7, (), 4, 1, linear=(3, 40)),
    "low_rank": factored(tiny_model(8, (("dense", 3, 6, 3), ("gru", 7)), 12, 3), (2, 9, 3, 1)),
    "low_rank_speech": factored(tiny_model(9, (("gru", 6),), 40, 3), (4, 17, 0)),
    "low_rank_decoding": factored(tiny_model(10, (("gru", 7), ("decode", 3)), 4, 3), (0, 5, 2)),
    "own_units": tiny_model(11, (("sru", 3),), 5, 2),
    "own_units_and_others": tiny_model(12, (("gru", 2), ("sru", 3)), 3, 2),
    "own_units_decoding": tiny_model(13, (("sru", 2), ("gru", 2), ("decode", 2)), 3, 1),
    "own_units_speech": factored(tiny_model(14, (("sru", 2),), 40, 2), (1, 0)),
}


def write(folder: Path) -> None:
    """Each shape with each kind of weights, and some sound behind it."""
    folder.mkdir(parents=True, exist_ok=True)
    sound = np.random.default_rng(0).integers(-20_000, 20_000, 660).astype("<i2").tobytes()
    for shape, model in SHAPES.items():
        labels = ("a", "", "word")[: model.head.rows]
        has_sound = shape in ("speech", "low_rank_speech", "own_units_speech")
        for name, change in CHANGES.items():
            stride = 1 if has_sound else 0
            stored = flat.to_bytes(with_weights(model, change), labels if name != "dense" else (), stride)
            (folder / f"{shape}_{name}").write_bytes(stored + (sound if has_sound else b"\x10\xf0"))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
