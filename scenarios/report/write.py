"""Report files: each is there whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scenarios.report import html
from scenarios.report.content import Report
from scenarios.report.series_content import SeriesReport

Render = Callable[[dict[str, Any]], str]


def write(report: Report | SeriesReport, folder: Path | str, render: Render = html.render) -> tuple[Path, Path]:
    """Write report.html and report.json into the folder; return their paths.

    The page is drawn by `render` from the JSON text and nothing else, so that the two cannot disagree.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report.as_dict(), indent=1, ensure_ascii=False, allow_nan=False)
    page = render(json.loads(text))
    return _replace(folder / "report.html", page), _replace(folder / "report.json", text + "\n")


def _replace(path: Path, text: str) -> Path:
    """Write beside the file, then rename: a reader, a full disk or Ctrl-C never sees half of it."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8", errors="replace"))  # a label from a file name may hold a lone surrogate
        Path(name).chmod(0o644)  # mkstemp's 0600 would hide the report from a web server
        return Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise
