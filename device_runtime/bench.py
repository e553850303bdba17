"""What a bundle costs on this machine: microseconds a step, a second of audio or a sample of sensors; and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from device_runtime.arithmetic import Float32
from device_runtime.errors import EngineError
from device_runtime.session import Session

WARM_UP_STEPS = 50
TOLD_TIMES, MOST_SAMPLES = 32, 4_096
"""Of sensors: so many samples that complete a step are timed, among so many in all."""


@dataclass(frozen=True)
class Cost:
    """One engine's cost, in the units that its names say."""

    engine: str
    step_us_median: float
    step_us_p99: float
    audio_second_us: float
    """Front end, steps and decoder of one second of input."""

    real_time_factor: float
    """Share of one core that a live stream takes."""

    peak_mb: float
    """Of a fresh process that opens the bundle and runs it on one second of input."""

    def as_dict(self) -> dict[str, str | float]:
        """Plain values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class SensorCost:
    """One engine's cost on readings of sensors, in the units that its names say."""

    engine: str
    step_us_median: float
    step_us_p99: float
    sample_us: float
    """Front end, steps and decoder of all channels, a sample; those that complete a step are in it by their share."""

    told_us: float
    """Of a sample that completes a step or a look-back, median."""

    peak_mb: float
    """Of a fresh process that opens the bundle and runs it until it has told something."""

    def as_dict(self) -> dict[str, str | float]:
        """Plain values for JSON."""
        return asdict(self)


def measure(folder: Path | str, engine: str, steps: int = 1000, seconds: int = 10) -> Cost | SensorCost:
    """Run one engine of a bundle, in this process for time and in a fresh one for memory."""
    session = Session.open(folder, engine)
    step_us = time_steps(session, steps)
    if session.watches:
        sample_us, told_us = time_samples(session)
        return SensorCost(
            engine=session.engine.name,
            step_us_median=round(float(np.median(step_us)), 2),
            step_us_p99=round(float(np.percentile(step_us, 99)), 2),
            sample_us=round(sample_us, 1),
            told_us=round(told_us, 1),
            peak_mb=round(peak_mb_of_fresh_process(folder, engine), 1),
        )
    second_us = time_seconds(session, seconds)
    return Cost(
        engine=session.engine.name,
        step_us_median=round(float(np.median(step_us)), 2),
        step_us_p99=round(float(np.percentile(step_us, 99)), 2),
        audio_second_us=round(second_us, 1),
        real_time_factor=round(second_us / 1e6, 6),
        peak_mb=round(peak_mb_of_fresh_process(folder, engine), 1),
    )


def example_signal(session: Session, seconds: float) -> Float32:
    """Noise that swells and fades as speech does, for any front end, the same every time."""
    rate = session.frontend.sample_rate_hz
    samples = max(1, round(seconds * rate))
    channels = getattr(session.frontend, "channels", 1)
    noise = np.random.default_rng(0).normal(0, 0.1, (samples, channels))
    swell = 1 + np.sin(np.arange(samples) / rate * 2 * np.pi * 3)[:, None]  # three syllables a second
    signal = (noise * swell).astype(np.float32)
    only: Float32 = signal[:, 0]
    return only if channels == 1 else signal


def example_readings(session: Session, samples: int) -> Float32:
    """Readings that wander around the mean of each channel, (samples, channels), the same every time."""
    sensors = session.sensors
    steps = np.random.default_rng(0).normal(0, 0.3, (samples, len(sensors.names)))
    around = np.zeros(len(sensors.names))
    rows = np.empty(steps.shape)
    for at, step in enumerate(steps):
        around = 0.95 * around + step
        rows[at] = around
    readings: Float32 = (rows * sensors.std + sensors.mean).astype(np.float32)
    return readings


def time_samples(session: Session) -> tuple[float, float]:
    """Microseconds of a sample: of a usual mix, and the median of those that complete a step."""
    sensors = session.sensors
    first = session.first_step
    readings = example_readings(session, first + min(MOST_SAMPLES, TOLD_TIMES * sensors.every))
    session.reset()
    session.push(readings[:first])
    told_us: list[float] = []
    others_us: list[float] = []
    for at in range(first, len(readings)):
        start = time.perf_counter_ns()
        watched = list(session.watch(readings[at : at + 1]))
        took_us = (time.perf_counter_ns() - start) / 1000
        (told_us if any(one.step is not None for one in watched) else others_us).append(took_us)
    told = float(np.median(told_us)) if told_us else float("nan")
    other = float(np.median(others_us)) if others_us else 0.0
    return (told + (sensors.every - 1) * other) / sensors.every, told


def time_steps(session: Session, steps: int) -> Float32:
    """Microseconds of each step of one stream of random frames, (steps,)."""
    frames = np.random.default_rng(0).standard_normal((64, session.bundle.model.feature_size)).astype(np.float32)
    state = session.bundle.model.initial_state()
    took_us = np.zeros(WARM_UP_STEPS + steps, np.float32)
    for at in range(len(took_us)):
        frame = frames[at % len(frames)]
        start = time.perf_counter_ns()
        _, state = session.engine.step(frame, state)
        took_us[at] = (time.perf_counter_ns() - start) / 1000
    return took_us[WARM_UP_STEPS:]


def time_seconds(session: Session, seconds: int) -> float:
    """Median microseconds to push one second."""
    second = example_signal(session, 1.0)
    session.push(second)
    took_us = []
    for _ in range(seconds):
        start = time.perf_counter_ns()
        session.push(second)
        took_us.append((time.perf_counter_ns() - start) / 1000)
    return float(np.median(took_us))


def peak_mb_of_fresh_process(folder: Path | str, engine: str) -> float:
    """The most memory that a new process holds which opens the bundle and runs it on one second of input."""
    package = Path(__file__).resolve().parent
    path = os.pathsep.join(filter(None, [str(package.parent), os.environ.get("PYTHONPATH", "")]))
    answer = subprocess.run(
        [sys.executable, "-m", "device_runtime.bench", str(folder), engine],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or [f"exit code {answer.returncode}"])[-1]
        raise EngineError(
            f"a fresh process could not run the engine {engine}: {last}. Try: tinyrnn check {folder} --engine {engine}"
        )
    return float(answer.stdout)


def own_peak_mb() -> float:
    """The most memory that this process has held at once."""
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss would begin at the size of the process that started this one
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        return int(lines["VmHWM"].split()[0]) / 1024
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def _run_fresh(folder: str, engine: str) -> None:
    session = Session.open(folder, engine)
    if session.watches:
        session.push(example_readings(session, session.first_step))
    else:
        session.push(example_signal(session, 1.0))
    print(own_peak_mb())


if __name__ == "__main__":
    _run_fresh(*sys.argv[1:])
