"""One step from Python on plain GRUs: our engines, float and int8 peers, and many frames in one native call."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from device_runtime import engines
from device_runtime.arithmetic import Model
from device_runtime.engines import Engine
from device_runtime.engines.native import NativeEngine
from scenarios.benchmarks import (
    peer_litert,
    peer_litert_dynamic,
    peer_litert_int8,
    peer_onnx_lean,
    peer_torch,
    plain_gru,
    turns,
)
from scenarios.benchmarks.floats import float_model
from scenarios.benchmarks.part import Part, Row, Target, digits
from scenarios.benchmarks.turns import Run, Stopwatch

NAME = "step"
SIZES = ((64, 40), (128, 40))
"""Units and inputs."""

PEERS = (peer_onnx_lean, peer_litert, peer_litert_dynamic, peer_litert_int8, peer_torch)
LITERT = (peer_litert.NAME, peer_litert_dynamic.NAME, peer_litert_int8.NAME)
FRAMES_A_CALL = 256
ARITHMETIC = {
    "native": "int8, exact",
    "native step_into": "int8, exact",
    "native steps": "int8, exact",
    peer_litert_dynamic.NAME: "int8 weights",
    peer_litert_int8.NAME: "int8, drifts",
}


def measure(steps: int) -> Part:
    """A table for all sizes, and targets at the first."""
    costs = {size: _costs(plain_gru.plain_gru(*size), steps) for size in SIZES}
    rows = tuple(_row(size, name, us, cost["native"]) for size, cost in costs.items() for name, us in cost.items())
    return Part(
        "One step from Python, CPU microseconds (set + invoke + get is counted)", rows, _targets(costs[SIZES[0]])
    )


def _row(size: tuple[int, int], name: str, us: float, native_us: float) -> Row:
    arithmetic = ARITHMETIC.get(name, "int8, exact" if name in engines.ENGINES else "float")
    return {
        "units/inputs": "{}/{}".format(*size),
        "engine": name,
        "arithmetic": arithmetic,
        "cpu us": digits(us),
        "times native": digits(us / native_us),
    }


def _targets(costs: dict[str, float]) -> tuple[Target, ...]:
    best = min(LITERT, key=lambda name: costs[name])
    of = "at {} units and {} inputs".format(*SIZES[0])
    held = [
        target
        for ours, name in (("native", "step"), ("native step_into", "step_into"))
        for target in (
            Target(f"{peer_onnx_lean.NAME} / native {name}, {of}", costs[peer_onnx_lean.NAME] / costs[ours], least=10),
            Target(f"best of LiteRT ({best}) / native {name}, {of}", costs[best] / costs[ours], least=4),
            Target(f"torch / native {name}, {of}", costs[peer_torch.NAME] / costs[ours], least=10),
            Target(f"native {name} in us, {of}", costs[ours], most=2.5),
        )
    ]
    return tuple(held)


def _costs(model: Model, steps: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as temporary:
        opened = plain_gru.as_bundle(model, Path(temporary) / "plain.bundle")
        ours = {name: engines.load(name, opened) for name in engines.available(opened)}
        native = ours.pop("native")
        assert isinstance(native, NativeEngine)
        contestants: dict[str, Stopwatch] = {
            "native": turns.cpu_time(stepping(native, model)),
            "native step_into": turns.cpu_time(_stepping_into(native, model)),
            "native steps": turns.cpu_time(many_steps(native, model), FRAMES_A_CALL),
        }
        contestants |= {name: turns.cpu_time(stepping(engine, model)) for name, engine in ours.items()}
        for peer in PEERS:
            contestants[peer.NAME] = turns.cpu_time(stepping(load_peer(peer, model, Path(temporary)), model))
        return turns.in_turns(contestants, steps)


def load_peer(peer: Any, model: Model, folder: Path) -> Engine:
    """The peer with this model's weights; its file may go once it is loaded."""
    peer.write(float_model(model), folder / "peer")
    engine: Engine = peer.load(folder / "peer", sum(model.hidden_sizes))
    return engine


def stepping(engine: Engine, model: Model) -> Run:
    """One stream, step after step."""
    frames = list(plain_gru.random_frames(model))
    state = model.initial_state()

    def run(times: int) -> None:
        nonlocal state
        for i in range(times):
            _, state = engine.step(frames[i % len(frames)], state)

    return run


def _stepping_into(engine: NativeEngine, model: Model) -> Run:
    frames = list(plain_gru.random_frames(model))
    state, scores = model.initial_state(), np.empty(model.head.rows, np.float32)

    def run(times: int) -> None:
        for i in range(times):
            engine.step_into(frames[i % len(frames)], state, scores, state)

    return run


def many_steps(engine: NativeEngine, model: Model) -> Run:
    """One stream, FRAMES_A_CALL frames in each call."""
    frames = plain_gru.random_frames(model, FRAMES_A_CALL)
    state, scores = model.initial_state(), np.empty((FRAMES_A_CALL, model.head.rows), np.float32)

    def run(times: int) -> None:
        for _ in range(times):
            engine.model.steps(frames, state, scores, state)

    return run
