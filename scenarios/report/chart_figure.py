"""A chart of a sensor report: what was measured, what was forecast, and how sure of it the model was."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from scenarios.report.canvas import INK, LINE, MUTED, SERIES, Canvas, house_style, printable
from scenarios.report.figures import WIDE, stroke
from scenarios.report.series_content import Chart, Series

DAY_S = 86_400
MARKERS = {"o": "●", "s": "■", "D": "◆", "^": "▲", "v": "▼", "P": "✚", "X": "✖", "*": "★", "p": "⬟"}
"""As matplotlib draws them, and as a legend writes them: two more than colours, so that many groups stay apart."""


def marker(k: int) -> str:
    """Of the k-th group."""
    return list(MARKERS)[k % len(MARKERS)]


def chart(content: Chart, name: str, width: int = WIDE) -> str:
    """The chart as the text of an <svg> element; `name` keeps its ids apart from those of other figures."""
    height = 300 if width == WIDE else 240
    with house_style():
        canvas = Canvas(f"{name}{width}", width, height)
        axes = canvas.axes(58, 18, width - 72, height - 66)
        scale = 1 / DAY_S if content.x_is_time else 1.0
        _draw_spans(axes, content, scale)
        _draw_lines(axes, content, scale)
        titles = _draw_marks(axes, content, scale) | _draw_points(axes, content)
        if content.level is not None:
            axes.axhline(content.level, color=MUTED, linewidth=1, linestyle=(0, (4, 4)))
        axes.set_xlabel("" if content.x_is_time else content.x_name)
        axes.set_ylabel(content.y_name)
        axes.set_ylim(content.y_low, content.y_high)
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(value, 9):g}"))
        _label_x(axes, content, 9 if width == WIDE else 6)
        return canvas.svg(titles)


def _draw_spans(axes: Axes, content: Chart, scale: float) -> None:
    names = list(dict.fromkeys(span.name for span in content.spans))
    for span in content.spans:
        colour = SERIES[(3 + names.index(span.name)) % len(SERIES)]
        axes.axvspan(span.start * scale, span.end * scale, color=colour, alpha=0.14, linewidth=0)


def _draw_lines(axes: Axes, content: Chart, scale: float) -> None:
    loud = [line.name for line in content.lines if not line.quiet]
    for band in content.bands:
        k = loud.index(band.name) if band.name in loud else len(loud)
        x = np.array(band.x) * scale
        axes.fill_between(x, _gaps(band.low), _gaps(band.high), color=SERIES[k % len(SERIES)], alpha=0.2, linewidth=0)
    for line in content.lines:
        x, y = np.array(line.x) * scale, _gaps(line.y)
        if line.quiet:
            axes.plot(x, y, color=MUTED, linewidth=1)
        else:
            axes.plot(x, y, linewidth=1.8, **stroke(loud.index(line.name)))


def _draw_marks(axes: Axes, content: Chart, scale: float) -> dict[str, str]:
    """Draw the events; return their tooltips."""
    titles = {}
    for i, mark in enumerate(content.marks):
        titles[f"mark{i}"] = printable(mark.name, 60)
        if mark.y is None:
            axes.axvline(mark.x * scale, color=SERIES[3], linewidth=1.2, gid=f"mark{i}")
        else:
            axes.plot(mark.x * scale, mark.y, "o", color=SERIES[3], markersize=5, gid=f"mark{i}")
    return titles


def _draw_points(axes: Axes, content: Chart) -> dict[str, str]:
    """Draw what stands by itself, behind the lines' colours in the legend; return the tooltips."""
    titles = {}
    before = sum(not line.quiet for line in content.lines)
    for group, points in enumerate(content.points):
        k = before + group
        for i, (x, y) in enumerate(zip(points.x, points.y, strict=True)):
            gid = f"point{group}.{i}"
            axes.plot(x, y, marker(k), color=SERIES[k % len(SERIES)], markersize=6.5, gid=gid)
            titles[gid] = printable(points.titles[i] if points.titles else points.name, 80)
    return titles


def _label_x(axes: Axes, content: Chart, ticks: int) -> None:
    axes.margins(x=0.02 if content.points else 0.01)
    if content.x_is_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(value, 9):g}"))
    elif content.x_is_time:
        locator = AutoDateLocator(minticks=2, maxticks=ticks)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
        axes.xaxis.get_offset_text().set(color=MUTED)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(ticks))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{round(value, 9):g}"))
    axes.spines["bottom"].set_color(LINE)
    axes.xaxis.label.set_color(INK)


def _gaps(values: Series) -> Any:
    return np.array([math.nan if value is None else value for value in values])
