"""Matplotlib figures as small inline SVG that takes its colours and its font from the page around it.

Figures are drawn with stand-in colours that `svg` turns into CSS variables, so that one drawing serves light and dark.
Lengths are CSS pixels: one point of Matplotlib is one unit of the view box.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PIXELS_PER_INCH = 72
SVG = "{http://www.w3.org/2000/svg}"
DROPPED = {SVG + "metadata", SVG + "style"}

NAMES = ("ink", "muted", "line", "paper", "c0", "c1", "c2", "c3", "c4", "c5", "c6")
"""CSS variables that style.css defines; c0..c6 are the colours of series, told apart by the colour-blind, too."""
INK, MUTED, LINE, PAPER, *SERIES = (f"#fade{i:02x}" for i in range(len(NAMES)))
DASHES = ("", "7 3", "2 2.5", "9 3 2 3", "5 2", "1 3", "12 3")
"""One pattern for each colour, so that no figure speaks by colour alone."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: a tenth of the bytes, and it can be searched and read aloud
    "text.parse_math": False,  # a label may hold two dollar signs
    "font.size": 12,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.labelsize": 12,
    "ytick.labelsize": 12,
    "lines.linewidth": 2,
    "lines.solid_capstyle": "round",
    "path.simplify_threshold": 0.3,
}


class Canvas:
    """A figure of so many CSS pixels on which axes are placed by pixels from the top left.

    >>> float(Canvas("dots", 300, 200).axes(40, 10, 250, 160).get_position().bounds[2] * 300)
    250.0
    """

    def __init__(self, name: str, width: int, height: int):
        self.name = name  # keeps the ids of one figure apart from those of the others on the page
        self.width, self.height = width, height
        self.figure = Figure((width / PIXELS_PER_INCH, height / PIXELS_PER_INCH))

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes whose corner and size are given in pixels."""
        w, h = self.width, self.height
        axes: Axes = self.figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))
        axes.tick_params(length=0, pad=6)
        return axes

    def svg(self, titles: dict[str, str] | None = None) -> str:
        """The drawing as one <svg> element; `titles` puts a tooltip on what was given that gid."""
        buffer = io.StringIO()
        with matplotlib.rc_context({"svg.hashsalt": self.name}), warnings.catch_warnings():
            # Matplotlib only measures text here; the reader's browser has the glyphs that its own font lacks.
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
            self.figure.savefig(buffer, format="svg", transparent=True)
        ElementTree.register_namespace("", SVG[1:-1])
        ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
        root = ElementTree.fromstring(buffer.getvalue())
        root.attrib.pop("width")
        root.attrib.pop("height")
        root.set("aria-hidden", "true")  # the <figure> around it carries the words
        _tidy(root, titles or {})
        return re.sub(r">\s+<", "><", ElementTree.tostring(root, encoding="unicode"))


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the report's style, and leave the caller's Matplotlib settings alone."""
    with matplotlib.rc_context(STYLE):
        yield


def printable(label: str, longest: int = 18) -> str:
    """A label as a figure can hold it: no control characters, which are not XML, and not endless."""
    clean = "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs", "Cn") else c for c in label)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def _tidy(element: ElementTree.Element, titles: dict[str, str]) -> None:
    """Drop what the page does not need, round what nobody can see, name the colours."""
    for child in list(element):
        if child.tag in DROPPED:
            element.remove(child)
            continue
        if child.tag == SVG + "g" and (name := child.attrib.pop("id", None)) in titles:
            title = ElementTree.Element(SVG + "title")
            title.text = titles[name]
            child.insert(0, title)
        _tidy(child, titles)
    for key, value in element.attrib.items():
        if key in ("d", "x", "y", "width", "height", "points", "transform"):
            value = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), value)
            element.set(key, re.sub(r"\s+", " ", value).strip())
        if key == "transform" and value.startswith("rotate(-0 "):
            element.set(key, "")
        if key == "style":
            value = re.sub(r"font-family: [^;]*;? ?", "", value)
            element.set(key, re.sub("#fade([0-9a-f]{2})", lambda n: f"var(--{NAMES[int(n[1], 16)]})", value))
