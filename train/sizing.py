"""Students of equal bytes: what one weighs in int8, and the sizes with which another cell weighs as much."""

from __future__ import annotations

from dataclasses import replace

from device_runtime.errors import InputError
from train.cells import Cell
from train.student import StudentConfig

WITHIN = 0.02
"""Of the bytes that were asked for."""

EQUAL = 0.005
"""What is as near as this is near enough: the better proportion decides."""


def weights(config: StudentConfig, labels: int) -> int:
    """Of all layers, which are their bytes in int8; biases and scales, which are float32, are not counted.

    >>> weights(StudentConfig(channels=16, projection=40, hidden=80), labels=41)
    38480
    """
    size, total = config.bands * config.stack, 0
    if config.channels:
        columns = config.window_bands * config.stack
        total += config.channels * columns
        size = (1 + (size - columns) // (config.hop_bands * config.stack)) * config.channels
    if config.projection:
        total += config.projection * size
        size = config.projection
    for _ in range(config.gru_layers):
        total += config.cell.weights(size, config.hidden)
        size = config.hidden
    return total + config.hidden * labels


def sized(config: StudentConfig, cell: Cell, weight_bytes: int, labels: int) -> StudentConfig:
    """The student with this cell whose int8 weights come to `weight_bytes`, within 2 %.

    The hidden size is chosen first, with the projection in the same proportion to it as in `config`; then the
    projection makes up for what is left. InputError where no sizes come near enough.

    >>> from train.cells import Lstm
    >>> small = sized(StudentConfig(channels=16, projection=40, hidden=80), Lstm(), 25_000, labels=41)
    >>> small.hidden, small.projection
    (54, 29)
    """
    share = config.projection / config.hidden

    def shaped(hidden: int, projection: int) -> StudentConfig:
        return replace(config, cell=cell, hidden=hidden, projection=projection)

    def off(made: StudentConfig) -> int:
        return abs(weights(made, labels) - weight_bytes)

    def in_proportion(hidden: int) -> StudentConfig:
        return shaped(hidden, max(1, round(share * hidden)) if config.projection else 0)

    hidden = 1
    while weights(in_proportion(hidden + 1), labels) <= weight_bytes:
        hidden += 1
    near = [in_proportion(hidden), in_proportion(hidden + 1)]
    if config.projection:
        widest = 2 * near[1].projection
        near += [shaped(h, p) for h in (hidden - 1, hidden, hidden + 1) if h for p in range(1, widest + 1)]
    best = min(
        near,
        key=lambda made: (max(off(made), EQUAL * weight_bytes), abs(made.projection - share * made.hidden)),
    )
    if off(best) > WITHIN * weight_bytes:
        raise InputError(
            f"no student with cells of {cell.name} has {weight_bytes:,} int8 weights: the nearest has "
            f"{weights(best, labels):,}. Ask for as many, or change its channels."
        )
    return best
