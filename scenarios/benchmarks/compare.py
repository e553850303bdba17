"""Time a bundle's engines and their float peers in turns, so that a busy moment of the machine hits all alike."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device_runtime import bench, bundle, engines
from device_runtime.arithmetic import Float32
from device_runtime.bundle import Bundle
from device_runtime.errors import EngineError
from device_runtime.session import Session
from scenarios.benchmarks import turns
from scenarios.benchmarks.floats import float_model
from scenarios.benchmarks.peers import BASELINE, BY_NAME, PEERS
from scenarios.benchmarks.turns import Run

ROUNDS = 5
SECONDS = 5
"""Of audio that each engine hears in a round."""

HOUSE = Path(__file__).resolve().parents[2]
BUNDLES = HOUSE / "scenarios" / "bundles"


@dataclass(frozen=True)
class Row:
    """What one engine or peer costs."""

    engine: str
    exact: bool
    """Whether it is one of ours, with the same bits as every other one."""

    step_us_median: float
    step_us_p99: float
    audio_second_us: float
    """CPU time of one second of input, from samples to events."""

    real_time_factor: float
    peak_mb: float
    step_ratio: float
    """Its median step over the baseline's: below 1 is faster."""

    memory_ratio: float


def compare(folder: Path, steps: int = 2000) -> list[Row]:
    """One row for each engine that can run here and for each peer."""
    folder = folder.resolve()
    opened = bundle.read(folder)
    with tempfile.TemporaryDirectory() as temporary:
        files = {peer.NAME: Path(temporary) / f"peer{i}" for i, peer in enumerate(PEERS)}
        for peer in PEERS:
            peer.write(float_model(opened.model), files[peer.NAME])
        ours = engines.available(opened)
        sessions = {name: Session(opened, name) for name in ours}
        sessions |= {name: session_with_peer(opened, name, path) for name, path in files.items()}
        step_us: dict[str, list[np.ndarray]] = {name: [] for name in sessions}
        second = [bench.example_signal(Session(opened), 1.0)]
        one_second = {name: turns.cpu_time(hearing(session, second)) for name, session in sessions.items()}
        second_us: dict[str, list[float]] = {name: [] for name in sessions}
        for _ in range(ROUNDS):
            for name, session in sessions.items():
                step_us[name].append(bench.time_steps(session, steps // ROUNDS))
                second_us[name].append(one_second[name](SECONDS))
        peak_mb = {name: _peak_mb(folder, name, files.get(name)) for name in sessions}
    medians = {name: float(np.median(np.concatenate(took))) for name, took in step_us.items()}
    return [
        Row(
            engine=name,
            exact=name in ours,
            step_us_median=round(medians[name], 1),
            step_us_p99=round(float(np.percentile(np.concatenate(step_us[name]), 99)), 1),
            audio_second_us=round(float(np.median(second_us[name]))),
            real_time_factor=round(float(np.median(second_us[name])) / 1e6, 5),
            peak_mb=round(peak_mb[name], 1),
            step_ratio=round(medians[name] / medians[BASELINE], 2),
            memory_ratio=round(peak_mb[name] / peak_mb[BASELINE], 2),
        )
        for name in sessions
    ]


def session_with_peer(opened: Bundle, name: str, path: Path) -> Session:
    """A session whose engine is a peer, with the bundle's own front end and decoder around it."""
    session = Session(opened)
    session.engine = BY_NAME[name].load(path, sum(opened.model.hidden_sizes))
    return session


def hearing(session: Session, chunks: Sequence[Float32]) -> Run:
    """The work of hearing all the chunks, from samples to events."""

    def run(times: int) -> None:
        for _ in range(times):
            for chunk in chunks:
                session.push(chunk)

    return run


def _peak_mb(folder: Path, name: str, peer_file: Path | None) -> float:
    if peer_file is None:
        return bench.peak_mb_of_fresh_process(folder, name)
    command = [sys.executable, "-m", "scenarios.benchmarks.fresh", str(folder), name, str(peer_file)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HOUSE)
    if answer.returncode:
        raise EngineError(f"a fresh process could not run {name}: {answer.stderr.strip()[-300:]}")
    return float(answer.stdout)
