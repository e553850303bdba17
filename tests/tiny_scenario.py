"""The smallest scenario that goes through the whole pipeline, in seconds, and the command line that builds it."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compress.prune import Prune
from compress.quantize import Int8
from device_runtime import bundle, cli
from scenarios import bundling, measure
from scenarios.benchmarks.compare import Row
from scenarios.build import SCENARIOS
from scenarios.scenario import Budget, Scenario
from tones import Folder
from train.loop import Schedule
from train.material import COLD, WARM, Mix
from train.student import StudentConfig
from train.teacher import TeacherConfig


def recipe(root: Path) -> Scenario:
    """Two words; it learns next to nothing, but every stage, engine and check is the real one."""
    words = Folder(root, ("low", "high"), each=6)
    return Scenario(
        name="tiny",
        title="Two [tones]",
        summary="Tones told apart.",
        mix=Mix(
            words,
            negatives=(Folder(root, ("talk",), each=2, seconds=3.0, name="talk"),),
            tests=(Folder(root, ("other",), each=3, name="others"),),
            hearings=(COLD, WARM),
        ),
        teacher=TeacherConfig(channels=2, projection=8, hidden=6, gru_layers=1),
        teacher_schedule=Schedule(epochs=2, learning_rate=3e-3),
        student=StudentConfig(channels=4, projection=24, hidden=32),
        schedule=Schedule(epochs=3, learning_rate=1e-2, validate_every=2),
        versions=1,
        compress=(Prune(sparsity=0.5, epochs=2), Int8(epochs=2)),
        budget=Budget(size_kb=20, accuracy=0.0, int8_loss=1.0, warm_gap=1.0),
    )


def trainings(folder: Path) -> set[str]:
    """What has a checkpoint for a run's folder: names without the digest of the settings."""
    found = [*(folder / "checkpoints").glob("*.ckpt"), *(folder.parent / "teachers").glob("*.ckpt")]
    return {path.stem.rsplit("-", 1)[0] for path in found}


def hashes(result: bundling.Result) -> dict[str, dict[str, Any]]:
    """The files of the bundle that a run has built, with their hashes, by name."""
    return bundle.read(result.bundle).manifest.files


def use(patch, root: Path, scenario: Scenario | None = None) -> None:
    """`tinyrnn build tiny` builds it, with a cache of its own, installed or not."""
    patch.setitem(SCENARIOS, "tiny", ("tiny_scenario", "SCENARIO"))
    patch.setitem(globals(), "SCENARIO", scenario or recipe(root / "data"))
    patch.setenv("TINYRNN_CACHE", str(root / "cache"))
    added = {"build": "scenarios.build:add_verb", "search": "scenarios.search.verb:add_verb"}
    verbs = [importlib.metadata.EntryPoint(name, place, cli.VERBS_GROUP) for name, place in added.items()]
    patch.setattr(importlib.metadata, "entry_points", lambda **of: verbs if of["group"] == cli.VERBS_GROUP else [])


def as_file(patch, root: Path) -> None:
    """The same as tiny.py in a folder that is gone to: what `tinyrnn search tiny.py` takes there."""
    use(patch, root)
    patch.delenv("TINYRNN_DATA", raising=False)
    patch.chdir(root)
    data = str(root / "data")
    text = f"from pathlib import Path\nimport tiny_scenario\nSCENARIO = tiny_scenario.recipe(Path({data!r}))\n"
    (root / "tiny.py").write_text(text)


@contextmanager
def in_use(root: Path) -> Iterator[pytest.MonkeyPatch]:
    """As `use`, for as long as the context lasts."""
    with pytest.MonkeyPatch.context() as patch:
        use(patch, root)
        yield patch


def main() -> None:
    """What one of torchrun's processes does in a test: build the tiny scenario in the folder that is named."""
    root = Path(sys.argv[1])
    with in_use(root) as patch:
        quicken(patch)
        sys.exit(cli.main(["build", "tiny", "--runs", str(root / "runs")]))


def quicken(patch) -> None:
    """Fewer frames to prove and no engine timed, for builds that are about something else."""
    ours = Row("reference", True, 1.0, 1.0, 1.0, 0.001, 30.0, 0.5, 0.5)
    peer = replace(ours, engine="float peer", exact=False)
    patch.setattr(measure, "compare", lambda path, steps: [ours, peer])
    patch.setattr(bundling, "PARITY_FRAMES", 200)
    exact = bundling.parity
    patch.setattr(bundling, "parity", lambda student, engines, frames: exact(student, engines, frames, 200))
