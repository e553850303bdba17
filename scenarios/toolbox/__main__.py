"""Every method on the same task, each with several seeds: a table, a plot, and how it was made.

    python -m scenarios.toolbox arabic_commands|load_forecast [--seeds 3] [--only TEXT ...] [--recipe FILE ...]

Each outcome is kept in runs/toolbox as soon as it is measured: interrupt it, start it again, and it goes on. Several
processes share the work when they are started with other --first or --only.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console

from device_runtime.errors import InputError, TinyRnnError
from scenarios.build import in_file
from scenarios.toolbox import forecast, page, speech
from scenarios.toolbox.again import again
from scenarios.toolbox.contestant import Contestant, Outcome
from scenarios.toolbox.task import Task

NAME, OUTCOMES, BUNDLES = "toolbox", "outcomes", "bundles"
"""The folder in `runs`, and those of a task in it."""

FOUND = "found"
"""The group of recipes that came as files."""

TASKS: dict[str, Task] = {task.NAME: task for task in (speech, forecast)}


def main(arguments: list[str] | None = None) -> int:
    """Train and measure what is missing, then write the table and the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds each contestant has, from 0")
    parser.add_argument("--first", type=int, default=0, help="the first seed, to share the work between processes")
    parser.add_argument("--only", action="append", default=[], help="contestants whose group or name holds this text")
    parser.add_argument("--recipe", action="append", default=[], metavar="FILE", help="instead: recipes in .py files")
    parser.add_argument("--table", action="store_true", help="train nothing: the table of what there is")
    parser.add_argument("--again", action="store_true", help="train nothing: bytes and speed anew of what there is")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args(arguments)
    if args.seeds < 1 or args.first < 0:
        parser.error(f"--seeds {args.seeds} --first {args.first}: give 1 seed or more, the first from 0")
    torch.set_num_threads(1)
    try:
        task = TASKS[args.task]
        known = list(task.contestants())
        chosen = [of_file(path) for path in args.recipe] or choose(known, args.only)
        shown = known if args.recipe else chosen
        folder = args.runs / NAME / task.NAME
        if args.again:
            weigh_again(folder)
        elif not args.table:
            compete(task, chosen, range(args.first, args.first + args.seeds), folder, args.runs)
        outcomes = [
            Outcome.from_dict(json.loads(path.read_text())) for path in sorted((folder / OUTCOMES).glob("*.json"))
        ]
        if not outcomes:
            raise InputError(
                f"nothing has been measured in {folder} yet. Leave out --table and --again, or name --runs"
            )
        of_files = sorted({(o.group, o.name) for o in outcomes if o.group == FOUND})
        print(page.markdown(_in_order(outcomes, shown, of_files), task.SHOWN))
        print(f"\nreport  {page.write(_in_order(outcomes, known, of_files), task, folder)}")
    except TinyRnnError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _in_order(
    outcomes: list[Outcome], contestants: Sequence[Contestant], beyond: list[tuple[str, str]]
) -> list[Outcome]:
    rows = [(c.group, c.name) for c in contestants] + beyond
    return [o for row in rows for o in outcomes if (o.group, o.name) == row]


def choose(contestants: Sequence[Contestant], wanted: Sequence[str]) -> list[Contestant]:
    """Those whose group or name holds one of the texts; all without any."""
    chosen = [c for c in contestants if not wanted or any(text in f"{c.group}: {c.name}" for text in wanted)]
    if not chosen:
        known = "; ".join(f"{c.group}: {c.name}" for c in contestants)
        raise InputError(f"--only {' '.join(wanted)} names no contestant. There are {known}.")
    return chosen


def of_file(path: str) -> Contestant:
    """A recipe that was found elsewhere, such as by `tinyrnn search`, under its own name."""
    recipe = in_file(path)
    return Contestant(FOUND, recipe.name, recipe)


def compete(task: Task, contestants: Sequence[Contestant], seeds: Sequence[int], folder: Path, runs: Path) -> None:
    """Measure every contestant with every seed, but for what is measured already."""
    missing = [(c, seed) for seed in seeds for c in contestants if not is_measured(c, seed, folder)]
    if not missing:
        return
    (folder / OUTCOMES).mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    trainings = task.trainings(folder, runs)
    for at, (contestant, seed) in enumerate(missing):
        console.rule(f"{at + 1}/{len(missing)}  {contestant.group}: {contestant.name}, seed {seed}")
        outcome = task.contest(contestant, seed, trainings, folder / BUNDLES)
        keep(outcome, folder / OUTCOMES / f"{contestant.slug}-{seed}.json")
        console.print(f"{outcome.measured}, {outcome.device_bytes / 1000:.1f} KB")


def is_measured(contestant: Contestant, seed: int, folder: Path) -> bool:
    """Whether there is an outcome of this very recipe: one that was edited since is measured anew."""
    path = folder / OUTCOMES / f"{contestant.slug}-{seed}.json"
    return path.exists() and Outcome.from_dict(json.loads(path.read_text())).recipe == contestant.digest


def keep(outcome: Outcome, path: Path) -> None:
    """Write it whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(outcome.as_dict(), indent=1) + "\n")
    part.replace(path)


def weigh_again(folder: Path) -> None:
    """Of every outcome that has a bundle."""
    for path in sorted((folder / OUTCOMES).glob("*.json")):
        kept = folder / BUNDLES / f"{path.stem}.bundle"
        if kept.exists():
            keep(again(Outcome.from_dict(json.loads(path.read_text())), kept), path)


if __name__ == "__main__":
    sys.exit(main())
