"""The example recording: what was said, the waveform, the running scores and what was detected, over one time axis."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from scenarios.report.canvas import DASHES, INK, LINE, MUTED, SERIES, Canvas, house_style, printable
from scenarios.report.content import Example, Heard
from scenarios.report.figures import WIDE

LETTER_PX = 7.0
"""Width of an average letter at 12 px, to keep labels from overlapping."""


def example(recording: Example, width: int = WIDE) -> str:
    """Waveform over score curves, detected events shaded across both."""
    colours = colours_of(recording)
    left, inner = 46, width - 46 - 14
    rows = _rows(recording, inner)
    top, wave, gap, scores = 16 * (1 + max(rows, default=0)) + 10, 84, 26, 170
    with house_style():
        canvas = Canvas(f"example{width}", width, top + wave + gap + scores + 42)
        waveform = canvas.axes(left, top, inner, wave)
        running = canvas.axes(left, top + wave + gap, inner, scores)
        _draw_waveform(waveform, recording)
        _draw_scores(running, recording, colours)
        for event, row in zip(recording.events, rows, strict=True):
            colour = colours[event.label]
            start_s, end_s = span(recording, event)
            for axes in (waveform, running):
                axes.axvspan(start_s, end_s, color=colour, alpha=0.16, linewidth=0)
            for axes in (waveform, running):
                axes.axvline(event.time_s, color=colour, linewidth=1.4)
            running.plot(event.time_s, event.score, "o", color=colour, markersize=6)
            high = 1 + (7 + 16 * row) / wave
            waveform.text(
                event.time_s, high, printable(event.label), transform=waveform.get_xaxis_transform(),
                ha="center", va="bottom", fontsize=12, color=INK, fontweight="bold",
            )  # fmt: skip
        for spoken in recording.said:
            (bar,) = waveform.plot([spoken.start_s, spoken.end_s], [-0.1, -0.1], color=MUTED, linewidth=3)
            bar.set(transform=waveform.get_xaxis_transform(), solid_capstyle="butt", clip_on=False)
        return canvas.svg()


def colours_of(recording: Example) -> dict[str, str]:
    """A colour for each label that was detected or scored high, the most certain first; the rest stay grey."""
    heard = dict.fromkeys(event.label for event in recording.events)
    peaks = {label: max(scores, default=0.0) for label, scores in recording.scores.items()}
    loud = sorted((label for label in peaks if label not in heard and peaks[label] > 0.3), key=lambda x: -peaks[x])
    shown = [*heard, *loud[: max(0, len(SERIES) - len(heard))]]
    return {label: SERIES[k % len(SERIES)] for k, label in enumerate(shown)}


def span(recording: Example, event: Heard) -> tuple[float, float]:
    """From when the detected word's score rose above half of its threshold to when it fell below again."""
    times = np.array(recording.times_s)
    scores = np.array(recording.scores.get(event.label, ()))
    if not len(scores):
        return event.time_s - 0.3, event.time_s
    up = scores >= 0.5 * recording.thresholds.get(event.label, event.score)
    at = int(np.argmin(np.abs(times - event.time_s)))
    quiet = np.flatnonzero(~up)
    first = quiet[quiet < at].max(initial=-1) + 1
    last = quiet[quiet > at].min(initial=len(up)) - 1
    return float(times[first]), float(times[last])


def _draw_waveform(axes: Axes, recording: Example) -> None:
    middle = (np.arange(len(recording.low)) + 0.5) * recording.duration_s / max(1, len(recording.low))
    axes.fill_between(middle, recording.low, recording.high, color=MUTED, linewidth=0.3)
    loudest = max([*map(abs, recording.low), *recording.high, 0.01])
    axes.set(xlim=(0, recording.duration_s), ylim=(-loudest, loudest), yticks=[])
    axes.set_xticklabels([])
    axes.spines[:].set_visible(False)
    axes.set_ylabel("sound", labelpad=14)


def _draw_scores(axes: Axes, recording: Example, colours: dict[str, str]) -> None:
    for label, scores in recording.scores.items():
        if label in colours:
            k = list(colours).index(label)
            dash = DASHES[k // len(SERIES) % len(DASHES)]  # colours repeat only after seven labels
            style = (0, tuple(float(length) / 2 for length in dash.split())) if dash else "solid"
            axes.plot(recording.times_s, scores, color=colours[label], linestyle=style, linewidth=1.8)
        elif max(scores, default=0.0) > 0.08:
            axes.plot(recording.times_s, scores, color=LINE, linewidth=1, zorder=1)
    if len(levels := {recording.thresholds[label] for label in colours if label in recording.thresholds}) == 1:
        axes.axhline(levels.pop(), color=MUTED, linewidth=1, linestyle=(0, (4, 4)))
    axes.set(xlim=(0, recording.duration_s), ylim=(0, 1.02), yticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_ylabel("score")
    axes.set_xlabel("seconds")
    axes.xaxis.set_major_locator(MaxNLocator(8, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _rows(recording: Example, inner_px: int) -> list[int]:
    """A row for each event's label, so that neighbours do not overlap."""
    ends: list[float] = []  # right end of the last label of each row, px
    rows = []
    for event in recording.events:
        half = LETTER_PX * len(printable(event.label)) / 2 + 4
        centre = event.time_s / recording.duration_s * inner_px
        row = next((i for i, end in enumerate(ends) if end <= centre - half), len(ends))
        ends[row : row + 1] = [centre + half]
        rows.append(row)
    return rows
