"""The report's figures. Each function draws one, for a wide page or for a phone, as the text of an <svg> element."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from scenarios.report.canvas import DASHES, INK, PAPER, SERIES, Canvas, house_style
from scenarios.report.content import Curve, Series, TradeOff
from scenarios.report.text import setting

WIDE, NARROW = 800, 350
"""CSS pixels: the text column of the page on a desk and on a phone."""


def envelope(samples: NDArray[np.float32], slices: int = 800) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The lowest and the highest sample of each of many equal slices: all that a drawing can show of a recording."""
    pieces = np.array_split(samples, min(slices, max(1, len(samples))))
    low = tuple(round(float(piece.min(initial=0.0)), 4) for piece in pieces)
    return low, tuple(round(float(piece.max(initial=0.0)), 4) for piece in pieces)


def has_numbers(stages: Mapping[str, Curve]) -> bool:
    """Whether any stage learned anything that can be drawn."""
    return any(_numbers(curve.train_loss) or _numbers(curve.validation_accuracy) for curve in stages.values())


def curves(stages: Mapping[str, Curve], width: int = WIDE) -> str:
    """Training loss and validation accuracy of each stage over its epochs."""
    panels = [
        ("training loss", {name: curve.train_loss for name, curve in stages.items()}, "{:g}".format),
        (
            "validation accuracy",
            {name: curve.validation_accuracy for name, curve in stages.items()},
            lambda value: f"{100 * value:g} %",
        ),
    ]
    panels = [panel for panel in panels if any(_numbers(values) for values in panel[1].values())]
    across = len(panels) if width == WIDE else 1
    panel_width, panel_height = width / across, 280 if width == WIDE else 230
    with house_style():
        canvas = Canvas(f"curves{width}", width, int(panel_height * len(panels) / across))
        for i, (title, values, tick) in enumerate(panels):
            left, top = i % across * panel_width, i // across * panel_height
            axes = canvas.axes(left + 50, top + 30, panel_width - 66, panel_height - 78)
            axes.set_title(title, loc="left", x=0, fontsize=13, color=INK)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _, tick=tick: tick(round(value, 6))))
            for k, (name, series) in enumerate(values.items()):
                epochs = stages[name].epoch[: len(series)]
                known = [(x, y) for x, y in zip(epochs, series, strict=False) if y is not None]
                axes.plot(*zip(*known, strict=True), **stroke(k)) if known else None
            if title == "validation accuracy":
                # The first epochs say little, and would flatten the rest.
                everything = [y for series in values.values() for y in _numbers(series)]
                low, high = float(np.quantile(everything, 0.12)), max(everything)
                axes.set_ylim(max(0.0, low - 0.15 * (high - low) - 0.002), high + 0.08 * (high - low) + 0.002)
        return canvas.svg()


def trade_off(choice: TradeOff, width: int = WIDE) -> str:
    """Missed words against false accepts per hour, one point a setting, the shipped one marked."""
    points = sorted(choice.points, key=lambda point: point.threshold)
    rates = [point.false_accepts_per_hour for point in points]
    titles = {
        f"point{i}": f"{choice.threshold_name} {setting(point.threshold)}: {100 * point.missed:.1f} % missed, "
        f"{point.false_accepts_per_hour:.2f} false accepts per hour"
        for i, point in enumerate(points)
    }
    with house_style():
        canvas = Canvas(f"tradeoff{width}", width, 330 if width == WIDE else 280)
        axes = canvas.axes(58, 16, width - 76, canvas.height - 70)
        # Linear to 1 an hour, since zero is the best that can be measured; logarithmic beyond.
        axes.set_xscale("symlog", linthresh=1, linscale=0.6)
        far = max([*rates, choice.shipped.false_accepts_per_hour, 1.0])
        steps = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if width == WIDE else (0, 1, 3, 10, 30, 100, 300, 1000)
        axes.xaxis.set_major_locator(FixedLocator([step for step in steps if step <= far * 1.3]))
        axes.xaxis.set_minor_locator(FixedLocator([]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
        axes.set(xlabel="false accepts per hour (0–1 linear, then logarithmic)"[: None if width == WIDE else 23])
        axes.set(ylabel="words missed", xlim=(-0.06 * min(far, 3.0), far * 1.15))
        missed = [point.missed for point in points]
        axes.plot(rates, missed, color=SERIES[0], linewidth=1.5)
        for i, (rate, miss) in enumerate(zip(rates, missed, strict=True)):
            axes.plot(rate, miss, "o", color=SERIES[0], markersize=5, gid=f"point{i}")
        axes.set_ylim(0, max(*missed, choice.shipped.missed, 0.01) * 1.08)
        x, y = choice.shipped.false_accepts_per_hour, choice.shipped.missed
        axes.axvline(x, color=SERIES[3], linewidth=1, linestyle=(0, (3, 3)))
        axes.axhline(y, color=SERIES[3], linewidth=1, linestyle=(0, (3, 3)))
        axes.plot(x, y, "D", color=SERIES[3], markersize=10, clip_on=False)
        words = f"shipped: {100 * y:.1f} % missed,\n{x:.2f} false accepts an hour"
        room: dict[str, Any] = {"boxstyle": "round,pad=0.3", "facecolor": PAPER, "alpha": 0.9, "linewidth": 0}
        on_left, on_top = x > 0.6 * far, y > 0.75 * axes.get_ylim()[1]
        offset = (-16 if on_left else 16, -14 if on_top else 14)
        note = axes.annotate(words, (x, y), offset, textcoords="offset points", bbox=room)
        note.set(color=INK, ha="right" if on_left else "left", va="top" if on_top else "bottom", zorder=9)
        return canvas.svg(titles)


def _numbers(series: Series) -> list[float]:
    return [value for value in series if value is not None]


def stroke(k: int) -> dict[str, Any]:
    """The k-th line: a colour and a pattern of its own, as in the legend."""
    colour, dash = SERIES[k % len(SERIES)], DASHES[k % len(DASHES)]
    pattern = (0, tuple(float(length) / 2 for length in dash.split())) if dash else "solid"  # in line widths
    return {"color": colour, "linestyle": pattern}
