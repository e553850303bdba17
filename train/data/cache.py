"""Where data and whatever can be made again are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

CACHE_VARIABLE = "TINYRNN_CACHE"


def cache_folder() -> Path:
    """The folder for downloads and synthesised speech: `TINYRNN_CACHE`, else the user's cache folder."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("tinyrnn")
