"""The report: what it shows is what report.json says, in one file that loads nothing."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the report's figures are drawn with matplotlib")
pytest.importorskip("jinja2", reason="the report's page is a jinja2 template")

from compress.report import Stage, describe
from device_runtime.errors import InputError
from models import SRUS, tiny_model, write_tiny_bundle
from scenarios import report as pages
from scenarios.report.confusion_figure import confusion
from scenarios.report.html import headlines
from scenarios.report_parts import where_bytes_go

SAID = (
    "zero one two three four five six seven eight nine right left up down forward backward stop start open close "
    "previous next yes no ok cancel options send receive move rotate zoom-in zoom-out record enable disable volume-up "
    "digit direction sample"
)
WORDS = tuple(SAID.split())  # 40 of them, as in Arabic Speech Commands
HOSTILE = '</svg></title><script>alert("x")</script>$a$ & \x07'


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


@pytest.fixture(scope="module")
def full() -> tuple[pages.Report, str]:
    """The full report and its page."""
    made = full_report()
    return made, pages.render(made.as_dict())


def words_of(page: str) -> str:
    """What a reader sees: the text of the page, spaces as in print."""
    seen: list[str] = []
    parser = HTMLParser()
    parser.handle_data = seen.append  # type: ignore[method-assign]
    parser.feed(re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.DOTALL))
    return re.sub(r"\s+", " ", " ".join(seen))


def test_json_holds_all_that_the_report_does(tmp_path: Path) -> None:
    made = full_report()
    _, path = pages.write(made, tmp_path)
    assert pages.Report.from_dict(json.loads(path.read_text())) == made


def test_page_is_drawn_from_the_json_alone(tmp_path: Path) -> None:
    html, values = pages.write(full_report(), tmp_path / "new" / "folder")
    assert html.read_text() == pages.render(json.loads(values.read_text()))


def test_page_shows_the_numbers_of_the_json(full: tuple[pages.Report, str]) -> None:
    made, page = full
    text = words_of(page)
    for stage in made.stages:
        assert f"{100 * stage.accuracy:.1f} %" in text
        assert f"{100 * stage.interval_95[0]:.1f}–{100 * stage.interval_95[1]:.1f} %" in text
        assert f"{stage.parameters:,}".replace(",", " ") in text
    assert "46.9 KB" in text
    for row in made.engines + made.peers:
        assert row.engine in text
        assert f"{row.real_time_factor:.3g}" in text
    for promise in made.budget:
        assert promise.what in text
    for word in made.per_word:
        assert word.label in text
    for row in made.evaluation:
        assert f"{row.condition} {row.note} {100 * row.accuracy:.1f} %" in text
    assert "1.67 0.76–3.16" in text
    assert "2.8 %" in text  # unknown words that triggered
    assert "31.2 KB" in text  # model.npz
    assert made.commit in text
    assert made.machine in text
    assert str(max(max(row[:k] + row[k + 1 :]) for k, row in enumerate(made.confusion.matrix))) in text


def test_headlines_come_from_the_shipped_stage_and_the_first_evaluation() -> None:
    shown = {line.what: (line.value, line.unit) for line in headlines(full_report())}
    assert shown == {
        "Accuracy": ("96.8", "%"),
        "On the device": ("31.2", "KB"),
        "One step": ("33.1", "µs"),
        "False accepts": ("1.67", "per hour"),
    }


def test_sections_without_numbers_are_left_out() -> None:
    page = pages.render(minimal_report().as_dict())
    assert re.findall(r'<section id="([\w-]+)"', page) == ["stages", "made"]
    assert "<figure" not in page
    assert re.findall(r'<a href="#([\w-]+)">', page) == ["stages", "made"]  # the table of contents agrees


def test_a_report_without_any_measurement_is_still_a_page() -> None:
    bare = replace(minimal_report(), stages=())
    assert '<dl class="tiles">' not in pages.render(bare.as_dict())


@pytest.mark.parametrize("section", ["curves", "trade_off", "example", "confusion", "per_word", "sizes", "engines"])
def test_each_section_can_be_missing_alone(section: str) -> None:
    empty = getattr(pages.Report("", "", "", "", "", 0), section)
    page = pages.render(replace(full_report(), **{section: empty}).as_dict())
    name = {"trade_off": "trade-off", "per_word": "words", "engines": "data"}.get(section, section)
    assert (f'id="{name}"' in page) == (section == "engines")


def test_labels_cannot_break_the_page() -> None:
    made = full_report()
    swap = {WORDS[22]: HOSTILE, WORDS[16]: "قف"}
    text = json.dumps(made.as_dict())
    for word, new in swap.items():
        text = text.replace(json.dumps(word), json.dumps(new))
    page = pages.render(json.loads(text))
    assert "<script>alert" not in page
    assert page.count("<script") == 1  # the one that sorts
    assert page.count("<svg") == page.count("</svg>")
    assert "&lt;script&gt;" in page
    assert "قف" in page


def test_a_label_that_is_not_unicode_can_be_written(tmp_path: Path) -> None:
    broken = os.fsdecode(b"caf\xe9")  # a folder name in Latin-1
    made = replace(minimal_report(), per_word=(pages.Word(broken, 3, 1),))
    html, values = pages.write(made, tmp_path)
    assert "caf?" in html.read_text()
    assert "caf?" in values.read_text()


def test_page_loads_nothing(full: tuple[pages.Report, str]) -> None:
    _, page = full
    without_names = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r"https?://|//\w+\.\w+/|@import|url\((?!#)", without_names)
    assert not re.search(r"<(img|link|iframe|object|embed)\b(?![^>]*data:,)|<script[^>]*\bsrc", page)


def test_page_is_small(full: tuple[pages.Report, str]) -> None:
    assert len(full[1].encode()) < 600_000


def test_figures_take_their_colours_from_the_page(full: tuple[pages.Report, str]) -> None:
    _, page = full
    assert "#fade" not in page
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert not re.search(r"(fill|stroke): ?#", drawings)  # so that they are readable in the dark


def test_each_figure_is_described_in_words(full: tuple[pages.Report, str]) -> None:
    figures = re.findall(r"<figure[^>]*>", full[1])
    assert len(figures) == 4
    assert all('role="img"' in figure and re.search('aria-label="[^"]{20,}"', figure) for figure in figures)


def test_ids_are_unique(full: tuple[pages.Report, str]) -> None:
    ids = re.findall(r'\bid="([^"]+)"', full[1])
    assert sorted(ids) == sorted(set(ids))


def test_the_same_report_gives_the_same_bytes() -> None:
    values = full_report().as_dict()
    assert pages.render(values) == pages.render(values)


def test_numbers_that_were_not_measured_are_gaps_in_a_curve() -> None:
    curve = pages.Curve((1, 2, 3), (1.0, 0.5, float("nan")), (float("nan"), 0.9, 0.95))
    values = replace(minimal_report(), curves={"student": curve}).as_dict()
    assert values["curves"]["student"]["validation_accuracy"] == [None, 0.9, 0.95]
    assert '<section id="curves"' in pages.render(values)


def test_a_stage_that_learned_nothing_has_no_curve() -> None:
    page = pages.render(replace(minimal_report(), curves={"student": pages.Curve((), (), ())}).as_dict())
    assert 'id="curves"' not in page


def test_a_threshold_that_did_not_move_is_zero() -> None:
    still = pages.Operating(-1e-17, 1.0, 0.0)
    choice = pages.TradeOff((still,), still, 10, 0.25, threshold_name="all thresholds moved by")
    page = pages.render(replace(minimal_report(), trade_off=choice).as_dict())
    assert "The diamond ships: all thresholds moved by 0, 100.0 % missed" in words_of(page)
    assert "15.0 min without the words" in words_of(page)


def test_numpy_values_become_json() -> None:
    stage = replace(minimal_report().stages[0], accuracy=np.float32(0.5), clips=np.int64(7))
    values = replace(minimal_report(), stages=(stage,)).as_dict()
    assert json.loads(json.dumps(values))["stages"][0]["clips"] == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(colour="red"), "report has no field 'colour', expected some of name, title"),
        (lambda v: v.pop("seed"), "report lacks 'seed', expected name, title"),
        (lambda v: v["stages"][0].update(accuracy=None), r"report\.stages\[0\]\.accuracy is None, expected a float"),
        (
            lambda v: v["stages"][0].update(interval_95=[0.1]),
            r"report\.stages\[0\]\.interval_95 has 1 values, expected 2",
        ),
        (lambda v: v.update(stages={}), r"report\.stages is \{\}, expected a list"),
        (lambda v: v.update(notes="one"), r"report\.notes is 'one', expected a list"),
    ],
)
def test_a_value_that_does_not_fit_is_named(change, message: str) -> None:
    values = minimal_report().as_dict()
    change(values)
    with pytest.raises(InputError, match=message):
        pages.render(values)


def test_a_failed_write_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages.write(minimal_report(), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def no_space(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(OSError, match="No space left"):
        pages.write(full_report(), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_bytes_are_counted_from_the_arrays() -> None:
    arrays = {"weight": np.array([[0, 3], [0, -1]], np.int8), "bias": np.array([0.5, 0.0], np.float32)}
    own, as_float = describe(arrays), describe(arrays, bytes_per_value=4)
    assert (own.parameters, own.nonzeros, own.bytes, own.sparsity) == (6, 3, 12, 0.5)
    assert as_float.bytes == 24
    assert describe({}).sparsity == 0.0
    row = Stage.of("int8", own, accuracy=0.5, interval_95=(0.4, 0.6), split="test", clips=10)
    assert (row.parameters, row.nonzeros, row.bytes, row.sparsity) == (6, 3, 12, 0.5)


def test_the_bytes_of_each_kind_of_layer_are_told(tmp_path: Path) -> None:
    parts = where_bytes_go(write_tiny_bundle(tmp_path / "sru.bundle", tiny_model(0, SRUS)).folder).parts
    inputs = 4 * 24 * (16 * 9) + 4 * 9 * 24
    assert parts == {"dense 1": 16 * 40, "SRU, inputs": inputs, "SRU, state": 2 * 4 * (24 + 9), "head": 4 * 9}
    mixed = tiny_model(0, (("gru", 5), ("sru", 3), ("gru", 6), ("decode", 2)), 7)
    parts = where_bytes_go(write_tiny_bundle(tmp_path / "mixed.bundle", mixed).folder).parts
    assert list(parts) == ["GRU, inputs", "GRU, state", "SRU, inputs", "SRU, state", "positions", "head"]


@pytest.mark.parametrize("mistakes", [1, 31, 200])
def test_the_most_frequent_mistake_has_the_full_colour_and_no_more(mistakes):
    table = pages.Confusion(("yes", "no"), ((5, mistakes), (0, 5)))
    assert "<svg" in confusion(table)
