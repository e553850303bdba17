"""The most memory that a fresh process holds which runs a bundle on a WAV file, by engine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import wave
from pathlib import Path

import numpy as np

from device_runtime import bench, bundle, engines
from device_runtime.errors import EngineError
from device_runtime.frontends.speech import to_int16
from device_runtime.session import Session
from scenarios.benchmarks.compare import BUNDLES, HOUSE
from scenarios.benchmarks.part import Part, Row, Target

NAME = "memory"
BUNDLE = "arabic_commands"
SECONDS = 3
RUNS = 3
"""Fresh processes for each engine; the median counts."""

FLOOR = "nothing but the imports"


def measure(steps: int) -> Part:
    """Every engine that runs here, and the floor under all of them; with few steps, one process each."""
    folder = BUNDLES / f"{BUNDLE}.bundle"
    runs = min(RUNS, max(1, steps // 100))
    with tempfile.TemporaryDirectory() as temporary:
        wav = Path(temporary) / "example.wav"
        _write_wav(wav, folder)
        floor = "import numpy; from device_runtime import bench; print(bench.own_peak_mb())"
        commands = {FLOOR: ["-c", floor]}
        for engine in engines.available(bundle.read(folder)):
            commands[engine] = ["-m", "scenarios.benchmarks.fresh_wav", str(folder), engine, str(wav)]
        took: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs):
            for name, command in commands.items():
                took[name].append(peak_mb(name, command))
    peaks_mb = {name: float(np.median(peaks)) for name, peaks in took.items()}
    rows: tuple[Row, ...] = tuple(
        {"engine": name, "peak MB": round(mb, 1), "of ONNX Runtime's": round(mb / peaks_mb["onnx"], 2)}
        for name, mb in peaks_mb.items()
    )
    target = Target("peak memory, native / ONNX Runtime", peaks_mb["native"] / peaks_mb["onnx"], most=0.6)
    return Part(f"Peak memory of a process that runs {BUNDLE}.bundle on a WAV file", rows, (target,))


def _write_wav(path: Path, folder: Path) -> None:
    session = Session.open(folder)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(session.frontend.sample_rate_hz)
        file.writeframes(to_int16(bench.example_signal(session, SECONDS)).tobytes())


def peak_mb(name: str, command: list[str]) -> float:
    """What such a process, a Python with these arguments, says of itself; `name` is for messages."""
    answer = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False, cwd=HOUSE)
    if answer.returncode:
        raise EngineError(f"a fresh process could not run {name} on a WAV: {answer.stderr.strip()[-300:]}")
    return float(answer.stdout)
