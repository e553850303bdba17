"""The verb `tinyrnn compare A.bundle B.bundle DATA`: what compression, or anything else, changed."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from device_runtime import engines
from device_runtime.arguments import examples, given, given_path, seed
from device_runtime.bundle import read
from device_runtime.recordings import SPLITS
from scenarios import folders


def add_verb(verbs: Any) -> None:
    """Called by `device_runtime.cli` through the entry-point group."""
    text = "say which examples two bundles decide otherwise, and which parts of them matter"
    shown = examples(
        "compare float.bundle pruned.bundle arabic_speech_commands",
        "compare a.bundle b.bundle recordings --limit 500 --json",
        "compare a.bundle b.bundle ETTh1.csv --out a_and_b",
    )
    parser = verbs.add_parser("compare", help=text, description=f"{text.capitalize()}.", epilog=shown)
    parser.add_argument("first", type=given, metavar="A.bundle", help="the bundle that things change from")
    other = "the one that they change to, of the same task and labels"
    parser.add_argument("second", type=given, metavar="B.bundle", help=other)
    parser.add_argument(
        "data", type=given, metavar="DATA", help="as evaluate takes it: labelled recordings, or a CSV file"
    )
    parser.add_argument("--split", default="test", choices=[*SPLITS, "all"], help="as the data set has them (test)")
    parser.add_argument("--limit", type=int, metavar="N", help="only N clips, drawn at random by --seed")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="of the order of the clips and --limit (0)")
    choices = f"that hears both: one of {', '.join(engines.ENGINES)} (default: {engines.DEFAULT})"
    parser.add_argument("--engine", metavar="NAME", help=choices)
    parser.add_argument("--out", type=given_path, metavar="DIR", help="where the report goes (runs/A.B.compared)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(handler=compare)


def compare(args: argparse.Namespace) -> int:
    """Measure, report and print."""
    from scenarios.comparing.tasks import TASKS, check
    from scenarios.report import write
    from scenarios.report.series_page import render

    first, second = read(args.first), read(args.second)
    check(first, second)
    args.engine = args.engine or engines.DEFAULT
    folder = args.out or Path("runs") / f"{_name(args.first)}.{_name(args.second)}.compared"
    folders.check(folder, "the report's folder", "--out")
    found = TASKS[first.manifest.task](first, second, args)
    page, _ = write(found.page(typed(args)), folder, render)
    if args.json:
        print(json.dumps({**found.numbers, "report": str(page)}, indent=2, allow_nan=False))
    else:
        print(f"{found.text}\n\nreport  {page}")
    return 0


def _name(bundle: str) -> str:
    return Path(bundle).resolve().name.removesuffix(".bundle")


def typed(args: argparse.Namespace) -> str:
    """The command, to be told in the report."""
    options = {"--split": args.split, "--limit": args.limit, "--seed": args.seed, "--engine": args.engine}
    told = [text for name, value in options.items() if value is not None for text in (name, str(value))]
    return shlex.join(["tinyrnn", "compare", args.first, args.second, args.data, *told])
