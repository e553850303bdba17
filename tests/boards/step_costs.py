"""What each kind of work of a step costs on each board, for `tinyrnn search`: python -m boards.step_costs.

Models of many shapes are stepped on emulated boards and their instructions counted; the cost of each kind of work is
the least-squares solution without negative parts, of relative errors. The error that is kept is the worst one
of a model that was left out of the fit; each is once. Kept in scenarios/search/boards.json.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from device_runtime import flat
from device_runtime.arithmetic import Int8, Model
from factored_models import factored
from models import tiny_model
from scenarios.search.boards import FILE
from scenarios.search.work import KERNELS, KINDS, work
from sparse_models import on_grid, powers_of_two, with_weights, without_blocks

from . import costs, programs
from .board import BOARDS
from .emulator import Emulator, emulator
from .missing import MissingError

MODELS = 112
STEPS = 20
NAMES = {
    "pi-zero-2w": "zero2w",
    "pi-3": "pi3",
    "pi-4": "pi4",
    "pi-5": "pi5",
    "pi-2": "pi2",
    "pi-zero-w": "pizero",
}
COUNTED = {
    "pi-zero-2w": "zero2w",
    "pi-3": "zero2w",
    "pi-4": "zero2w",
    "pi-5": "pi5",
    "pi-2": "pi2",
    "pi-zero-w": "pizero",
}
"""Boards of one kernel and one set of instructions share the counts."""

GRIDS = (None, None, None, on_grid(9), powers_of_two)

Row = tuple[Counter[str], float]
"""The work of a model, and its instructions a step."""


def models(count: int = MODELS) -> Iterator[Model]:
    """Random weights in the shapes that are searched: pruned, of low rank, in 8 bits and in 4, and as they are.

    The last quarter is of simple recurrent units.
    """
    rng = np.random.default_rng(0)
    for seed in range(count):
        channels, projection = int(rng.choice([0, 4, 8, 12, 16, 24, 32])), int(rng.choice([0, 16, 24, 32, 40, 48, 64]))
        hidden = int(rng.choice([16, 24, 32, 40, 48, 64, 80, 96, 128, 160]))
        layers: list[tuple[str, *tuple[int, ...]]] = []
        size = 200
        if channels:
            layers.append(("dense", channels, 40, 20))
            size = 9 * channels
        if projection:
            layers.append(("dense", projection, size, size))
        dense, recurrent = len(layers), int(rng.choice([1, 1, 2]))
        kind, matrices = ("gru", 2) if 4 * seed < 3 * count else ("sru", 1)
        whole = tiny_model(seed, layers + [(kind, hidden)] * recurrent, 200, int(rng.choice([3, 5, 6, 12, 42])))
        rank = int(rng.choice([0, 0, 8, 16, 24, 32, 48]))
        whole = factored(whole, (*[0] * dense, *[rank] * matrices * recurrent, 0), seed)
        sparsity = float(rng.choice([0, 0.3, 0.5, 0.63, 0.75, 0.85, 0.92]))
        prune = without_blocks(sparsity, [(8, 1), (8, 2), (16, 1), (16, 2), (8, 4)][int(rng.integers(5))], seed)
        grid = GRIDS[int(rng.integers(len(GRIDS)))]

        def change(weight: Int8, prune: Any = prune, grid: Any = grid) -> Int8:
            coarse = grid(weight) if grid else weight
            return prune(coarse) if weight.size >= 2048 else coarse

        yield with_weights(whole, change)


def count(on: Emulator, model: Model, folder: Path) -> float:
    """Instructions of a step of hear.c."""
    frames = np.random.default_rng(0).standard_normal((STEPS, model.feature_size)).astype(np.float32)
    (folder / "in").write_bytes(frames.tobytes())
    (folder / "model.native").write_bytes(flat.to_bytes(model))
    program, marks = programs.program(costs.PROGRAMS[on.board.architecture]), folder / "marks"
    given = (folder / "model.native", "frames", folder / "in", folder / "out")
    answer = on.run(program, *given, plugin=f"{programs.program(programs.PLUGIN)},out={marks}")
    if answer.code:
        raise RuntimeError(f"{program.name} on {on.board.key} ended with {answer.signal or answer.code}: {answer.err}")
    first, last = (int(line.split()[1]) for line in marks.read_text().splitlines())
    return (last - first) / STEPS


def fit(rows: Sequence[Row]) -> tuple[dict[str, float], float]:
    """Instructions of each kind of work, and the worst error of a row that was left out."""
    amounts = np.array([[row[kind] for kind in KINDS] for row, _ in rows], float)
    counted = np.array([instructions for _, instructions in rows])
    relative = amounts / counted[:, None]
    errors = []
    for left_out in range(len(rows)):
        others = np.arange(len(rows)) != left_out
        found, _ = nnls(relative[others], np.ones(len(rows) - 1))
        errors.append(abs(float(relative[left_out] @ found) - 1))
    found, _ = nnls(relative, np.ones(len(rows)))
    return {kind: round(float(value), 2) for kind, value in zip(KINDS, found, strict=True)}, max(errors)


def as_json(rows: dict[str, list[Row]]) -> str:
    """The content of boards.json, from what was counted on each board."""
    kept, boards = costs.read(), {}
    for name, key in NAMES.items():
        instructions, worst = fit(rows[COUNTED[name]])
        called = kept.get(key, kept[COUNTED[name]])
        call = called["native"].step_instructions - called["native_c"].step_instructions if "native" in called else 0
        boards[name] = {
            "clock_mhz": BOARDS[key].clock_mhz,
            "instructions_per_cycle": BOARDS[key].processor.instructions_per_cycle,
            "kernel": BOARDS[key].kernel,
            "instructions": instructions,
            "call_instructions": call,
            "worst_error": round(worst, 3),
        }
    made_by = f"python -m boards.step_costs: {len(next(iter(rows.values())))} models, {STEPS} steps each"
    return json.dumps({"made_by": made_by, "boards": boards}, indent=2) + "\n"


def main() -> int:
    """Count everything anew and keep it."""
    rows: dict[str, list[Row]] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            boards = {key: emulator(BOARDS[key]) for key in dict.fromkeys(COUNTED.values())}
            for model in models():
                for key, on in boards.items():
                    rule = KERNELS[on.board.kernel]
                    rows.setdefault(key, []).append((work(model, rule), count(on, model, Path(folder))))
    except MissingError as missing:
        print(f"step costs: {missing}", file=sys.stderr)
        return 1
    FILE.write_text(as_json(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
