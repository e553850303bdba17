"""The verb `tinyrnn build SCENARIO`: run a scenario's pipeline in runs/SCENARIO."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from device_runtime.arguments import examples, given_path, seed
from device_runtime.errors import InputError
from device_runtime.meant import meant
from scenarios import folders


class Recipe(Protocol):
    """A scenario of any task."""

    PIPELINE: ClassVar[str]
    """The module whose `run` builds it, and whose `quick` makes it short."""

    @property
    def name(self) -> str:
        """Of the scenario, and of what it builds."""

    @property
    def seed(self) -> int:
        """Of everything drawn at random."""


SCENARIOS = {
    "demo": ("scenarios.demo", "SCENARIO"),
    "keyword_spotting": ("scenarios.keyword_spotting", "SCENARIO"),
    "arabic_commands": ("scenarios.arabic_commands", "SCENARIO"),
    "arabic_commands_small": ("scenarios.arabic_commands", "SMALL"),
    "arabic_commands_tiny": ("scenarios.arabic_commands", "TINY"),
    "load_forecast": ("scenarios.load_forecast", "SCENARIO"),
    "load_forecast_etth1": ("scenarios.load_forecast", "ETTH1"),
    "load_forecast_etth2": ("scenarios.load_forecast", "ETTH2"),
    "load_forecast_ettm1": ("scenarios.load_forecast", "ETTM1"),
    "machine_health": ("scenarios.machine_health", "SCENARIO"),
    "remaining_life": ("scenarios.remaining_life", "SCENARIO"),
    "prices": ("scenarios.prices", "SCENARIO"),
}
"""Where each scenario's recipe is; imported only when it is asked for."""


def add_verb(verbs: Any) -> None:
    """Called by `device_runtime.cli` through the entry-point group."""
    text = "train, compress, export and verify a scenario's bundle"
    shown = examples(
        "build demo --words lumos,nox",
        "build load_forecast --csv greenhouse.csv",
        "build arabic_commands --data DIR",
        "build keyword_spotting --quick",
    )
    parser = verbs.add_parser("build", help=text, description=f"{text.capitalize()}.", epilog=shown)
    parser.add_argument("scenario", help=f"one of: {', '.join(SCENARIOS)}; or a .py file that has a SCENARIO")
    parser.add_argument(
        "--data", type=given_path, help="the folder of the data (else TINYRNN_DATA, the cache, a download)"
    )
    parser.add_argument("--runs", type=given_path, default=Path("runs"), help="where the run's folder goes")
    parser.add_argument("--seed", type=seed, help="another seed than the scenario's")
    parser.add_argument("--words", help="other words for the demo, separated by commas: any that you can spell")
    parser.add_argument("--csv", type=given_path, help="your own log of sensors for load_forecast: times and numbers")
    parser.add_argument("--horizon", type=int, metavar="N", help="samples ahead for load_forecast, other than its own")
    parser.add_argument(
        "--quick", action="store_true", help="all data, but hardly trained: to see that everything runs"
    )
    parser.set_defaults(handler=build)


def build(args: argparse.Namespace) -> int:
    """Run the pipeline; 1 when a promise of the budget was missed."""
    recipe = find(args.scenario)
    if args.data is not None:
        if not args.data.is_dir():
            raise InputError(f"there is no data folder {args.data}. Correct --data, or leave it out to download.")
        os.environ["TINYRNN_DATA"] = str(args.data.resolve())
    folders.check(args.runs, "the folder of runs", "--runs")
    import torch
    from rich.console import Console

    from scenarios.variants import with_options

    torch.set_num_threads(1)  # on few cores one thread is the fastest, and always gives the same bits
    scenario = with_options(recipe, args.seed, args.words, args.csv, args.horizon)
    pipeline: Any = importlib.import_module(scenario.PIPELINE)
    progress = Console(stderr=True)
    try:
        result = pipeline.run(pipeline.quick(scenario) if args.quick else scenario, args.runs, progress, _typed(args))
    except KeyboardInterrupt:
        progress.print("\nstopped; what was trained is kept: the same command goes on from there", style="yellow")
        raise
    print(f"bundle  {result.bundle}")
    print(f"report  {result.report}")
    for promise in result.missed:
        print(f"missed: {promise}")
    return 1 if result.missed else 0


def _typed(args: argparse.Namespace) -> list[str]:
    """The options that decide what is built, beside those that a scenario itself tells (its seed, --quick)."""
    options = {"--words": args.words, "--csv": args.csv, "--horizon": args.horizon, "--data": args.data}
    return [text for name, value in options.items() if value is not None for text in (name, str(value))]


def find(name: str) -> Recipe:
    """The scenario of that name or in that .py file; a near one is suggested for an unknown name."""
    if name.endswith(".py"):
        return in_file(name)
    if name not in SCENARIOS:
        known = ", ".join(SCENARIOS)
        raise InputError(f"there is no scenario {name!r}{meant(name, SCENARIOS)}. Choose one of: {known}.")
    module, attribute = SCENARIOS[name]
    scenario: Recipe = getattr(importlib.import_module(module), attribute)
    return scenario


def in_file(path: str) -> Recipe:
    """The SCENARIO of a Python file, which is run: build only what you trust."""
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}. Correct the path, or name a scenario: {', '.join(SCENARIOS)}.")
    spec = importlib.util.spec_from_file_location(f"tinyrnn_scenario_{Path(path).stem}", path)
    assert spec is not None  # as it ends with .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names in their annotations
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} cannot be used: {type(error).__name__}: {error}. Correct the file.") from error
    scenario: Any = getattr(module, "SCENARIO", None)
    if scenario is None:
        raise InputError(f"{path} has no SCENARIO, which is what a build takes. Name it so, as scenarios/demo.py does.")
    if not (hasattr(scenario, "PIPELINE") and is_dataclass(scenario) and not isinstance(scenario, type)):
        kind = type(scenario).__name__
        raise InputError(
            f"the SCENARIO of {path} is of the type {kind}, expected a Scenario. See scenarios/demo.py for one."
        )
    has_place = any(field.name == "typed" for field in fields(scenario))
    changed: dict[str, Any] = {"typed": path} if has_place else {}
    found: Any = replace(scenario, **changed)
    recipe: Recipe = found
    return recipe
