"""What each way to train on long sequences costs: memory, time, and how far its gradients are from the plain ones.

    python -m scenarios.benchmarks.training_memory [--lengths 100,400,1000] [--json FILE] [--runs DIR]

The model is a speech student of 64 units on random frames, the loss a cross-entropy on every step. Bytes are those of
the tensors that are alive at once (`train.live_memory`), so the same on every machine; seconds are CPU time, the least
of a few steps. runs/training_memory/report.html shows both over the length.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch

from scenarios import report
from scenarios.benchmarks import feature_memory
from scenarios.benchmarks.feature_memory import FeatureCost
from scenarios.benchmarks.training_cost import BATCH, CONFIG, Cost, OptimizerCost, can_run, measure, optimizers
from scenarios.benchmarks.training_ways import WAYS
from scenarios.model_card import commit
from scenarios.report import series_page
from scenarios.report.series_content import Chart, Column, Line, Row, Section, SeriesReport, Table
from scenarios.report_parts import machine, now

LENGTHS = (100, 400, 1000, 4000, 10_000)
NAME = "training_memory"


def content(
    costs: list[Cost], rules: list[OptimizerCost], features: list[FeatureCost], command: str = ""
) -> SeriesReport:
    """The page: what each way needs over the length, and tables of all."""
    names = list(dict.fromkeys(cost.way for cost in costs))
    return SeriesReport(
        name=NAME,
        title="Training on long sequences",
        summary=f"A step of training a GRU of {CONFIG.hidden} units on {BATCH} sequences, taken in {len(names)} ways.",
        created=now(),
        commit=commit(),
        seed=0,
        command=command,
        machine=machine(),
        sections=(
            Section("length", "Over the length", charts=_charts(costs, names)),
            Section("all", "All numbers", tables=(_ways(costs),)),
            Section("optimizer", "What the optimizer remembers of a teacher", tables=(_rules(rules),)),
            Section("features", "What an epoch holds of its features", tables=(_features(features),)),
        ),
    )


def _charts(costs: list[Cost], names: list[str]) -> tuple[Chart, ...]:
    def lines(value: Callable[[Cost], float]) -> tuple[Line, ...]:
        own = {name: [cost for cost in costs if cost.way == name] for name in names}
        return tuple(
            Line(name, tuple(float(cost.steps) for cost in told), tuple(map(value, told))) for name, told in own.items()
        )

    return (
        Chart("The most that was alive at once.", "steps", "peak, MB", lines(lambda cost: cost.peak_mb)),
        Chart("CPU time of one step.", "steps", "seconds", lines(lambda cost: cost.seconds)),
    )


def _ways(costs: list[Cost]) -> Table:
    columns = (
        Column("steps", 0),
        Column("peak", 2, "MB", bars=True),
        Column("activations", 2, "MB"),
        Column("kept for the way back", 2, "MB"),
        Column("parameters", 3, "MB"),
        Column("gradients", 3, "MB"),
        Column("optimizer state", 3, "MB"),
        Column("time", 3, "s", bars=True),
        Column("gradients off by", 9),
    )
    rows = tuple(
        Row(
            c.way,
            (
                float(c.steps), c.peak_mb, c.activations_mb, c.kept_mb, c.parameters_mb, c.gradients_mb,
                c.optimizer_mb, c.seconds, c.gradient_difference,
            ),
        )
        for c in costs
    )  # fmt: skip
    return Table("Each way at each length.", columns, rows)


def _rules(rules: list[OptimizerCost]) -> Table:
    columns = Column("parameters", 0), Column("state", 2, "MB", bars=True), Column("time of its step", 4, "s")
    rows = tuple(Row(rule.name, (float(rule.parameters), rule.state_mb, rule.seconds)) for rule in rules)
    return Table("One step on all weights of a speech teacher.", columns, rows)


def _features(features: list[FeatureCost]) -> Table:
    columns = Column("in files", 0, "MB"), Column("memory of its own", 1, "MB", bars=True), Column("time", 1, "s")
    rows = tuple(Row(cost.way, (cost.features_mb, cost.peak_mb, cost.seconds)) for cost in features)
    return Table("Drawing the batches of one epoch from two copies of a data set.", columns, rows)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and leave the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)), help="steps, separated by commas")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lengths = tuple(int(length) for length in args.lengths.split(","))
    ways = [way for way in WAYS if can_run(way)]
    if len(ways) < len(WAYS):
        print("without 8-bit optimizer state: pip install 'tinyrnn[light]' adds it", file=sys.stderr)
    costs = []
    for cost in measure(lengths, ways):
        costs.append(cost)
        print(_line(cost), flush=True)
    rules, features = list(optimizers()), feature_memory.measure()
    for rule in rules:
        print(f"{rule.name:26s} {rule.parameters:,} weights  state {rule.state_mb:.2f} MB  {rule.seconds:.4f} s")
    for held in features:
        print(f"features {held.way:8s} {held.features_mb:.0f} MB in files  {held.peak_mb:.1f} MB  {held.seconds:.1f} s")
    command = f"python -m scenarios.benchmarks.{NAME} --lengths {args.lengths}"
    page, _ = report.write(content(costs, rules, features, command), args.runs / NAME, series_page.render)
    if args.json:
        told: dict[str, list] = {"ways": costs, "optimizers": rules, "features": features}
        args.json.write_text(json.dumps({k: [asdict(row) for row in v] for k, v in told.items()}, indent=1) + "\n")
    print(f"report  {page}")


def _line(cost: Cost) -> str:
    return (
        f"{cost.way:26s} {cost.steps:6d} steps  peak {cost.peak_mb:7.2f} MB = {cost.activations_mb:7.2f} activations "
        f"+ {cost.parameters_mb:.3f} parameters + {cost.gradients_mb:.3f} gradients + {cost.optimizer_mb:.3f} state  "
        f"kept {cost.kept_mb:7.2f} MB  {cost.seconds:7.3f} s  gradients off by {cost.gradient_difference:.1e}"
    )


if __name__ == "__main__":
    main()
