"""`make bench`: each committed bundle on every engine, beside a float ONNX GRU, a float LiteRT step and torch.

python -m scenarios.benchmarks [--bundle FOLDER ...] [--steps N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from device_runtime.errors import InputError, TinyRnnError
from device_runtime.tables import table
from scenarios.benchmarks.compare import Row, compare
from scenarios.benchmarks.peers import BASELINE

BUNDLES = Path(__file__).resolve().parents[1] / "bundles"


def main(arguments: list[str] | None = None) -> int:
    """Print a table for each bundle; 0, or 2 after one line that says what is wrong."""
    args = _parser().parse_args(arguments)
    try:
        if args.json and not args.json.parent.is_dir():
            raise InputError(f"{args.json} cannot be written: its folder does not exist. Give --json another file")
        measured = {folder.name: compare(folder, args.steps) for folder in _progress(_folders(args.bundle))}
        for name, rows in measured.items():
            print(f"\n{name}\n{table([_words(row) for row in rows])}")
        print(f"\nratios: to {BASELINE}; below 1 is faster or smaller. On {machine()}")
        if args.json:
            _write(args.json, measured)
    except TinyRnnError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def machine() -> str:
    """Where this was measured."""
    return f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--bundle", type=Path, action="append", default=[], help="instead of scenarios/bundles/*")
    parser.add_argument("--steps", type=int, default=2000, help="steps timed on each engine (2000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    return parser


def _folders(named: list[Path]) -> list[Path]:
    folders = named or sorted(BUNDLES.glob("*.bundle"))
    if not folders:
        raise InputError(f"{BUNDLES} holds no *.bundle. Name one with --bundle, or make one with: tinyrnn build demo")
    return folders


def _progress(folders: list[Path]) -> Any:
    for folder in folders:
        print(f"timing {folder.name} ...", file=sys.stderr)
        yield folder


def _words(row: Row) -> dict[str, str | float]:
    return {
        "engine": row.engine,
        "arithmetic": "int8, exact" if row.exact else "float",
        "step us": row.step_us_median,
        "p99 us": row.step_us_p99,
        "second us": row.audio_second_us,
        "real time": row.real_time_factor,
        "peak MB": row.peak_mb,
        "step ratio": row.step_ratio,
        "memory ratio": row.memory_ratio,
    }


def _write(path: Path, measured: dict[str, list[Row]]) -> None:
    rows = {name: [asdict(row) for row in rows] for name, rows in measured.items()}
    path.write_text(json.dumps({"machine": machine(), "baseline": BASELINE, "bundles": rows}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
