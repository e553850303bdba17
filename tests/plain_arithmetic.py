"""The int8 arithmetic once more, in plain Python: integers, and one float32 operation at a time."""

from __future__ import annotations

import math

import numpy as np

from device_runtime.arithmetic import Affine, Dense, Float32, Gru, Model, Product, Sru

f32 = np.float32


def plain_round(v: f32) -> int:
    return math.floor(v + f32(0.5))


def plain_clip(v: int, low: int, high: int) -> int:
    return min(max(v, low), high)


def plain_product(product: Product, q: list[int]) -> list[f32]:
    if isinstance(product, Affine):
        return plain_affine(product, q)
    between = [plain_clip(plain_round(v * product.gain), -127, 127) for v in plain_affine(product.inner, q)]
    return plain_affine(product.outer, between)


def plain_affine(affine: Affine, q: list[int]) -> list[f32]:
    sums = [sum(int(w) * x for w, x in zip(row, q, strict=True)) for row in affine.weight]
    return [f32(f32(s) * scale) + bias for s, scale, bias in zip(sums, affine.scale, affine.bias, strict=True)]


def plain_table(function: str, v: f32) -> f32:
    per_unit, half = {"sigmoid": (256, 2048), "tanh": (512, 4096)}[function]
    at = plain_clip(plain_round(v * f32(per_unit)), -half, half - 1) / per_unit
    exact = 1 / (1 + math.exp(-at)) if function == "sigmoid" else math.tanh(at)
    return f32(plain_clip(math.floor(exact * 32768 + 0.5), -32767, 32767) / 32768)


def plain_int8(h: list[f32]) -> list[int]:
    return [plain_clip(plain_round(v * f32(128)), -127, 127) for v in h]


def plain_gru(layer: Gru, gx: list[f32], h: list[f32]) -> list[f32]:
    gh = plain_product(layer.state, plain_int8(h))
    after = []
    for i, old in enumerate(h):
        r = plain_table("sigmoid", gx[i] + gh[i])
        z = plain_table("sigmoid", gx[len(h) + i] + gh[len(h) + i])
        n = plain_table("tanh", gx[2 * len(h) + i] + f32(r * gh[2 * len(h) + i]))
        blended = n + f32(z * f32(old - n))
        after.append(f32(plain_clip(plain_round(blended * f32(32768)), -32767, 32767) / 32768))
    return after


def plain_sru(layer: Sru, g: list[f32], c: list[f32]) -> tuple[list[int], list[f32]]:
    forget, reset = layer.peephole
    outputs, after = [], []
    for i, (x, gf, gr, p) in enumerate(zip(*np.reshape(g, (4, -1)), strict=True)):
        f = plain_table("sigmoid", gf + f32(forget[i] * c[i]))
        r = plain_table("sigmoid", gr + f32(reset[i] * c[i]))
        blended = f32(f32(c[i] - x) * f) + x
        after.append(f32(plain_clip(plain_round(blended * f32(32768)), -32767, 32767) / 32768))
        outputs.append(f32(f32(after[i] - p) * r) + p)
    return plain_int8(outputs), after


def plain_step(model: Model, frame: Float32, state: Float32) -> tuple[list[f32], list[f32]]:
    wanted = [f32(x * model.input_gain) + e for x, e in zip(frame, state, strict=False)]
    next_state = [w - f32(plain_round(w)) for w in wanted]
    newest = q = [plain_clip(plain_round(w), -127, 127) for w in wanted]
    decoded = None
    for i, layer in enumerate(model.layers):
        if isinstance(layer, Dense):
            columns = layer.affine.columns
            starts = range(0, len(q) - columns + 1, layer.hop)
            v = [value for start in starts for value in plain_product(layer.affine, q[start : start + columns])]
            q = [plain_clip(plain_round(max(value, f32(0)) * layer.output_gain), -127, 127) for value in v]
        elif isinstance(layer, Gru):
            h = list(state[len(next_state) : len(next_state) + layer.hidden])
            h = plain_gru(layer, plain_product(layer.input, q), h)
            next_state += h
            q = plain_int8(h)
        elif isinstance(layer, Sru):
            c = list(state[len(next_state) : len(next_state) + layer.hidden])
            q, c = plain_sru(layer, plain_product(layer.input, q), c)
            next_state += c
        else:
            decoded = [plain_int8(plain_gru(model.layers[i - 1], list(row), h)) for row in layer.positions]
    scores = [score for q in decoded or [q] for score in plain_product(model.head, q)]
    if model.linear:
        width = model.linear.width
        history = [int(v) for v in state[len(next_state) :]][width:] + newest[:width]
        next_state += [f32(v) for v in history]
        ahead = [plain_affine(model.linear.affine, history[j::width]) for j in range(width)]
        rows = model.head.rows
        scores = [score + ahead[i % rows % width][i // rows] for i, score in enumerate(scores)]
    return scores, next_state
