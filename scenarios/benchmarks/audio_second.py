"""One second of audio, from samples to events: our bundles, a microWakeWord model and a voice activity detector."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from device_runtime import bench
from device_runtime.arithmetic import Float32
from device_runtime.engines import SpeechEngine
from device_runtime.frontends.speech import SpeechFrontend, to_int16
from device_runtime.session import Session
from scenarios.benchmarks import peer_vad, peer_wakeword, turns
from scenarios.benchmarks.compare import BUNDLES, hearing
from scenarios.benchmarks.part import Part, Row, Target, digits, ratio
from scenarios.benchmarks.turns import Run, Stopwatch

NAME = "audio"
NAMES = ("arabic_commands", "keyword_spotting")
SECONDS = 4
"""Of audio, over and over; all contestants hear the same."""

CHUNK = 1600
"""Samples at a time, 100 ms: about what a microphone or a socket delivers."""

PEERS = {peer_wakeword: 10, peer_vad: 15}
"""And how many times our CPU time each is to take at least."""

CALLS_PER_STEP = 1 / 80


def measure(steps: int) -> Part:
    """The targets are held to the slower of our bundles."""
    sessions = {name: Session.open(BUNDLES / f"{name}.bundle", "native") for name in NAMES}
    audio = bench.example_signal(next(iter(sessions.values())), SECONDS)
    chunks, whole = _cut(audio, CHUNK), _cut(audio, len(audio) // SECONDS)
    missing = {peer: importlib.util.find_spec(peer.PACKAGE) is None for peer in PEERS}
    contestants: dict[str, Stopwatch] = {}
    for name, session in sessions.items():
        contestants[name] = turns.cpu_time(hearing(session, chunks), SECONDS)
        contestants[f"{name}, a second at a time"] = turns.cpu_time(hearing(session, whole), SECONDS)
        contestants[f"{name}, scores alone"] = turns.cpu_time(_scoring(session, chunks), SECONDS)
    for peer in PEERS:
        if not missing[peer]:
            contestants[peer.NAME] = turns.cpu_time(peer.listening(chunks), SECONDS)
    took = turns.in_turns(contestants, max(1, round(steps * CALLS_PER_STEP)))
    slower = max(NAMES, key=lambda name: took[name])
    rows: list[Row] = [_row(name, us, took[slower], None) for name, us in took.items()]
    rows += [_row(peer.NAME, None, took[slower], _how_to_install(peer.PACKAGE)) for peer in PEERS if missing[peer]]
    targets = tuple(
        Target(f"{peer.NAME} / {slower}", ratio(took.get(peer.NAME), took[slower]), least=least)
        for peer, least in PEERS.items()
    )
    title = f"One second of audio to events, in chunks of {CHUNK // 16} ms, CPU microseconds"
    return Part(title, tuple(rows), targets)


def _row(name: str, us: float | None, ours_us: float, missing: str | None) -> Row:
    load = None if us is None else us / 1e4
    times = ratio(us, ours_us)
    return {
        "contestant": name,
        "cpu us": digits(us),
        "load %": digits(load),
        "times ours": digits(times),
        "missing": missing,
    }


def _how_to_install(package: str) -> str:
    return f"pip install -c constraints.txt {package.replace('_', '-')}"


def _cut(audio: Float32, size: int) -> list[Float32]:
    return [audio[at : at + size] for at in range(0, len(audio), size)]


def _scoring(session: Session, chunks: Sequence[Float32]) -> Run:
    """The engine's share of it, in C: front end and model, no decoder."""
    assert isinstance(session.engine, SpeechEngine)
    assert isinstance(session.frontend, SpeechFrontend)
    stream = session.engine.stream(session.frontend.stride)
    samples = [to_int16(chunk) for chunk in chunks]

    def run(times: int) -> None:
        for _ in range(times):
            for chunk in samples:
                stream.push(chunk)

    return run
