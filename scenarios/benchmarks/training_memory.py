"""What each way to train on long sequences costs: memory, time, and how far its gradients are from the plain ones.

    python -m scenarios.benchmarks.training_memory [--lengths 100,400,1000] [--json FILE] [--runs DIR]

The model is a speech student of 64 units on random frames, the loss a cross-entropy on every step. Bytes are those of
the tensors that are alive at once (`train.live_memory`), so the same on every machine; seconds are the least of a few
runs. runs/training_memory/report.html shows both over the length.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn import functional

from scenarios import report
from scenarios.model_card import commit
from scenarios.report import series_page
from scenarios.report.series_content import Chart, Column, Line, Row, Section, SeriesReport, Table
from scenarios.report_parts import machine, now
from train import offload, truncated
from train.live_memory import LiveMemory
from train.recompute import Recompute
from train.student import Student, StudentConfig

LENGTHS = (100, 200, 400, 1000, 2000, 4000, 10_000)
BATCH, LABELS = 4, 12
CONFIG = StudentConfig(channels=0, projection=0, hidden=64, bands=40, stack=1)
NAME = "training_memory"


Learn = Callable[[Student, torch.Tensor, torch.Tensor], None]
"""(model, frames, labels): leaves the gradients in the model's parameters."""


@dataclass(frozen=True)
class Way:
    """One way to get the gradients of a sequence."""

    name: str
    learn: Learn


@dataclass(frozen=True)
class Cost:
    """Of one way at one length."""

    way: str
    steps: int
    peak_mb: float
    """Of activations, temporary tensors and gradients; parameters are beside it."""

    kept_mb: float
    """What is still there when the forward pass is over, before the way back."""

    seconds: float
    gradient_difference: float
    """The largest, against the largest gradient of the plain way."""


def _loss(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(outputs.flatten(0, 1), labels.flatten())


def _plain(model: Student, frames: torch.Tensor, labels: torch.Tensor) -> None:
    _loss(model.continued(frames, ())[0], labels).backward()


def _recomputed(steps: int | None) -> Learn:
    def learn(model: Student, frames: torch.Tensor, labels: torch.Tensor) -> None:
        _loss(Recompute(steps).run(model, frames), labels).backward()

    return learn


def _within(
    context: Callable[[Student], AbstractContextManager],
) -> Callable[[Student, torch.Tensor, torch.Tensor], None]:
    def learn(model: Student, frames: torch.Tensor, labels: torch.Tensor) -> None:
        with context(model):
            _plain(model, frames, labels)

    return learn


def _truncated(model: Student, frames: torch.Tensor, labels: torch.Tensor) -> None:
    truncated.gradients(model, frames, lambda outputs, here: _loss(outputs, labels[:, here]), 100)


WAYS = (
    Way("plain", _plain),
    Way("recomputed, sqrt(T) steps", _recomputed(None)),
    Way("recomputed, 200 steps", _recomputed(200)),
    Way("truncated to 100 steps", _truncated),
    Way("activations on disk", _within(lambda model: offload.to_disk(model, smallest_bytes=512))),
    Way("bfloat16", _within(lambda model: torch.autocast("cpu", torch.bfloat16))),
)


def measure(lengths: tuple[int, ...], repeats: int = 3) -> Iterator[Cost]:
    """Every way at every length, on the same weights and frames."""
    for length in lengths:
        generator = torch.Generator().manual_seed(length)
        frames = torch.randn(BATCH, length, CONFIG.bands, generator=generator)
        labels = torch.randint(LABELS, (BATCH, length), generator=generator)
        expected: torch.Tensor | None = None
        for way in WAYS:
            model = _fresh()
            with LiveMemory() as memory:
                way.learn(model, frames, labels)
            gradients = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
            expected = gradients if expected is None else expected
            off = float((gradients - expected).abs().max() / expected.abs().max())
            seconds = min(_seconds(way, frames, labels) for _ in range(repeats))
            yield Cost(way.name, length, memory.peak_bytes / 1e6, _kept(way, frames, labels), seconds, off)


def _fresh() -> Student:
    torch.manual_seed(0)
    return Student(CONFIG, LABELS)


def _seconds(way: Way, frames: torch.Tensor, labels: torch.Tensor) -> float:
    model = _fresh()
    started = time.process_time()
    way.learn(model, frames, labels)
    return time.process_time() - started


def _kept(way: Way, frames: torch.Tensor, labels: torch.Tensor) -> float:
    """Megabytes alive as the first gradient of the way back is taken."""
    model, seen = _fresh(), []
    with LiveMemory() as memory:
        model.head.weight.register_hook(lambda gradient: seen.append(memory.live_bytes))
        way.learn(model, frames, labels)
    return max(seen) / 1e6


def content(costs: list[Cost], command: str) -> SeriesReport:
    """The page: what each way needs over the length, and a table of all."""
    names = list(dict.fromkeys(cost.way for cost in costs))

    def lines(field: str) -> tuple[Line, ...]:
        return tuple(
            Line(
                name,
                tuple(float(c.steps) for c in costs if c.way == name),
                tuple(asdict(c)[field] for c in costs if c.way == name),
            )
            for name in names
        )

    columns = (
        Column("steps", 0),
        Column("peak", 2, "MB", bars=True),
        Column("kept for the way back", 2, "MB"),
        Column("time", 3, "s", bars=True),
        Column("gradients off by", 9),
    )
    rows = tuple(Row(c.way, (float(c.steps), c.peak_mb, c.kept_mb, c.seconds, c.gradient_difference)) for c in costs)
    charts = (
        Chart("The most that was alive at once, without parameters.", "steps", "peak, MB", lines("peak_mb")),
        Chart("CPU time of one forward pass and the way back.", "steps", "seconds", lines("seconds")),
    )
    return SeriesReport(
        name=NAME,
        title="Training on long sequences",
        summary=f"Gradients of a GRU of {CONFIG.hidden} units for {BATCH} sequences, got in {len(names)} ways.",
        created=now(),
        commit=commit(),
        seed=0,
        command=command,
        machine=machine(),
        sections=(
            Section("length", "Over the length", charts=charts),
            Section("all", "All numbers", tables=(Table("Each way at each length.", columns, rows),)),
        ),
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and leave the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)), help="steps, separated by commas")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    args = parser.parse_args(arguments)
    torch.set_num_threads(1)
    lengths = tuple(int(length) for length in args.lengths.split(","))
    costs = []
    for cost in measure(lengths):
        costs.append(cost)
        print(
            f"{cost.way:26s} {cost.steps:6d} steps  peak {cost.peak_mb:8.2f} MB  kept {cost.kept_mb:8.2f} MB  "
            f"{cost.seconds:7.3f} s  gradients off by {cost.gradient_difference:.1e}",
            flush=True,
        )
    command = f"python -m scenarios.benchmarks.{NAME} --lengths {args.lengths}"
    page, _ = report.write(content(costs, command), args.runs / NAME, series_page.render)
    if args.json:
        args.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=1) + "\n")
    print(f"report  {page}")


if __name__ == "__main__":
    main()
