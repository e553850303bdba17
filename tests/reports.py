"""A believable report with every section, and one with next to none, for tests of its page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np

from compress.report import Stage
from scenarios import report as pages

SAID = (
    "zero one two three four five six seven eight nine right left up down forward backward stop start open close "
    "previous next yes no ok cancel options send receive move rotate zoom-in zoom-out record enable disable volume-up "
    "digit direction sample"
)
WORDS = tuple(SAID.split())  # 40 of them, as in Arabic Speech Commands


def full_report() -> pages.Report:
    """A believable build of a 40-word scenario, every section filled."""
    random = np.random.default_rng(7)
    rises = {"teacher": (30, 0.984), "student": (100, 0.971), "pruned": (60, 0.968), "int8": (12, 0.967)}
    curves = {}
    for name, (epochs, best) in rises.items():
        at = np.arange(1, epochs + 1)
        gone = np.exp(-5 * at / epochs) * (1.0 if name in ("teacher", "student") else 0.06)
        loss = 0.72 + 2.6 * gone + random.normal(0, 0.012, epochs)
        accuracy = best - 0.012 - 0.6 * gone + random.normal(0, 0.0025, epochs)
        curves[name] = pages.Curve(tuple(at.tolist()), tuple(loss.tolist()), tuple(accuracy.tolist()))
    matrix = np.zeros((40, 40), int)
    for said in range(40):
        for heard in random.integers(0, 40, random.poisson(1.6)):
            matrix[said, heard] += 1
    matrix[25, 24] = 9
    matrix[10, 3] = 5
    np.fill_diagonal(matrix, 0)
    np.fill_diagonal(matrix, 60 - matrix.sum(1))
    words = tuple(
        pages.Word(
            word, 60, int(60 - row[k]), {WORDS[j]: int(row[j]) for j in np.flatnonzero(row) if j != k and row[j]}
        )
        for k, (word, row) in enumerate(zip(WORDS, matrix, strict=True))
    )
    strictness = np.linspace(0.3, 0.97, 16)
    points = tuple(
        pages.Operating(float(t), float(0.008 + 0.25 * t**7), float(round(140 * np.exp(-8.5 * t) * 4) / 4))
        for t in strictness
    )
    return pages.Report(
        name="arabic_commands",
        title="Forty Arabic commands in 47 KB",
        summary="Forty spoken commands, recognised one 30 ms frame at a time by a GRU of 96 units that gives the same "
        "bits on every runtime. Trained on 18 speakers, tested on 6 others.",
        created="2025-11-22 14:05",
        commit="3f9c2e1",
        seed=1,
        command="tinyrnn build arabic_commands --data $TINYRNN_DATA",
        machine="AMD EPYC 7B13, 1 thread, Linux 6.1, Python 3.11",
        warnings=("Six test speakers: the interval counts clips, and a new speaker may be harder than all six.",),
        notes=("Thresholds were chosen on validation data.", "The teacher sees whole clips and cannot stream."),
        stages=(
            Stage("teacher", 0.984, (0.978, 0.989), 501_224, 501_224, 2_004_896, 0.0, "test", 2400, 2220, "clips"),
            Stage("student", 0.9712, (0.9637, 0.9773), 61_480, 61_480, 245_920, 0.0, "test", 2400, 910, "streamed"),
            Stage("pruned", 0.9683, (0.9605, 0.9746), 61_480, 24_592, 245_920, 0.6, "test", 2400, 760, "streamed"),
            Stage("int8", 0.9679, (0.96, 0.9742), 61_480, 24_590, 46_912, 0.6, "test", 2400, 240, "Session, warm"),
        ),
        comparisons=(
            pages.Comparison("student, distilled", (0.9712, 0.9695, 0.9722), "test"),
            pages.Comparison("student, labels only", (0.9621, 0.9608, 0.9642), "test", "same schedule, no teacher"),
            pages.Comparison("student, no warm-up audio", (0.9391,), "test"),
        ),
        budget=(
            pages.Promise("bundle size", 50.0, 46.9, "KB", True),
            pages.Promise("accuracy, warm", 0.955, 0.9679, "%", True, at_most=False),
            pages.Promise("step on one core", 500.0, 61.4, "µs", True),
            pages.Promise("lost by int8", 0.003, 0.0004, "%", True),
        ),
        evaluation=(
            pages.Evaluation("warm", 0.9679, 2400, (0.96, 0.9742), "reference", note="0.7 s of other audio before it"),
            pages.Evaluation("cold", 0.9671, 2400, (0.9591, 0.9735), "reference", note="the clip alone"),
            pages.Evaluation("noise at 10 dB", 0.8675, 2400, (0.8533, 0.8805), "reference", note="unheard noises"),
        ),
        unknown_words=(pages.UnknownWords("words never heard in training", 1830, 51, 0.0279, (0.0213, 0.0365)),),
        false_accepts=(pages.FalseAccepts("continuous speech, LibriSpeech test-clean", 5.4, 9, 1.67, (0.76, 3.16)),),
        trade_off=pages.TradeOff(points, points[9], 2400, 5.4),
        per_word=words,
        confusion=pages.Confusion(tuple(WORDS), tuple(map(tuple, matrix.tolist()))),
        example=example(random),
        curves=curves,
        sizes=pages.Sizes(
            {"GRU, state weights": 27_648, "GRU, inputs": 9_216, "dense": 5_000, "head": 3_880, "scales": 1_168},
            {"model.npz": 31_204, "model.onnx": 53_112, "model.tflite": 51_840, "golden.npz": 60_011},
        ),
        engines=(
            pages.Speed("reference", 61.4, 88.2, 2_711.0, 0.0027, 38.2),
            pages.Speed("onnx", 42.0, 71.5, 2_100.0, 0.0021, 61.0),
            pages.Speed("litert", 33.1, 49.9, 1_790.0, 0.0018, 44.7),
        ),
        peers=(
            pages.Speed("ONNX Runtime, float GRU", 55.1, 90.3, 2_500.0, 0.0025, 60.4),
            pages.Speed("torch, float GRU", 212.0, 402.0, 7_800.0, 0.0078, 240.0),
        ),
        data=(
            pages.DataSet(
                "Arabic Speech Commands", "CC BY 4.0", {"train": 7200, "validation": 2400, "test": 2400},
                used_for="words", source="doi:10.5281/zenodo.4662481",
            ),
            pages.DataSet("espeak-ng voices", "GPL-3.0 program, own audio", {"train": 4800}, True, "more speakers"),
            pages.DataSet("ESC-50 noises", "CC BY-NC", {"train": 1200, "test": 400}, used_for="noise"),
        ),
    )  # fmt: skip


def example(random: np.random.Generator) -> pages.Example:
    """Twelve seconds with seven words, one of which is not detected."""
    samples = random.normal(0, 0.01, 12 * 16_000).astype(np.float32)
    times = np.arange(0, 12, 0.03)
    scores = {word: np.abs(random.normal(0, 0.015, len(times))) for word in WORDS}
    said, events = [], []
    for k, word in enumerate(("yes", "stop", "volume-up", "volume-up", "zoom-out", "left", "cancel")):
        start = 0.5 + 1.6 * k
        tone = np.hanning(9600) * random.normal(0, 0.25, 9600)
        samples[int(start * 16_000) :][:9600] += tone.astype(np.float32)
        peak = 0.55 if k == 5 else 0.95
        scores[word] += peak * np.exp(-(((times - start - 0.55) / 0.2) ** 4))
        said.append(pages.Span(word, start + 0.05, start + 0.55))
        if k != 5:
            events.append(pages.Heard(word, start + 0.4, 0.83))
    scores["right"] += 0.4 * np.exp(-(((times - 9.1) / 0.2) ** 4))
    low, high = pages.envelope(samples)
    return pages.Example(
        "Seven commands of test speaker 14, joined", 12.0, low, high, tuple(times.round(3).tolist()),
        {word: tuple(np.clip(score, 0, 1).round(3).tolist()) for word, score in scores.items()},
        tuple(events), tuple(said), dict.fromkeys(WORDS, 0.8),
    )  # fmt: skip


def minimal_report() -> pages.Report:
    """What a scenario has that measured nothing but its stages."""
    stage = Stage("int8", 0.9, (0.8, 0.95), 100, 100, 120, 0.0, "test", 50)
    return pages.Report("tiny", "Tiny", "One stage.", created="2025-01-31", commit="abc1234", seed=1, stages=(stage,))


def words_of(page: str) -> str:
    """What a reader sees: the text of the page, spaces as in print."""
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_data = seen.append  # type: ignore[method-assign]
    parser.feed(re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL))
    return re.sub(r"\s+", " ", " ".join(seen))
