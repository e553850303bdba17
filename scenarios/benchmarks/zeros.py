"""What zeros are worth: 75 % of a GRU's blocks at zero, in the native engine, ONNX Runtime and LiteRT."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from device_runtime import extension, flat
from device_runtime.arithmetic import Model
from device_runtime.engines.native import NativeEngine
from scenarios.benchmarks import peer_litert, peer_litert_dynamic, peer_onnx_lean, plain_gru, python_step, turns
from scenarios.benchmarks.part import Part, Row, Target, digits
from scenarios.benchmarks.turns import Stopwatch

NAME = "zeros"
UNITS, INPUTS = 128, 40
SHARE = 0.75
BLOCKS = ((8, 1), (8, 2), (8, 4), (16, 1), (16, 4))
"""Rows x columns. The first is the recipes' own, to which the target is held."""

PEERS = (peer_onnx_lean, peer_litert, peer_litert_dynamic)
PEER_STEPS = 20
"""Of a peer, from Python, for each call of many native steps."""


def measure(steps: int) -> Part:
    """Dense and sparse on each kernel, and on the peers; the target is held to the kernel that is chosen here."""
    dense = plain_gru.plain_gru(UNITS, INPUTS)
    models = {"none": dense} | {_name(block): plain_gru.with_zero_blocks(dense, SHARE, block) for block in BLOCKS}
    kernels = extension.load().kernels()
    engines: dict[str, Callable[[Model], Stopwatch]] = {_native(kernel): partial(_steps, kernel) for kernel in kernels}
    engines |= {peer.NAME: partial(_peer_steps, peer) for peer in PEERS}
    contestants = {(engine, zeros): make(model) for engine, make in engines.items() for zeros, model in models.items()}
    took = turns.in_turns(contestants, max(1, steps // PEER_STEPS))
    gains = {key: took[key[0], "none"] / us for key, us in took.items()}
    file_bytes = {zeros: len(flat.to_bytes(model)) for zeros, model in models.items()}
    rows: list[Row] = [
        {
            "engine": engine,
            "zeros": zeros,
            "cpu us": digits(us),
            "dense / this": digits(gains[engine, zeros]),
            "bytes": file_bytes[zeros] if engine not in {peer.NAME for peer in PEERS} else None,
        }
        for (engine, zeros), us in took.items()
    ]
    chosen, recipe = _native(kernels[0]), _name(BLOCKS[0])
    best = max(list(models)[1:], key=lambda zeros: gains[chosen, zeros])
    targets = (
        Target(f"dense / sparse time, {recipe}, {chosen}", gains[chosen, recipe], least=2.2),
        Target(f"dense / sparse time, {best}, the best for {chosen}", gains[chosen, best], least=2.2),
        Target(f"dense / sparse bytes of model.native, {recipe}", file_bytes["none"] / file_bytes[recipe], least=2),
    )
    return Part(
        f"{SHARE:.0%} zeros at {UNITS} units and {INPUTS} inputs, CPU microseconds a step", tuple(rows), targets
    )


def _name(block: tuple[int, int]) -> str:
    return f"{SHARE:.0%} in {block[0]}x{block[1]}"


def _native(kernel: str) -> str:
    return f"native steps, {kernel}"


def _steps(kernel: str, model: Model) -> Stopwatch:
    engine = NativeEngine(extension.load().Model(flat.to_bytes(model), kernel))
    return turns.cpu_time(python_step.many_steps(engine, model), python_step.FRAMES_A_CALL)


def _peer_steps(peer: Any, model: Model) -> Stopwatch:
    with tempfile.TemporaryDirectory() as temporary:
        run = python_step.stepping(python_step.load_peer(peer, model, Path(temporary)), model)
    return turns.cpu_time(lambda times: run(times * PEER_STEPS), PEER_STEPS)
