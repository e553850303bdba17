"""The report of a sensor scenario: everything measured is on the page, and the page comes from the JSON alone."""

import json
import math
import re

import pytest

from device_runtime.errors import InputError
from scenarios.report import Promise, Sizes, series_page, write
from scenarios.report.series_content import (
    Band,
    Chart,
    Column,
    Figure,
    Line,
    Mark,
    Points,
    Row,
    Section,
    SeriesReport,
    Shade,
    Table,
)

HOUR_S = 3600
HOURS = tuple(1_700_000_000.0 + HOUR_S * i for i in range(48))
LOAD = tuple(20 + 5 * math.sin(i / 4) for i in range(48))

FORECAST = Chart(
    caption="Two days of the load, and what was forecast.",
    x_name="time",
    y_name="load, MW",
    lines=(Line("measured", HOURS, LOAD, quiet=True), Line("median", HOURS[24:], LOAD[24:])),
    bands=(Band("median", HOURS[24:], tuple(v - 1 for v in LOAD[24:]), tuple(v + 1 for v in LOAD[24:])),),
    marks=(Mark(HOURS[30], "anomaly 0.99", LOAD[30]), Mark(HOURS[40], "drift")),
    spans=(Shade("labelled failure", HOURS[28], HOURS[32]),),
    x_is_time=True,
)
COVERED = Chart(
    caption="How much the intervals cover.",
    x_name="hours ahead",
    y_name="coverage",
    lines=(Line("coverage", (1.0, 2.0, 3.0), (0.8, None, 0.79)),),
    level=0.8,
    y_low=0.0,
    y_high=1.0,
)
PEERS = Table(
    "All test windows.",
    (Column("MSE", bars=True), Column("coverage", 1, "%"), Column("bytes", 0)),
    (Row("int8", (0.3571, 0.801, 29_000.0), "Session", ours=True), Row("last <value>", (1.29, None, None))),
)


def report(**changes):
    values = {
        "name": "load",
        "title": "Load forecast",
        "summary": "Ninety-six hours ahead.",
        "created": "2026-11-22",
        "commit": "abc1234",
        "seed": 0,
        "headlines": (Figure("MSE", "0.357", detail="2881 windows"),),
        "budget": (Promise("MSE", 0.358, 0.3571, "", kept=True),),
        "sections": (
            Section("forecasts", "Forecasts over the data", "As the device sees it.", charts=(FORECAST,)),
            Section("peers", "Beside its peers", tables=(PEERS,), charts=(COVERED,)),
        ),
        "sizes": Sizes({"GRU": 16_000}, {"model.npz": 20_000}),
    }
    return SeriesReport(**{**values, **changes})


@pytest.fixture(scope="module")
def page():
    return series_page.render(json.loads(json.dumps(report().as_dict())))


def test_a_report_of_sensors_survives_its_json(tmp_path):
    made = report()
    written, values = write(made, tmp_path, series_page.render)
    assert SeriesReport.from_dict(json.loads(values.read_text())) == made
    assert written.read_text() == series_page.render(json.loads(values.read_text())), "drawn from the JSON alone"


def test_every_number_of_a_table_is_on_the_page_in_its_unit(page):
    assert re.findall(r"<td>([^<]*)", page[page.index('id="peers"') :])[:6] == [
        "0.357", "80.1\u202f%", "29\u202f000", "1.290", "–", "–",
    ]  # fmt: skip


def test_charts_show_lines_bands_events_and_spans_with_a_legend(page):
    forecasts = page[page.index('id="forecasts"') : page.index('id="budget"')]
    for told in ("measured", "median", "labelled failure", "anomaly 0.99", "drift"):
        assert told in forecasts
    assert forecasts.count("<svg") == 2 + 3, "wide and narrow, and three lines of legend"


def test_the_contents_follow_the_sections_with_promises_second(page):
    anchors = re.findall(r'<li><a href="#([^"]+)"', page)
    assert anchors == ["forecasts", "budget", "peers", "sizes", "made"]


def test_names_cannot_break_the_page_of_sensors(page):
    assert "last &lt;value&gt;" in page
    assert "<value>" not in page


def test_a_report_of_sensors_loads_nothing(page):
    assert not re.search(r'(?:src|href)="https?:', page)
    assert "@import" not in page


def test_a_report_of_sensors_without_numbers_is_still_a_page():
    bare = report(headlines=(), budget=(), sections=(), sizes=None)
    assert "Load forecast" in series_page.render(bare.as_dict())


def test_what_is_no_report_of_sensors_is_refused():
    with pytest.raises(InputError, match="report has no field 'stages'"):
        series_page.render({**report().as_dict(), "stages": []})


@pytest.mark.parametrize(
    "seconds", [600, HOUR_S * 5, HOUR_S * 30, HOUR_S * 24 * 10, HOUR_S * 24 * 200, HOUR_S * 24 * 900]
)
def test_any_length_of_time_has_dates_under_its_chart(seconds):
    x = tuple(1_700_000_000.0 + seconds * i / 9 for i in range(10))
    section = Section("long", "Long", charts=(Chart("", "time", "load", (Line("load", x, x),), x_is_time=True),))
    assert series_page.render(report(sections=(section,)).as_dict()).count("<text") >= 6


def test_points_are_drawn_one_by_one_with_their_names_and_a_legend_of_their_group():
    chart = Chart(
        "Sizes.",
        "KB",
        "accuracy",
        points=(Points("pruned", (2.0, 40.0), (0.8, 0.9), ("small", "large")),),
        x_is_log=True,
    )
    page = series_page.render(report(sections=(Section("sizes", "Sizes", charts=(chart,)),)).as_dict())
    assert "<title>small</title>" in page
    assert "<title>large</title>" in page
    assert "●</text></svg><bdi>pruned</bdi>" in page


def test_more_groups_than_colours_stay_apart():
    groups = tuple(Points(f"group {k}", (1.0 + k,), (0.5,), ("one",)) for k in range(10))
    chart = Chart("Many.", "KB", "accuracy", points=groups)
    keys = series_page.keys(chart)
    assert len({(key.mark, key.colour) for key in keys}) == len(groups)
    assert len({key.colour for key in keys}) < len(groups)
