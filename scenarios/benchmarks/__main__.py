"""`make bench`: each committed bundle on every engine and on float peers; then what the native engine is aimed at.

python -m scenarios.benchmarks [--part NAME ...] [--bundle FOLDER ...] [--steps N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from device_runtime import engines
from device_runtime.bundle import read_manifest
from device_runtime.errors import InputError, TinyRnnError
from device_runtime.tables import table
from scenarios.benchmarks import audio_second, limit, memory, python_step, zeros
from scenarios.benchmarks.compare import BUNDLES, Row, compare
from scenarios.benchmarks.part import Part
from scenarios.benchmarks.peers import BASELINE

BUNDLES_PART = "bundles"
HEARS = "keyword_spotting"
"""The task whose bundles have float peers: those of sensors are timed in the reports of their builds."""

PARTS = {part.NAME: part.measure for part in (python_step, limit, zeros, audio_second, memory)}
"""By their names on the command line, in the order of the output. They all need the native engine."""


def main(arguments: list[str] | None = None) -> int:
    """Print a table for each bundle and each part; 0, or 2 after one line that says what is wrong."""
    args = _parser().parse_args(arguments)
    wanted = args.part or [BUNDLES_PART, *PARTS]
    try:
        if args.json and not args.json.parent.is_dir():
            raise InputError(f"{args.json} cannot be written: its folder does not exist. Give --json another file")
        bundles = dict(_bundles(args.bundle, args.steps)) if BUNDLES_PART in wanted else {}
        parts = dict(_parts([name for name in PARTS if name in wanted], args.steps))
        if args.json:
            _write(args.json, bundles, parts)
    except TinyRnnError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"\nOn {machine()}")
    return 0


def _bundles(named: list[Path], steps: int) -> Iterator[tuple[str, list[Row]]]:
    for folder in _folders(named):
        _progress(folder.name)
        rows = compare(folder, steps)
        print(f"\n{folder.name}\n{table([_words(row) for row in rows])}")
        yield folder.name, rows
    print(f"\nratios: to {BASELINE}; below 1 is faster or smaller; steps are timed by the clock on the wall")


def _parts(wanted: list[str], steps: int) -> Iterator[tuple[str, Part]]:
    if wanted and not engines.ENGINES["native"].is_installed():
        print(
            f"\nnot measured: {', '.join(wanted)}. They need the native engine, which is built where a C compiler is: "
            "pip install --force-reinstall ./device_runtime",
            file=sys.stderr,
        )
        return
    for name in wanted:
        _progress(name)
        part = PARTS[name](steps)
        print(f"\n{part.text()}")
        yield name, part


def machine() -> str:
    """Where this was measured."""
    return f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.partition("\n")[0] if __doc__ else None)
    names = (BUNDLES_PART, *PARTS)
    parser.add_argument("--part", action="append", default=[], choices=names, help="only this part (all)")
    parser.add_argument("--bundle", type=Path, action="append", default=[], help="instead of scenarios/bundles/*")
    parser.add_argument("--steps", type=int, default=2000, help="steps timed on each engine (2000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    return parser


def _folders(named: list[Path]) -> list[Path]:
    folders = named or [path for path in sorted(BUNDLES.glob("*.bundle")) if read_manifest(path).task == HEARS]
    if not folders:
        raise InputError(f"{BUNDLES} holds no *.bundle. Name one with --bundle, or make one with: tinyrnn build demo")
    return folders


def _progress(name: str) -> None:
    print(f"timing {name} ...", file=sys.stderr)


def _words(row: Row) -> dict[str, str | float]:
    return {
        "engine": row.engine,
        "arithmetic": "int8, exact" if row.exact else "float",
        "step us": row.step_us_median,
        "p99 us": row.step_us_p99,
        "second cpu us": row.audio_second_us,
        "real time": row.real_time_factor,
        "peak MB": row.peak_mb,
        "step ratio": row.step_ratio,
        "memory ratio": row.memory_ratio,
    }


def _write(path: Path, bundles: dict[str, list[Row]], parts: dict[str, Part]) -> None:
    measured = {
        "machine": machine(),
        "baseline": BASELINE,
        "bundles": {name: [asdict(row) for row in rows] for name, rows in bundles.items()},
        "parts": {name: part.as_dict() for name, part in parts.items()},
    }
    path.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
