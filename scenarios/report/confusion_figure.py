"""What was heard instead of what was said: the mistakes in colour, the right answers in grey."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray

from scenarios.report.canvas import INK, LINE, MUTED, PAPER, SERIES, Canvas, house_style, printable
from scenarios.report.content import Confusion

MATRIX_PX = 680
"""Side of the matrix where its cells are neither too small to read nor too large to look good."""
LETTER_PX = 7.2


def confusion(table: Confusion) -> str:
    """The confusion matrix, readable at 40 words, as the text of an <svg> element."""
    labels = [printable(label, 14) for label in table.labels]
    counts = np.array(table.matrix, int)  # (said, heard)
    size = len(labels)
    cell_px = float(np.clip(MATRIX_PX / size, 16.5, 64))
    margin, side = 20 + LETTER_PX * max(map(len, labels)), cell_px * size
    with house_style():
        canvas = Canvas("confusion", int(margin + side + 74), int(margin + side + 54))
        axes = canvas.axes(margin, margin, side, side)
        axes.set(xlim=(0, size), ylim=(size, 0))
        _draw_labels(axes, labels, 12 if cell_px > 20 else 11)
        _draw_cells(axes, counts, cell_px)
        _draw_margins(axes, counts, cell_px)
        return canvas.svg(_titles(table.labels, counts))


def _draw_labels(axes: Axes, labels: list[str], fontsize: int) -> None:
    size = len(labels)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.xaxis.tick_top()
    ticks = FixedLocator(list(np.arange(size) + 0.5))
    axes.xaxis.set_major_locator(ticks)
    axes.yaxis.set_major_locator(ticks)
    axes.set_yticklabels(labels, fontsize=fontsize, color=INK)
    flat = size <= 8 and max(map(len, labels)) < 10  # fits the widest cell
    for text in axes.set_xticklabels(labels, fontsize=fontsize, color=INK):
        text.set(rotation=0 if flat else 90, ha="center" if flat else "left", rotation_mode="anchor")
        text.set_verticalalignment("bottom" if flat else "center")
    for i in range(size + 1):
        axes.plot([0, size], [i, i], [i, i], [0, size], color=LINE, linewidth=0.6, clip_on=False)


def _draw_cells(axes: Axes, counts: NDArray[np.int_], cell_px: float) -> None:
    """One square for each pair that occurred; the colour follows the logarithm, since most mistakes happen once."""
    most = max(1, _mistakes(counts).max())
    for said, heard in zip(*np.nonzero(counts), strict=True):
        count, right = int(counts[said, heard]), said == heard
        often = np.log1p(count) / np.log1p(most)  # may be a rounding error above 1
        strength = 0.16 if right else min(1.0, 0.2 + 0.8 * often)
        box = Rectangle((heard, said), 1, 1, linewidth=0, gid=f"said{said}-heard{heard}")
        box.set(facecolor=MUTED if right else SERIES[3], alpha=strength)
        axes.add_patch(box)
        if not right or cell_px > 26:
            ink = MUTED if right else PAPER if strength > 0.75 else INK
            text = axes.text(heard + 0.5, said + 0.54, str(count), color=ink, ha="center", va="center")
            text.set_fontsize(min(13.0, cell_px * 0.6))


def _draw_margins(axes: Axes, counts: NDArray[np.int_], cell_px: float) -> None:
    """How often each word was missed (right) and how often it was heard where it was not said (below)."""
    mistakes, size = _mistakes(counts), len(counts)
    fontsize = 12 if cell_px > 20 else 11
    gap = 14 / cell_px
    for k in range(size):
        missed, wrongly = int(mistakes[k].sum()), int(mistakes[:, k].sum())
        right = axes.text(size + 0.5 * gap, k + 0.54, str(missed or "·"), ha="left", va="center")
        below = axes.text(k + 0.5, size + gap, str(wrongly or "·"), ha="center", va="center")
        right.set(fontsize=fontsize, color=INK if missed else MUTED)
        below.set(fontsize=fontsize, color=INK if wrongly else MUTED)
    axes.text(size + 0.5 * gap, -0.5 * gap, "missed", color=MUTED, fontsize=fontsize, va="bottom")
    axes.text(0, size + 2.6 * gap, "rows: said, columns: heard; last row: wrongly heard", color=MUTED, va="center")


def _titles(labels: tuple[str, ...], counts: NDArray[np.int_]) -> dict[str, str]:
    """A tooltip for each square."""
    titles = {}
    for said, heard in zip(*np.nonzero(counts), strict=True):
        what = "right" if said == heard else f"heard as {printable(labels[heard], 99)}"
        times = f"{counts[said, heard]} of {counts[said].sum()}"
        titles[f"said{said}-heard{heard}"] = f"{printable(labels[said], 99)}: {times} {what}"
    return titles


def _mistakes(counts: NDArray[np.int_]) -> NDArray[np.int_]:
    return counts * (1 - np.eye(len(counts), dtype=int))
