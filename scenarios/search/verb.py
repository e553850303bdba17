"""The verb `tinyrnn search SCENARIO --board BOARD --budget LIMITS`: the best recipes within a budget, and one built."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

from device_runtime.arguments import examples, given, given_path, seed
from device_runtime.errors import InputError
from device_runtime.tables import table


def add_verb(verbs: Any) -> None:
    """Called by `device_runtime.cli` through the entry-point group."""
    text = "search the best recipe for a board and its budget, and build it"
    shown = examples(
        "search demo --quick --trials 20",
        "search arabic_commands --board pi-zero-2w --budget size_kb=20,step_us=50,memory_mb=30",
        "search demo --board pi-5 --fix stride=3 --workers 4",
        "search arabic_commands --trials 200 --storage postgresql://user:password@host/searches",
    )
    parser = verbs.add_parser("search", help=text, description=f"{text.capitalize()}.", epilog=shown)
    parser.add_argument("scenario", help="whose recipe is varied: a name that build takes, or a .py file")
    parser.add_argument("--board", default="host", help="where the model will run, such as pi-zero-2w (this machine)")
    limits = "at most so many, such as size_kb=20,step_us=50,memory_mb=30"
    parser.add_argument("--budget", type=given, metavar="LIMITS", help=limits)
    parser.add_argument("--trials", type=at_least_one, default=40, metavar="N", help="candidates to train, in all (40)")
    parser.add_argument("--workers", type=at_least_one, metavar="N", help="processes, each on one core (all cores)")
    parser.add_argument("--fix", type=given, metavar="VALUES", help="do not search these: stride=3,block=8x1")
    url = "a database for workers on many machines: each runs this same command (a journal file)"
    parser.add_argument("--storage", type=given, metavar="URL", help=url)
    parser.add_argument("--quick", action="store_true", help="train each candidate less than half as long")
    parser.add_argument("--seed", type=seed, help="another seed than the scenario's")
    parser.add_argument(
        "--data", type=given_path, help="the folder of the data (else TINYRNN_DATA, the cache, a download)"
    )
    parser.add_argument("--runs", type=given_path, default=Path("runs"), help="where the search's folder goes")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(handler=search)


def at_least_one(text: str) -> int:
    """A number of things.

    >>> at_least_one("20")
    20
    """
    if re.fullmatch(r"[0-9]{1,6}", text) and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number from 1 on, got {text[:40]!r}")


def search(args: argparse.Namespace) -> int:
    """Search, report and build; 1 when the finished bundle misses the budget or a promise of its scenario."""
    if args.data is not None:
        if not args.data.is_dir():
            raise InputError(f"there is no data folder {args.data}. Correct --data, or leave it out to download.")
        os.environ["TINYRNN_DATA"] = str(args.data.resolve())
    import torch
    from rich.console import Console

    from scenarios.search.plan import Plan
    from scenarios.search.search import run

    torch.set_num_threads(1)
    plan = Plan(
        scenario=args.scenario,
        board=args.board,
        budget=args.budget or "",
        trials=args.trials,
        runs=str(args.runs),
        quick=args.quick,
        seed=args.seed,
        fix=args.fix or "",
        storage=args.storage,
    )
    progress = Console(stderr=True)
    try:
        found = run(plan, args.workers or len(os.sched_getaffinity(0)), progress, typed(args))
    except KeyboardInterrupt:
        progress.print("\nstopped; what was tried is kept: the same command goes on from there", style="yellow")
        raise
    print(json.dumps(found.as_dict(), indent=2) if args.json else table(found.rows()))
    if not args.json:
        print(f"chosen  candidate {found.best.number}")
        print(f"recipe  {found.recipe}")
        print(f"bundle  {found.bundle}")
        print(f"report  {found.report}")
        for promise in found.missed:
            print(f"missed: {promise}")
    return 1 if found.missed else 0


def typed(args: argparse.Namespace) -> str:
    """The command, to be told in reports: without the password of a database."""
    from scenarios.search.study import without_password

    options = {
        "--board": args.board,
        "--budget": args.budget or None,
        "--trials": args.trials,
        "--fix": args.fix or None,
        "--storage": without_password(args.storage) if args.storage else None,
        "--seed": args.seed,
        "--data": args.data,
    }
    told = [text for name, value in options.items() if value is not None for text in (name, str(value))]
    return shlex.join(["tinyrnn", "search", args.scenario, *told, *(["--quick"] if args.quick else [])])
