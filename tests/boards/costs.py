"""What the engines cost on each board, in guest instructions: counted, so the same on every machine. `make costs`.

Seconds are estimated from them with a guess of instructions per cycle: nothing here was measured on a real board.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from device_runtime.tables import table

from . import cost_model, programs
from .board import BOARDS, Board
from .emulator import GUEST, Emulator, emulator
from .missing import MissingError

FILE = Path(__file__).with_name("costs.json")
STEPS = 50
WITHOUT_PYTHON = "native_c"
"""hear.c: the engine and the front end in C, as firmware has them."""

PEERS = ("litert_dynamic_range", "onnx_float_gru")
"""What others use for a model of this size; `onnx` and `litert` run our own exact graphs."""

KEYS = ("zero2w", "pi4", "pi5", "pi2", "pizero")
PROGRAMS = {"arm64": "hear_aarch64", "armhf": "hear_armv7", "armel": "hear_armv6"}


@dataclass(frozen=True)
class Cost:
    """One engine on one board."""

    step_instructions: int
    """From Python: the call, the step and its two arrays. hear.c: the step."""

    second_instructions: int | None
    """Of audio: front end, steps and decoder; None where the board has no front end for Python."""

    memory_kb: int | None
    """The most that the process held above a bare Python, with what the emulator keeps of translated code."""

    def load(self, board: Board) -> float | None:
        """An estimate: the share of one core that a live stream takes."""
        if self.second_instructions is None:
            return None
        return self.second_instructions / (board.processor.instructions_per_cycle * board.clock_mhz * 1e6)


Costs = dict[str, dict[str, Cost]]


def engines(board: Board) -> tuple[str, ...]:
    """All that is counted there."""
    return (WITHOUT_PYTHON, *board.engines, *(PEERS if board.is_64_bit else ()))


def measure(on: Emulator, engine: str, folder: Path) -> Cost:
    """Count one engine; `folder` is what cost_model wrote."""
    if engine == WITHOUT_PYTHON:
        return _without_python(on, folder)
    marks, memory_kb = _python(on, engine, folder)
    _, bare_kb = _python(on, "none", folder)
    second = marks[3] - marks[2] if 3 in marks else None
    return Cost((marks[1] - marks[0]) // STEPS, second, memory_kb - bare_kb)


def _python(on: Emulator, engine: str, folder: Path) -> tuple[dict[int, int], int]:
    out = folder / "marks"
    answer = on.python(GUEST / "cost.py", str(folder), engine, str(STEPS), plugin=_plugin(out))
    if answer.code:
        raise RuntimeError(f"{engine} on {on.board.key} ended with {answer.signal or answer.code}: {answer.err[-300:]}")
    return _marks(out), int(answer.out)


def _without_python(on: Emulator, folder: Path) -> Cost:
    frames = np.random.default_rng(0).standard_normal((STEPS, 200)).astype(np.float32)
    samples = (np.random.default_rng(0).normal(0, 3000, 16_000)).astype("<i2")
    counts = []
    for kind, values in (("frames", frames), ("audio", np.concatenate([samples, samples])), ("audio", samples)):
        (folder / "in").write_bytes(values.tobytes())
        program, out = programs.program(PROGRAMS[on.board.architecture]), folder / "marks"
        arguments = (folder / "model.native", kind, folder / "in", folder / "out")
        answer = on.run(program, *arguments, plugin=_plugin(out))
        if answer.code:
            raise RuntimeError(
                f"{program.name} on {on.board.key} ended with {answer.signal or answer.code}: {answer.err}"
            )
        marks = _marks(out)
        counts.append(marks[1] - marks[0])
    steps, two_seconds, one_second = counts
    return Cost(steps // STEPS, two_seconds - one_second, None)  # the first second has fewer frames


def _plugin(out: Path) -> str:
    return f"{programs.program(programs.PLUGIN)},out={out}"


def _marks(path: Path) -> dict[int, int]:
    return {int(label): int(count) for label, count in map(str.split, path.read_text().splitlines())}


def read(path: Path = FILE) -> Costs:
    """What was kept."""
    kept = json.loads(path.read_text())
    return {key: {name: Cost(**cost) for name, cost in row.items()} for key, row in kept.items()}


def write(costs: Costs, path: Path = FILE) -> None:
    """Keep."""
    plain = {key: {name: asdict(cost) for name, cost in row.items()} for key, row in costs.items()}
    path.write_text(json.dumps(plain, indent=2) + "\n")


def as_table(costs: Costs) -> str:
    """For people; the load is an estimate."""
    return table(
        [
            {
                "board": key,
                "engine": name,
                "instructions a step": f"{cost.step_instructions:,}",
                "a second of audio": "-" if cost.second_instructions is None else f"{cost.second_instructions:,}",
                "peak kB above Python": "-" if cost.memory_kb is None else f"{cost.memory_kb:,}",
                "load (estimate)": _percent(cost.load(BOARDS[key])),
            }
            for key, row in costs.items()
            for name, cost in row.items()
        ]
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.2%}"


def main() -> int:
    """Count everything anew and keep it."""
    costs: Costs = {}
    try:
        with tempfile.TemporaryDirectory() as name:
            cost_model.write(Path(name))
            for key in KEYS:
                on = emulator(BOARDS[key])
                costs[key] = {engine: measure(on, engine, Path(name)) for engine in engines(on.board)}
    except MissingError as missing:
        print(f"costs: {missing}", file=sys.stderr)
        return 1
    write(costs)
    print(as_table(costs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
