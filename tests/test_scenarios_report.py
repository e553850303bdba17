"""The report: what it shows is what report.json says, in one file that loads nothing."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="the report's figures are drawn with matplotlib")
pytest.importorskip("jinja2", reason="the report's page is a jinja2 template")

from device_runtime.errors import InputError
from reports import WORDS, full_report, minimal_report, words_of
from scenarios import report as pages
from scenarios.report.confusion_figure import confusion
from scenarios.report.html import headlines

HOSTILE = '</svg></title><script>alert("x")</script>$a$ & \x07'


@pytest.fixture(scope="module")
def full() -> tuple[pages.Report, str]:
    """The full report and its page."""
    made = full_report()
    return made, pages.render(made.as_dict())


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


@pytest.mark.parametrize("mistakes", [1, 31, 200])
def test_the_most_frequent_mistake_has_the_full_colour_and_no_more(mistakes):
    table = pages.Confusion(("yes", "no"), ((5, mistakes), (0, 5)))
    assert "<svg" in confusion(table)
